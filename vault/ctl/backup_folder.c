/* backup_folder.c: the folder of backup_folder.h: lock, manifest, what an interrupted run left. */
#include "vault/ctl/backup_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST "manifest.json"
#define MANIFEST_NEW "manifest.json.new"
#define MANIFEST_MAX ((size_t)4 << 20)

static enum err io_error(const struct backup_folder *f, const char *name, struct buf *why)
{
	buf_printf(why, "%s%s%s: %s", f->path, name ? "/" : "", name ? name : "", strerror(errno));
	return ERR_IO;
}

static bool is_dump(const char *name)
{
	const size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".dump") && (!strncmp(name, "data-", 5) || !strncmp(name, "customer_key-", 13));
}

static bool named(const struct backup_manifest *m, const char *name)
{
	if (!strcmp(m->keys.name, name))
		return true;
	for (size_t i = 0; i < m->n_data; i++)
		if (!strcmp(m->data[i].name, name))
			return true;
	return false;
}

/* Calls visit with each name; its first error ends it. */
static enum err each_name(const struct backup_folder *f, enum err (*visit)(const struct backup_folder *f, const char *name, void *ctx, struct buf *why),
                          void *ctx, struct buf *why)
{
	int fd = dup(f->fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	enum err e = ERR_OK;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return io_error(f, NULL, why);
	}
	rewinddir(dir);
	while (!e && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			e = visit(f, entry->d_name, ctx, why);
	closedir(dir);
	return e;
}

static enum err refuse_stranger(const struct backup_folder *f, const char *name, void *ctx, struct buf *why)
{
	(void)ctx;
	if (is_dump(name) || !strcmp(name, MANIFEST_NEW))
		return ERR_OK; /* of a first run that was interrupted */
	buf_printf(why, "%s holds files and no backup (%s): name an empty or a new directory", f->path, MANIFEST);
	return ERR_CONFLICT;
}

static enum err read_manifest(const struct backup_folder *f, int fd, struct backup_manifest *m, struct buf *why)
{
	struct buf text;
	uint8_t room[65536];
	ssize_t n = 0;
	enum err e;

	buf_init(&text, MANIFEST_MAX);
	while ((n = read(fd, room, sizeof room)) > 0)
		buf_append(&text, room, (size_t)n);
	e = n < 0 ? io_error(f, MANIFEST, why) : buf_err(&text);
	if (!e && backup_parse(text.data, text.len, m)) {
		buf_printf(why, "%s/%s is damaged, or of another version", f->path, MANIFEST);
		e = ERR_MALFORMED_JSON;
	}
	buf_fini(&text);
	return e;
}

static enum err open_manifest(const struct backup_folder *f, enum backup_use use, struct backup_manifest *m, struct buf *why)
{
	const int fd = openat(f->fd, MANIFEST, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err e;

	if (fd < 0 && errno == ENOENT && use == BACKUP_WRITE)
		return each_name(f, refuse_stranger, NULL, why);
	if (fd < 0)
		return io_error(f, MANIFEST, why);
	e = read_manifest(f, fd, m, why);
	close(fd);
	return e;
}

enum err backup_open(struct backup_folder *f, const char *path, enum backup_use use, struct backup_manifest **m, struct buf *why)
{
	*f = (struct backup_folder){.path = path, .fd = -1};
	*m = calloc(1, sizeof **m);
	if (!*m)
		return ERR_MEMORY;
	if (use == BACKUP_WRITE && mkdir(path, 0700) && errno != EEXIST)
		return io_error(f, NULL, why);
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		return io_error(f, NULL, why);
	if (flock(f->fd, (use == BACKUP_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return io_error(f, NULL, why);
		buf_printf(why, "%s: another backup or restore uses it now", path);
		return ERR_BUSY;
	}
	return open_manifest(f, use, *m, why);
}

void backup_close(struct backup_folder *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static enum err write_new(const struct backup_folder *f, const struct buf *text, struct buf *why)
{
	const int fd = openat(f->fd, MANIFEST_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t done = 0;
	ssize_t n = 0;
	enum err e = ERR_OK;

	if (fd < 0)
		return io_error(f, MANIFEST_NEW, why);
	while (done < text->len && (n = write(fd, text->data + done, text->len - done)) > 0)
		done += (size_t)n;
	if (done < text->len || fsync(fd))
		e = io_error(f, MANIFEST_NEW, why);
	if (close(fd) && !e)
		e = io_error(f, MANIFEST_NEW, why);
	return e;
}

static enum err remove_unnamed(const struct backup_folder *f, const char *name, void *ctx, struct buf *why)
{
	if (is_dump(name) && !named(ctx, name) && unlinkat(f->fd, name, 0))
		return io_error(f, name, why);
	return ERR_OK;
}

enum err backup_commit(const struct backup_folder *f, const struct backup_manifest *m, struct buf *why)
{
	struct backup_manifest *copy = malloc(sizeof *copy); /* visitors take what they may change */
	struct buf text;
	enum err e = copy ? ERR_OK : ERR_MEMORY;

	buf_init(&text, MANIFEST_MAX);
	backup_print(m, &text);
	if (!e)
		e = buf_err(&text);
	if (!e)
		e = write_new(f, &text, why);
	/* First the dumps' names are durable, then the manifest that names them. */
	if (!e && (fsync(f->fd) || renameat(f->fd, MANIFEST_NEW, f->fd, MANIFEST) || fsync(f->fd)))
		e = io_error(f, MANIFEST, why);
	if (!e) {
		*copy = *m;
		e = each_name(f, remove_unnamed, copy, why);
	}
	if (!e && fsync(f->fd))
		e = io_error(f, NULL, why);
	free(copy);
	buf_fini(&text);
	return e;
}
