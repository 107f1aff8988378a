/* keyring_file.c: root key and keyring as files, one at a time; keyring_pair.c has both together.
 *
 * A new file is written beside its place, synced, and moved there in one step;
 * then the folder is synced. Whoever dies in between leaves the old file, or
 * the new one, and at most a leftover that the next writer removes. */
#include "crypto/keyring.h"

#include "base/clock.h"
#include "crypto/keyring_file_int.h"
#include "crypto/keyring_int.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum err key_file_error(struct buf *why, const char *path, const char *what)
{
	buf_printf(why, "%s: %s: %s", path, what, strerror(errno));
	return ERR_IO;
}

bool keyring_owner_fits(uid_t owner, uid_t self)
{
	return owner == self || owner == 0;
}

/* A folder in which only we can put another file in the place of a key. */
static enum err check_folder(int fd, const char *path, struct buf *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return key_file_error(why, path, "can't look at its folder");
	if (!keyring_owner_fits(st.st_uid, geteuid())) {
		buf_printf(why, "%s: its folder belongs to uid %u; it must be this user's or root's", path,
		           (unsigned)st.st_uid);
		return ERR_KEYRING;
	}
	if ((st.st_mode & 022) != 0 && !(st.st_mode & S_ISVTX)) {
		buf_printf(why, "%s: others may write in its folder (mode %04o); run chmod go-w on the folder", path,
		           (unsigned)(st.st_mode & 07777));
		return ERR_KEYRING;
	}
	return ERR_OK;
}

/* Opens the folder of path, and gives its last name. Owner: caller. */
enum err key_folder_open(const char *path, int *fd, const char **name, struct buf *why)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	size_t len = slash ? (size_t)(slash - path) : 0;
	enum err e;

	*fd = -1;
	*name = slash ? slash + 1 : path;
	if (slash && len == 0)
		len = 1;
	if (len >= sizeof folder || **name == 0 || strlen(*name) > KEY_FILE_NAME_MAX - 8) {
		buf_printf(why, "%s: is not the path of a file", path);
		return ERR_IO;
	}
	if (slash) {
		memcpy(folder, path, len);
		folder[len] = 0;
	}
	*fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return key_file_error(why, path, "can't open its folder");
	e = check_folder(*fd, path, why);
	if (e) {
		close(*fd);
		*fd = -1;
	}
	return e;
}

static enum err check_file(int fd, const char *path, size_t most, size_t *len, struct buf *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return key_file_error(why, path, "can't look at it");
	if (!S_ISREG(st.st_mode)) {
		buf_printf(why, "%s: is not a regular file", path);
		return ERR_KEYRING;
	}
	if (!keyring_owner_fits(st.st_uid, geteuid())) {
		buf_printf(why, "%s: belongs to uid %u; it must be this user's or root's", path, (unsigned)st.st_uid);
		return ERR_KEYRING;
	}
	if ((st.st_mode & 07777) != 0400 && (st.st_mode & 07777) != 0600) {
		buf_printf(why, "%s: has mode %04o; run chmod 0400 (root key) or 0600 (keyring) on it", path,
		           (unsigned)(st.st_mode & 07777));
		return ERR_KEYRING;
	}
	if (st.st_size < 0 || (uintmax_t)st.st_size > most) {
		buf_printf(why, "%s: has %jd bytes, more than such a file can have; restore it from a key backup", path,
		           (intmax_t)st.st_size);
		return ERR_KEYRING;
	}
	*len = (size_t)st.st_size;
	return ERR_OK;
}

static enum err read_all(int fd, const char *path, uint8_t *out, size_t len, struct buf *why)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n = read(fd, out + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return key_file_error(why, path, "can't read it");
		if (n == 0) {
			buf_printf(why, "%s: became shorter while it was read; try again", path);
			return ERR_IO;
		}
		done += (size_t)n;
	}
	return ERR_OK;
}

/* Reads a whole key file of at most `most` bytes into out, after all checks. */
enum err key_file_read(const char *path, uint8_t *out, size_t most, size_t *len, struct buf *why)
{
	const char *name;
	int folder, fd = -1;
	enum err e = key_folder_open(path, &folder, &name, why);

	if (e)
		return e;
	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP) {
		buf_printf(why, "%s: is a symbolic link; name the file itself", path);
		e = ERR_KEYRING;
	} else if (fd < 0 && errno == ENOENT) {
		buf_printf(why, "%s: does not exist; run vaultctl key init, or restore it from a key backup", path);
		e = ERR_IO;
	} else if (fd < 0) {
		e = key_file_error(why, path, "can't open it");
	}
	if (!e)
		e = check_file(fd, path, most, len, why);
	if (!e)
		e = read_all(fd, path, out, *len, why);
	if (fd >= 0)
		close(fd);
	close(folder);
	return e;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* The new bytes, safe on disk under the temporary name. */
enum err key_file_beside(int folder, const char *temporary, const char *path, const uint8_t *bytes, size_t len,
                             mode_t mode, struct buf *why)
{
	int fd;
	bool good;

	/* Under the folder's lock this can only be what a writer that died left behind. */
	if (unlinkat(folder, temporary, 0) != 0 && errno != ENOENT)
		return key_file_error(why, path, "can't remove an old temporary file beside it");
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return key_file_error(why, path, "can't make a temporary file beside it");
	good = fchmod(fd, mode) == 0 && write_all(fd, bytes, len) && fsync(fd) == 0;
	if (close(fd) != 0)
		good = false;
	return good ? ERR_OK : key_file_error(why, path, "can't write it");
}

static enum err move_into_place(int folder, const char *temporary, const char *name, const char *path, bool replace,
                                struct buf *why)
{
	if (replace) {
		if (renameat(folder, temporary, folder, name) != 0)
			return key_file_error(why, path, "can't replace it");
	} else if (linkat(folder, temporary, folder, name, 0) != 0) {
		if (errno != EEXIST)
			return key_file_error(why, path, "can't create it");
		buf_printf(why, "%s: exists; it is not touched: move it away if its keys are not needed any more",
		           path);
		return ERR_CONFLICT;
	} else if (unlinkat(folder, temporary, 0) != 0) {
		return key_file_error(why, path, "can't remove the temporary file beside it");
	}
	return fsync(folder) == 0 ? ERR_OK : key_file_error(why, path, "can't sync its folder");
}

enum err key_file_put(const char *path, const uint8_t *bytes, size_t len, mode_t mode, bool replace, struct buf *why)
{
	char temporary[KEY_FILE_NAME_MAX];
	const char *name;
	int folder;
	enum err e = key_folder_open(path, &folder, &name, why);

	if (e)
		return e;
	snprintf(temporary, sizeof temporary, ".%s.new", name);
	if (flock(folder, LOCK_EX) != 0)
		e = key_file_error(why, path, "can't lock its folder");
	if (!e)
		e = key_file_beside(folder, temporary, path, bytes, len, mode, why);
	if (!e)
		e = move_into_place(folder, temporary, name, path, replace, why);
	if (e)
		(void)unlinkat(folder, temporary, 0);
	close(folder); /* and with it the lock */
	return e;
}

enum err keyring_root(const char *path, uint8_t root[static KEY_LEN], struct buf *why)
{
	uint8_t bytes[KEY_LEN + 1];
	size_t len = 0;
	enum err e = key_file_read(path, bytes, sizeof bytes, &len, why);

	if (!e && len != KEY_LEN) {
		buf_printf(why, "%s: a root key has %d bytes, this file has %zu; restore it", path, KEY_LEN, len);
		e = ERR_KEYRING;
	}
	if (!e)
		memcpy(root, bytes, KEY_LEN);
	secret_wipe(bytes, sizeof bytes);
	return e;
}

enum err keyring_write(const struct keyring *k, const char *path, const uint8_t root[static KEY_LEN], bool replace,
                       struct buf *why)
{
	uint8_t *file = malloc(KEYRING_FILE_MAX); /* sealed: no secret */
	size_t len;
	enum err e = file ? keyring_seal(k, root, file, &len) : ERR_MEMORY;

	if (e)
		buf_printf(why, "%s: can't seal the keyring: %s", path, err_text(e));
	else
		e = key_file_put(path, file, len, 0600, replace, why);
	free(file);
	return e;
}

enum err key_file_absent(const char *path, const char *hint, struct buf *why)
{
	struct stat st;

	if (lstat(path, &st) == 0) {
		buf_printf(why, "%s: exists; it is not touched: %s", path, hint);
		return ERR_CONFLICT;
	}
	return errno == ENOENT ? ERR_OK : key_file_error(why, path, "can't look at it");
}

enum err keyring_init(const char *keyring_path, const char *root_path, uint64_t expected_customers, struct buf *why)
{
	struct keyring *k = NULL;
	uint8_t *root = NULL;
	enum err e = key_file_absent(keyring_path, "move it away if its keys are not needed any more", why);

	if (!e)
		e = key_file_absent(root_path, "move it away if no keyring was sealed under it", why);
	if (e)
		return e;
	root = secret_alloc(KEY_LEN);
	e = root ? secret_random(root, KEY_LEN) : ERR_MEMORY;
	if (!e)
		e = keyring_generate(expected_customers, clock_now_us(), &k);
	if (e) {
		buf_printf(why, "%s: can't make new keys: %s", keyring_path, err_text(e));
		goto out;
	}
	e = key_file_put(root_path, root, KEY_LEN, 0400, false, why);
	if (e)
		goto out;
	e = keyring_write(k, keyring_path, root, false, why);
	if (e)
		(void)unlink(root_path); /* made a moment ago, nothing is sealed under it */
out:
	keyring_free(k);
	secret_free(root);
	return e;
}
