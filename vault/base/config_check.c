/* config_check.c: looks at the files that a configuration names. Their paths
 * are shown, connection strings never. */
#include "base/config_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_KEY_BYTES 32

static void complain(const struct config *c, enum config_key key, struct buf *report, const char *what)
{
	config_origin(c, key, report);
	buf_printf(report, "%s: %s\n", config_text(c, key), what);
}

/* An open descriptor of a regular file, or -1 with a line in the report. */
static int open_file(const struct config *c, enum config_key key, int flags, struct stat *st, struct buf *report)
{
	const int fd = open(config_text(c, key), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

	if (fd < 0) {
		complain(c, key, report, errno == ELOOP ? "is a symbolic link" : strerror(errno));
		return -1;
	}
	if (fstat(fd, st) || !S_ISREG(st->st_mode)) {
		complain(c, key, report, "is not a regular file");
		close(fd);
		return -1;
	}
	return fd;
}

static void check_file(const struct config *c, enum config_key key, struct buf *report)
{
	struct stat st;
	const int fd = open_file(c, key, 0, &st, report);

	if (fd < 0)
		return;
	if (config_rows[key].type == CONFIG_TYPE_key && (st.st_mode & (S_IRWXO | S_IWGRP)))
		complain(c, key, report, "is open to others; its mode must be 0640 or less");
	if (st.st_size == 0 && config_rows[key].type != CONFIG_TYPE_maybe)
		complain(c, key, report, "is empty");
	close(fd);
}

/* The same rules as crypto/keyring.h, told before the start. */
static void check_secret(const struct config *c, enum config_key key, struct buf *report)
{
	struct stat st;
	const int fd = open_file(c, key, O_NOFOLLOW, &st, report);

	if (fd < 0)
		return;
	if (st.st_mode & 0177)
		complain(c, key, report, "has a wrong mode; it must be 0400 or 0600");
	if (st.st_uid != geteuid())
		complain(c, key, report, "belongs to another user than the one that runs this");
	if (key == CONFIG_ROOT_KEY && st.st_size != ROOT_KEY_BYTES)
		complain(c, key, report, "is not a root key: it must be 32 bytes long");
	close(fd);
}

static bool is_bundle(int folder, const char *name)
{
	const size_t len = strlen(name);

	return len > 4 && *name != '.' && !strcmp(name + len - 4, ".pem") && faccessat(folder, name, R_OK, AT_EACCESS) == 0;
}

static void check_folder(const struct config *c, enum config_key key, struct buf *report)
{
	DIR *folder = opendir(config_text(c, key));
	const struct dirent *entry;
	size_t bundles = 0;

	if (!folder) {
		complain(c, key, report, strerror(errno));
		return;
	}
	while ((entry = readdir(folder)))
		bundles += is_bundle(dirfd(folder), entry->d_name);
	if (!bundles)
		complain(c, key, report, "holds no .pem file that can be read");
	closedir(folder);
}

static void check_one(const struct config *c, enum config_key key, struct buf *report)
{
	switch (config_rows[key].type) {
	case CONFIG_TYPE_url:
		if (key != CONFIG_DATABASE_URL || *config_text(c, key))
			return;
		config_origin(c, key, report);
		buf_text(report, "is not set\n");
		return;
	case CONFIG_TYPE_maybe:
		if (*config_text(c, key))
			check_file(c, key, report);
		return;
	case CONFIG_TYPE_file:
	case CONFIG_TYPE_key: check_file(c, key, report); return;
	case CONFIG_TYPE_secret: check_secret(c, key, report); return;
	case CONFIG_TYPE_folder: check_folder(c, key, report); return;
	case CONFIG_TYPE_address:
	case CONFIG_TYPE_path:
	case CONFIG_TYPE_origin:
	case CONFIG_TYPE_node:
	case CONFIG_TYPE_country:
	case CONFIG_TYPE_level:
	case CONFIG_TYPE_port:
	case CONFIG_TYPE_number: return;
	}
}

enum err config_check(const struct config *c, struct buf *report)
{
	const size_t before = report->len;

	for (size_t i = 0; i < CONFIG_KEYS; i++)
		check_one(c, (enum config_key)i, report);
	if (c->listen_port == c->operations_port) {
		config_origin(c, CONFIG_OPERATIONS_PORT, report);
		buf_text(report, "is the port of the mutual TLS listener too\n");
	}
	if (!buf_ok(report))
		return ERR_MEMORY;
	return report->len > before ? ERR_CONFIG : ERR_OK;
}
