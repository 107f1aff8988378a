/* file.c: files that are replaced in one step. */
#include "ctl/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct buf *why, const char *path)
{
	buf_printf(why, "%s: %s", path, strerror(errno));
	return false;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Writes path + ".new" and moves it to path. */
static bool put(int folder, const char *path, const void *bytes, size_t len, bool sync, struct buf *why)
{
	char fresh[PATH_MAX];
	bool good;
	int fd;

	if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
		errno = ENAMETOOLONG;
		return fail(why, path);
	}
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(why, fresh);
	good = write_all(fd, bytes, len) && (!sync || fsync(fd) == 0);
	good = close(fd) == 0 && good && renameat(folder, fresh, folder, path) == 0;
	if (!good) {
		fail(why, path);
		unlinkat(folder, fresh, 0);
	}
	return good;
}

/* Syncs the folder that a name lies in, so that the name itself lasts. */
static bool sync_folder(const char *path, struct buf *why)
{
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	const size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
	bool good;
	int fd;

	if (len) {
		memcpy(folder, path, len); /* put() has seen that the path fits */
		folder[len] = 0;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = fd >= 0 && fsync(fd) == 0;
	if (!good)
		fail(why, folder);
	if (fd >= 0)
		close(fd);
	return good;
}

bool file_replace(const char *path, const void *bytes, size_t len, struct buf *why)
{
	return put(AT_FDCWD, path, bytes, len, true, why) && sync_folder(path, why);
}

bool file_put_at(int folder, const char *path, const void *bytes, size_t len, struct buf *why)
{
	char part[PATH_MAX];
	const size_t path_len = strlen(path);

	if (path_len >= sizeof part) {
		errno = ENAMETOOLONG;
		return fail(why, path);
	}
	for (size_t i = 1; i < path_len; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdirat(folder, part, 0755) != 0 && errno != EEXIST)
			return fail(why, part);
	}
	return put(folder, path, bytes, len, false, why);
}

bool file_lock(const char *path, struct buf *why)
{
	char name[PATH_MAX];
	int fd;

	if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name) {
		errno = ENAMETOOLONG;
		return fail(why, path);
	}
	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(why, name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true; /* held until the process ends: fd stays open */
	buf_printf(why, "%s: %s", name, errno == EWOULDBLOCK ? "another process has it" : strerror(errno));
	close(fd);
	return false;
}
