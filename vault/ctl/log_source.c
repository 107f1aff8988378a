/* log_source.c: a log's files, from a directory or from a vault. */
#include "ctl/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool log_is_url(const char *where)
{
	return strstr(where, "://") != NULL;
}

bool log_folder_open(const char *path, struct log_folder *f)
{
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		complain(CTL_USAGE, "%s: %s", path, strerror(errno));
	return f->fd >= 0;
}

void log_folder_close(struct log_folder *f)
{
	close(f->fd);
}

/* To the end, of a file that may grow or shrink meanwhile. */
static enum err read_all(int fd, size_t limit, struct buf *out)
{
	struct stat st;
	uint8_t *at;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size > limit)
		return ERR_NOT_FOUND;
	do {
		at = buf_reserve(out, out->len < (size_t)st.st_size ? (size_t)st.st_size - out->len + 1 : 1);
		if (!at)
			return ERR_MEMORY;
		n = read(fd, at, out->cap - out->len);
		if (n < 0 && errno != EINTR)
			return ERR_IO;
		if (n > 0)
			out->len += (size_t)n;
		if (out->len > limit)
			return ERR_NOT_FOUND;
	} while (n != 0);
	return ERR_OK;
}

static enum err read_file(void *ctx, const char *path, size_t limit, struct buf *out)
{
	const struct log_folder *f = ctx;
	/* A fifo or a device in the place of a file must not hold us up. */
	const int fd = openat(f->fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	enum err e;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
		return ERR_NOT_FOUND;
	e = fd < 0 ? ERR_IO : read_all(fd, limit, out);
	if (e == ERR_IO)
		complain(CTL_SERVER, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return e;
}

struct log_source log_folder_source(struct log_folder *f)
{
	return (struct log_source){read_file, f};
}

static enum err read_remote(void *ctx, const char *path, size_t limit, struct buf *out)
{
	struct log_remote *r = ctx;
	struct client_reply reply;
	enum err e = ERR_NOT_FOUND;
	struct buf below;

	buf_init(&below, 0);
	buf_printf(&below, "/%s", path);
	input_query(&below, "log", r->number);
	r->code = remote_get(r->a, r->url, buf_string(&below), &reply);
	buf_fini(&below);
	if (r->code != CTL_OK) {
		e = ERR_IO;
	} else if (reply.status == 200 && reply.body.len <= limit) {
		buf_append(out, reply.body.data, reply.body.len);
		e = buf_err(out);
	}
	client_reply_fini(&reply);
	return e;
}

struct log_source log_remote_source(struct log_remote *r)
{
	return (struct log_source){read_remote, r};
}
