/* keyring_pair.c: root key and keyring together: opened, changed, and replaced as a pair.
 *
 * Two files can't be renamed in one step, so one rename decides. A new pair goes:
 *
 *   1  .KEYRING.next    the new keyring, sealed under the new root
 *   2  .ROOT.next       the new root
 *   3  .ROOT.old, .KEYRING.old   links to the old two, so that they can still be overwritten after a crash
 *   4  .ROOT.next becomes ROOT         from here on the new pair counts
 *   5  .KEYRING.next becomes KEYRING
 *   6  .ROOT.old and .KEYRING.old are overwritten and removed
 *
 * Whoever reads takes .KEYRING.next where the root that is there opens it, which is so between 4 and 5 alone;
 * else KEYRING. Whoever changes something finishes first what a dead writer left. The lock of the keyring's
 * folder keeps writers from each other; a reader that met a change between two files reads again. */
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
#include <time.h>
#include <unistd.h>

#define READ_TRIES 10 /* of 20 ms */

struct member {
	const char *path, *name;
	int folder;
	char next[KEY_FILE_NAME_MAX], old[KEY_FILE_NAME_MAX];
};

struct pair {
	struct member keyring, root;
	char next_path[PATH_MAX]; /* of the keyring */
	/* what is read */
	uint8_t *root_key;   /* secret memory */
	struct keyring *k;   /* NULL: there are no files */
	bool unfinished;     /* k is .KEYRING.next */
};

/* ---- opening and closing ---- */

static enum err open_member(struct member *m, const char *path, struct buf *why)
{
	enum err e;

	m->path = path;
	e = key_folder_open(path, &m->folder, &m->name, why);
	if (e)
		return e;
	snprintf(m->next, sizeof m->next, ".%s.next", m->name);
	snprintf(m->old, sizeof m->old, ".%s.old", m->name);
	return ERR_OK;
}

static void pair_close(struct pair *p)
{
	keyring_free(p->k);
	secret_free(p->root_key);
	if (p->keyring.folder >= 0)
		close(p->keyring.folder); /* and with it the lock */
	if (p->root.folder >= 0)
		close(p->root.folder);
}

static enum err pair_open(struct pair *p, const char *keyring_path, const char *root_path, struct buf *why)
{
	enum err e;

	*p = (struct pair){.keyring = {.folder = -1}, .root = {.folder = -1}};
	e = open_member(&p->root, root_path, why);
	if (!e)
		e = open_member(&p->keyring, keyring_path, why);
	if (e)
		return e;
	if (snprintf(p->next_path, sizeof p->next_path, "%.*s%s", (int)(p->keyring.name - keyring_path), keyring_path, p->keyring.next) >=
	    (int)sizeof p->next_path) {
		buf_printf(why, "%s: is not the path of a file", keyring_path);
		return ERR_IO;
	}
	p->root_key = secret_alloc(KEY_LEN);
	return p->root_key ? ERR_OK : ERR_MEMORY;
}

/* ---- reading ---- */

/* Is the file in room a keyring that this root has sealed? */
static bool sealed_under(const uint8_t *file, size_t len, const uint8_t root[static KEY_LEN])
{
	uint8_t id[KEYRING_ROOT_ID_LEN];

	return len >= KEYRING_HEAD_LEN && !keyring_root_id(root, id) && !memcmp(file + KEYRING_MAGIC_LEN, id, sizeof id);
}

static enum err read_once(struct pair *p, uint8_t *file, bool *of_another_root, struct buf *why)
{
	struct stat st;
	size_t len = 0;
	enum err e = keyring_root(p->root.path, p->root_key, why);

	*of_another_root = false;
	if (!e && fstatat(p->keyring.folder, p->keyring.next, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		e = key_file_read(p->next_path, file, KEYRING_FILE_MAX, &len, why);
		if (!e && sealed_under(file, len, p->root_key)) {
			p->unfinished = true;
			return keyring_unseal(p->next_path, file, len, p->root_key, &p->k, why);
		}
		buf_reset(why); /* a file that a dead writer left half written is no fault of the pair */
		e = ERR_OK;
	}
	if (!e)
		e = key_file_read(p->keyring.path, file, KEYRING_FILE_MAX, &len, why);
	if (e)
		return e;
	*of_another_root = !sealed_under(file, len, p->root_key);
	return keyring_unseal(p->keyring.path, file, len, p->root_key, &p->k, why);
}

static enum err pair_read(struct pair *p, struct buf *why)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	uint8_t *file = malloc(KEYRING_FILE_MAX);
	bool of_another_root = file != NULL;
	enum err e = ERR_MEMORY;

	for (int i = 0; i < READ_TRIES && of_another_root; i++) {
		if (i) { /* the pair may have been replaced between the two files */
			buf_reset(why);
			nanosleep(&pause, NULL);
		}
		e = read_once(p, file, &of_another_root, why);
		if (!e)
			break;
	}
	free(file);
	return e;
}

enum err keyring_open(const char *keyring_path, const char *root_path, struct keyring **out, struct buf *why)
{
	struct pair p;
	enum err e = pair_open(&p, keyring_path, root_path, why);

	*out = NULL;
	if (!e)
		e = pair_read(&p, why);
	if (e && !why->len)
		buf_printf(why, "%s: can't be opened: %s", keyring_path, err_text(e));
	if (!e) {
		*out = p.k;
		p.k = NULL;
	}
	pair_close(&p);
	return e;
}

/* ---- replacing ---- */

static enum err sync_folders(const struct pair *p, struct buf *why)
{
	if (fsync(p->root.folder) != 0)
		return key_file_error(why, p->root.path, "can't sync its folder");
	return fsync(p->keyring.folder) == 0 ? ERR_OK : key_file_error(why, p->keyring.path, "can't sync its folder");
}

static bool overwrite(int fd, off_t len)
{
	static const uint8_t zeros[4096];

	for (off_t done = 0; done < len;) {
		const size_t piece = len - done < (off_t)sizeof zeros ? (size_t)(len - done) : sizeof zeros;
		const ssize_t n = pwrite(fd, zeros, piece, done);

		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? n : 0;
	}
	return fsync(fd) == 0;
}

/* Overwrites and removes a file that nothing needs any more. One that has another name still is the
 * pair in force (step 3 was reached and not step 4): it only loses this name. */
static enum err destroy_file(const struct member *m, const char *name, struct buf *why)
{
	struct stat st;
	int fd = -1;
	enum err e = ERR_OK;

	if (fstatat(m->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_OK : key_file_error(why, m->path, "can't look at what is left beside it");
	if (S_ISREG(st.st_mode) && st.st_nlink == 1) {
		if (fchmodat(m->folder, name, 0600, 0) != 0 || (fd = openat(m->folder, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
		    !overwrite(fd, st.st_size))
			e = key_file_error(why, m->path, "can't overwrite the old file beside it");
	}
	if (fd >= 0)
		close(fd);
	if (!e && unlinkat(m->folder, name, 0) != 0)
		e = key_file_error(why, m->path, "can't remove the old file beside it");
	return e;
}

static enum err move_next(const struct member *m, struct buf *why)
{
	if (renameat(m->folder, m->next, m->folder, m->name) != 0)
		return key_file_error(why, m->path, "can't replace it");
	return fsync(m->folder) == 0 ? ERR_OK : key_file_error(why, m->path, "can't sync its folder");
}

static enum err keep_old(const struct member *m, struct buf *why)
{
	if (linkat(m->folder, m->name, m->folder, m->old, 0) != 0 && errno != ENOENT && errno != EEXIST)
		return key_file_error(why, m->path, "can't keep the old file for its end");
	return ERR_OK;
}

/* Removes whatever is beside the pair in force. */
static enum err clear(const struct pair *p, struct buf *why)
{
	enum err e = destroy_file(&p->keyring, p->keyring.next, why);

	if (!e)
		e = destroy_file(&p->root, p->root.next, why);
	if (!e)
		e = destroy_file(&p->root, p->root.old, why);
	if (!e)
		e = destroy_file(&p->keyring, p->keyring.old, why);
	return e ? e : sync_folders(p, why);
}

/* Finishes what a dead writer began. */
static enum err recover(struct pair *p, struct buf *why)
{
	enum err e = ERR_OK;

	if (p->unfinished)
		e = keep_old(&p->keyring, why);
	if (!e && p->unfinished)
		e = move_next(&p->keyring, why);
	p->unfinished = p->unfinished && e;
	return e ? e : clear(p, why);
}

/* Steps 1 to 6. */
static enum err replace(struct pair *p, const struct keyring *k, struct buf *why)
{
	uint8_t *file = malloc(KEYRING_FILE_MAX), *root = secret_alloc(KEY_LEN);
	size_t len = 0;
	enum err e = file && root ? secret_random(root, KEY_LEN) : ERR_MEMORY;

	if (!e)
		e = keyring_seal(k, root, file, &len);
	if (e)
		buf_printf(why, "%s: can't seal the keyring: %s", p->keyring.path, err_text(e));
	else
		e = key_file_beside(p->keyring.folder, p->keyring.next, p->keyring.path, file, len, 0600, why);
	if (!e)
		e = key_file_beside(p->root.folder, p->root.next, p->root.path, root, KEY_LEN, 0400, why);
	if (!e)
		e = keep_old(&p->root, why);
	if (!e)
		e = keep_old(&p->keyring, why);
	if (!e)
		e = sync_folders(p, why);
	if (!e)
		e = move_next(&p->root, why);
	if (!e)
		e = move_next(&p->keyring, why);
	if (!e)
		e = clear(p, why);
	free(file);
	secret_free(root);
	return e;
}

/* ---- the changes ---- */

static enum err lock(const struct pair *p, struct buf *why)
{
	return flock(p->keyring.folder, LOCK_EX) == 0 ? ERR_OK : key_file_error(why, p->keyring.path, "can't lock its folder");
}

static enum err open_to_change(struct pair *p, const char *keyring_path, const char *root_path, struct buf *why)
{
	enum err e = pair_open(p, keyring_path, root_path, why);

	if (!e)
		e = lock(p, why);
	if (!e)
		e = pair_read(p, why);
	if (!e)
		e = recover(p, why);
	if (e && !why->len)
		buf_printf(why, "%s: can't be changed: %s", keyring_path, err_text(e));
	return e;
}

/* The same root, another keyring: one rename does. */
static enum err rewrite(const struct pair *p, const struct keyring *k, struct buf *why)
{
	uint8_t *file = malloc(KEYRING_FILE_MAX);
	size_t len = 0;
	enum err e = file ? keyring_seal(k, p->root_key, file, &len) : ERR_MEMORY;

	if (!e)
		e = key_file_beside(p->keyring.folder, p->keyring.old, p->keyring.path, file, len, 0600, why);
	if (!e && renameat(p->keyring.folder, p->keyring.old, p->keyring.folder, p->keyring.name) != 0)
		e = key_file_error(why, p->keyring.path, "can't replace it");
	if (!e && fsync(p->keyring.folder) != 0)
		e = key_file_error(why, p->keyring.path, "can't sync its folder");
	free(file);
	return e;
}

enum err keyring_add_epoch(const char *keyring_path, const char *root_path, int64_t now_us, uint32_t *epoch, struct buf *why)
{
	struct keyring *changed = NULL;
	struct pair p;
	enum err e = open_to_change(&p, keyring_path, root_path, why);

	*epoch = 0;
	if (!e && p.k->epochs[p.k->n - 1].state == EPOCH_PENDING) {
		*epoch = p.k->epochs[p.k->n - 1].epoch;
	} else if (!e) {
		e = keyring_with_epoch(p.k, now_us, &changed);
		if (e)
			buf_printf(why, "%s: can't make a new epoch: %s", keyring_path, err_text(e));
		else
			e = rewrite(&p, changed, why);
		*epoch = e ? 0 : changed->epochs[changed->n - 1].epoch;
	}
	keyring_free(changed);
	pair_close(&p);
	return e;
}

enum err keyring_turn(const char *keyring_path, const char *root_path, uint32_t epoch, int64_t at_us, struct buf *why)
{
	struct keyring *changed = NULL;
	struct pair p;
	enum err e = open_to_change(&p, keyring_path, root_path, why);

	if (!e && keyring_active(p.k) != epoch) {
		e = keyring_with_active(p.k, epoch, at_us, &changed);
		if (e)
			buf_printf(why, "%s: lacks epoch %u", keyring_path, epoch);
		else
			e = rewrite(&p, changed, why);
	}
	keyring_free(changed);
	pair_close(&p);
	return e;
}

enum err keyring_destroy(const char *keyring_path, const char *root_path, uint32_t epoch, struct buf *why)
{
	struct keyring *changed = NULL;
	struct pair p;
	bool done = false;
	enum err e = open_to_change(&p, keyring_path, root_path, why);

	for (size_t i = 0; !e && i < p.k->n; i++)
		done = done || (p.k->epochs[i].epoch == epoch && p.k->epochs[i].state == EPOCH_DESTROYED);
	if (!e && !done) {
		e = keyring_without(p.k, epoch, &changed);
		if (e)
			buf_printf(why, "%s: epoch %u is not retiring here", keyring_path, epoch);
		else
			e = replace(&p, changed, why);
	}
	keyring_free(changed);
	pair_close(&p);
	return e;
}

/* ---- backups ---- */

static enum err backup_key(const char *key_path, uint8_t key[static KEY_LEN], bool *made, struct buf *why)
{
	struct stat st;
	enum err e = ERR_OK;

	*made = lstat(key_path, &st) != 0 && errno == ENOENT;
	if (!*made)
		return keyring_root(key_path, key, why);
	e = secret_random(key, KEY_LEN);
	return e ? e : key_file_put(key_path, key, KEY_LEN, 0400, false, why);
}

enum err keyring_backup(const char *keyring_path, const char *root_path, const char *path, const char *key_path, struct keyring **out,
                        struct buf *why)
{
	uint8_t *key = secret_alloc(KEY_LEN);
	bool made = false;
	struct pair p;
	enum err e = pair_open(&p, keyring_path, root_path, why);

	*out = NULL;
	if (!e)
		e = key ? pair_read(&p, why) : ERR_MEMORY;
	if (!e)
		e = key_file_absent(path, "name another file", why);
	if (!e)
		e = backup_key(key_path, key, &made, why);
	if (!e && secret_equal(key, p.root_key, KEY_LEN)) {
		buf_printf(why, "%s: is the vault's own root key; a backup needs another one", key_path);
		e = ERR_KEYRING;
	}
	if (!e)
		e = keyring_write(p.k, path, key, false, why);
	if (e && made)
		(void)unlink(key_path); /* made a moment ago, nothing is sealed under it */
	if (!e) {
		*out = p.k;
		p.k = NULL;
	}
	secret_free(key);
	pair_close(&p);
	return e;
}

static enum err open_backup(const char *path, const char *key_path, struct keyring **out, struct buf *why)
{
	uint8_t *file = malloc(KEYRING_FILE_MAX), *key = secret_alloc(KEY_LEN);
	size_t len = 0;
	enum err e = file && key ? keyring_root(key_path, key, why) : ERR_MEMORY;

	*out = NULL;
	if (!e)
		e = key_file_read(path, file, KEYRING_FILE_MAX, &len, why);
	if (!e)
		e = keyring_unseal(path, file, len, key, out, why);
	free(file);
	secret_free(key);
	return e;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || errno != ENOENT;
}

enum err keyring_restore(const char *keyring_path, const char *root_path, const char *path, const char *key_path, struct buf *why)
{
	struct keyring *k = NULL;
	struct pair p;
	enum err e = pair_open(&p, keyring_path, root_path, why);

	if (!e)
		e = lock(&p, why);
	if (!e)
		e = open_backup(path, key_path, &k, why);
	if (!e && (is_there(keyring_path) || is_there(root_path))) {
		e = pair_read(&p, why);
		if (!e)
			e = recover(&p, why);
		if (!e) {
			buf_printf(why, "%s: is not put in the place of %s: ", path, keyring_path);
			e = keyring_succeeds(k, p.k, why);
			if (!e)
				buf_reset(why);
		}
	}
	if (!e)
		e = replace(&p, k, why);
	if (e && !why->len)
		buf_printf(why, "%s: can't be restored: %s", path, err_text(e));
	keyring_free(k);
	pair_close(&p);
	return e;
}
