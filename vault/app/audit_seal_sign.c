/* audit_seal_sign.c: checkpoints: what is signed, the file outside the database that
 * remembers it, and whether the database still agrees with both. A database that
 * was restored from before a signed checkpoint would, on being signed on, be
 * another log under the same name: that is refused. */
#include "vault/app/audit_seal_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

static enum err file_failed(const char *path, const char *what, struct buf *why)
{
	buf_printf(why, "%s: %s: %s", path, what, strerror(errno));
	return ERR_IO;
}

static enum err read_file(const char *path, struct buf *out, struct buf *why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : file_failed(path, "can't be opened", why);
	while (n > 0) {
		uint8_t *at = buf_reserve(out, 4096);

		n = at ? read(fd, at, 4096) : 0;
		if (n > 0)
			out->len += (size_t)n;
	}
	if (n < 0)
		(void)file_failed(path, "can't be read", why);
	close(fd);
	return n < 0 ? ERR_IO : buf_err(out);
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
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

/* The folder's entry, too, is on disk when this returns. */
static bool sync_folder(const char *path)
{
	char folder[CONFIG_PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;
	bool good;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* Old or new, never half of one: a kill at any moment leaves either. */
static enum err replace_file(const char *path, const struct buf *bytes, struct buf *why)
{
	char temporary[CONFIG_PATH_MAX + 16];
	bool good;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_failed(temporary, "can't be made", why);
	good = write_all(fd, bytes->data, bytes->len) && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (!good || rename(temporary, path) != 0 || !sync_folder(path))
		return file_failed(path, "can't be written", why);
	return ERR_OK;
}

/* A note of our own key, whatever its origin. */
static enum err open_own(const struct buf *bytes, const uint8_t public_key[static SIGN_PUBLIC_LEN], struct checkpoint *out)
{
	struct note_key key;
	struct note n;
	enum err e = note_parse((const char *)bytes->data, bytes->len, &n);

	*out = (struct checkpoint){0};
	if (!e)
		e = checkpoint_read(n.text, n.text_len, out);
	if (!e)
		e = note_key_of(out->origin, NOTE_ED25519, public_key, &key);
	return e ? e : note_verify(&n, &key, NULL);
}

enum err audit_seal_last_signed(const struct config *c, const uint8_t public_key[static SIGN_PUBLIC_LEN], struct checkpoint *out, struct buf *why)
{
	char room[CONFIG_PATH_MAX];
	const char *path = config_checkpoint(c, room);
	struct buf bytes;
	enum err e;

	*out = (struct checkpoint){0};
	buf_init(&bytes, NOTE_MAX);
	e = read_file(path, &bytes, why);
	if (!e) {
		e = open_own(&bytes, public_key, out);
		if (e)
			buf_printf(why, "%s: is not a checkpoint that this keyring's key has signed", path);
		e = e == ERR_NOT_FOUND ? ERR_SEAL : e;
	}
	buf_fini(&bytes);
	return e;
}

/* ---- agreement ---- */

static enum err root_at(struct audit_seal *s, struct db *db, uint64_t size, uint8_t root[static MERKLE_HASH_LEN])
{
	struct audit_tree_source source = {db, s->log.log};
	const struct merkle_tiles tiles = {audit_tree_read, &source};
	struct merkle_range range;
	enum err e = merkle_range_read(s->hash, &tiles, size, &range);

	return e ? e : merkle_root(s->hash, &range, root);
}

/* The tree as stored begins with what was signed. */
static enum err begins_with(struct audit_seal *s, struct db *db, const struct checkpoint *c, const char *which, struct buf *why)
{
	uint8_t root[MERKLE_HASH_LEN];
	enum err e;

	if (c->size > (uint64_t)s->log.size) {
		buf_printf(why, "the log in the database has %lld entries and %s %llu: an older database was restored; run vaultctl audit new-origin",
		           (long long)s->log.size, which, (unsigned long long)c->size);
		return ERR_CONFLICT;
	}
	e = root_at(s, db, c->size, root);
	if (e && e != ERR_NOT_FOUND)
		return e;
	if (!e && !memcmp(root, c->root, sizeof root))
		return ERR_OK;
	buf_printf(why, "the tiles in the database do not have the root of %s at %llu entries: they were changed", which, (unsigned long long)c->size);
	return ERR_CONFLICT;
}

static enum err agrees_with_file(struct audit_seal *s, struct db *db, struct buf *why)
{
	struct audit_log_row other;
	struct checkpoint c;
	enum err e = audit_seal_last_signed(s->app->config, s->public_key, &c, why);

	if (e == ERR_NOT_FOUND && s->log.checkpoint_size >= 0)
		log_event(LOG_WARN, "checkpoint_file_missing", "the database alone says what was signed last: a restore from before it would not be noticed");
	if (e == ERR_NOT_FOUND)
		return ERR_OK; /* nothing was signed here yet */
	if (e)
		return e == ERR_SEAL || e == ERR_MALFORMED ? ERR_CONFLICT : e;
	if (!strcmp(c.origin, s->log.origin))
		return begins_with(s, db, &c, "the last checkpoint in the local file", why);
	e = audit_log_by_origin(db, c.origin, &other);
	if (e || other.ended) /* a new origin was opened since */
		return e;
	buf_printf(why, "the last checkpoint in the local file is of another log (%s): this is not its database", c.origin);
	return ERR_CONFLICT;
}

enum err audit_seal_agrees(struct audit_seal *s, struct db *db, const struct buf *checkpoint, struct buf *why)
{
	struct checkpoint c;
	enum err e = ERR_OK;

	if (s->log.checkpoint_size >= 0) {
		e = open_own(checkpoint, s->public_key, &c);
		if (e || c.size != (uint64_t)s->log.checkpoint_size || strcmp(c.origin, s->log.origin) != 0) {
			buf_text(why, "the checkpoint in the database is not one that this keyring's key has signed for this log");
			return ERR_CONFLICT;
		}
		e = begins_with(s, db, &c, "its checkpoint", why);
	}
	return e ? e : agrees_with_file(s, db, why);
}

/* ---- signing ---- */

static enum err compose(struct audit_seal *s, struct buf *note)
{
	struct checkpoint c = {.size = s->range.size};
	size_t text_len;
	enum err e = merkle_root(s->hash, &s->range, c.root);

	if (e)
		return e;
	memcpy(c.origin, s->log.origin, sizeof c.origin);
	checkpoint_write(&c, note);
	text_len = note->len;
	buf_byte(note, '\n');
	e = buf_err(note);
	return e ? e : note_sign(&s->key, keyring_key(s->app->keyring, KEYRING_SIGN), (const char *)note->data, text_len, 0, note);
}

enum err audit_seal_sign(struct audit_seal *s, struct db *db)
{
	char room[CONFIG_PATH_MAX];
	struct checkpoint last;
	struct buf note, why;
	enum err e;

	buf_init(&note, NOTE_MAX);
	buf_init(&why, 4096);
	e = audit_seal_last_signed(s->app->config, s->public_key, &last, &why);
	if (!e && !strcmp(last.origin, s->log.origin) && last.size > s->range.size)
		e = ERR_CONFLICT; /* another node has gone on since we last looked */
	if (!e || e == ERR_NOT_FOUND)
		e = compose(s, &note);
	/* The file first: nobody sees a checkpoint that it does not remember. */
	if (!e)
		e = replace_file(config_checkpoint(s->app->config, room), &note, &why);
	if (!e)
		e = audit_log_signed(db, s->log.log, (int64_t)s->range.size, (const char *)note.data, note.len);
	if (e && why.len)
		log_event(LOG_ERROR, "checkpoint", "reason=\"%s\"", buf_string(&why));
	if (!e) {
		s->log.checkpoint_size = (int64_t)s->range.size;
		metric_set(METRIC_AUDIT_SIGNED_US, clock_now_us());
	}
	buf_fini(&note);
	buf_fini(&why);
	return e;
}
