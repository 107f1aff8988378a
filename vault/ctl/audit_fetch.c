/* audit_fetch.c: mirrors a log into a directory, so that it can be proved
 * without the vault. Tiles never change: what is there is not asked for again.
 *
 * The checkpoint is written last. A run that ends early leaves full tiles and
 * the old checkpoint, or none; the next one goes on. It proves nothing: that
 * is audit verify's part. */
#include "base/clock.h"
#include "ctl/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_MAX ((size_t)MERKLE_TILE_WIDTH * (2 + 65535))
#define PATH_ROOM (8 + TLOG_TILE_TEXT_MAX)

struct fetch {
	struct log_source log;
	struct log_folder folder;
	uint64_t tiles, fetched, all; /* tiles so far, those of them that were fetched, and how many there are */
	int64_t told_us;
	bool people;
	struct buf why;
};

static void path_of(const struct tlog_tile *t, char out[static PATH_ROOM])
{
	memcpy(out, "tile/", 5);
	tlog_tile_write(t, out + 5);
}

/* Has what is stored the length of a whole tile? A machine that died may have left an empty file under the name. */
static bool is_there(const struct fetch *f, const struct tlog_tile *t, const char *path)
{
	struct stat st;

	return fstatat(f->folder.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (t->entries ? st.st_size >= 2 * (off_t)t->width : st.st_size == (off_t)t->width * MERKLE_HASH_LEN);
}

static int complain_of(struct fetch *f)
{
	return complain(CTL_SERVER, "%s", f->why.len ? buf_string(&f->why) : "out of memory");
}

static void tell_progress(struct fetch *f)
{
	const int64_t now = clock_mono_us();

	if (!f->people || (now - f->told_us < 200000 && f->tiles != f->all))
		return;
	f->told_us = now;
	fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " tiles", f->tiles, f->all);
}

static int fetch_tile(struct fetch *f, struct tlog_tile t)
{
	char path[PATH_ROOM];
	struct buf body;
	int code = CTL_OK;
	enum err e;

	path_of(&t, path);
	f->tiles++;
	tell_progress(f);
	if (is_there(f, &t, path))
		return CTL_OK;
	buf_init(&body, BUNDLE_MAX + 1);
	e = f->log.read(f->log.ctx, path, BUNDLE_MAX, &body);
	if (e == ERR_NOT_FOUND && t.width < MERKLE_TILE_WIDTH) { /* the log has grown, and the full tile is there instead */
		t.width = MERKLE_TILE_WIDTH;
		path_of(&t, path);
		e = f->log.read(f->log.ctx, path, BUNDLE_MAX, &body);
	}
	if (e == ERR_NOT_FOUND)
		code = complain(CTL_FAILED, "%s: the log does not have it", path);
	else if (e)
		code = ((const struct log_remote *)f->log.ctx)->code;
	else if (!file_put_at(f->folder.fd, path, body.data, body.len, &f->why))
		code = complain_of(f);
	f->fetched += e == ERR_OK;
	buf_fini(&body);
	return code == CTL_OK && e ? CTL_SERVER : code;
}

/* Calls each for the tiles of one level of a tree: full ones, then the partial one. */
static int each_tile(struct fetch *f, bool entries, unsigned level, uint64_t size)
{
	const uint64_t nodes = size >> (MERKLE_TILE_HEIGHT * level);
	int code = CTL_OK;

	for (uint64_t i = 0; code == CTL_OK && i * MERKLE_TILE_WIDTH < nodes; i++) {
		const uint64_t left = nodes - i * MERKLE_TILE_WIDTH;

		code = fetch_tile(f, (struct tlog_tile){entries, level, i, left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH});
	}
	return code;
}

static uint64_t tiles_of(uint64_t size)
{
	uint64_t n = (size + MERKLE_TILE_WIDTH - 1) / MERKLE_TILE_WIDTH;

	for (; size; size /= MERKLE_TILE_WIDTH)
		n += (size + MERKLE_TILE_WIDTH - 1) / MERKLE_TILE_WIDTH;
	return n;
}

/* The partial tiles of an older checkpoint, which no newer one needs. What can't be removed stays. */
static void remove_partial(const struct fetch *f, bool entries, unsigned level, uint64_t old_size, uint64_t size)
{
	const uint64_t old = old_size >> (MERKLE_TILE_HEIGHT * level);
	const struct tlog_tile t = {entries, level, old / MERKLE_TILE_WIDTH, old % MERKLE_TILE_WIDTH};
	char path[PATH_ROOM], *slash;

	if (t.width == 0 || old == size >> (MERKLE_TILE_HEIGHT * level))
		return;
	path_of(&t, path);
	unlinkat(f->folder.fd, path, 0);
	slash = strrchr(path, '/');
	*slash = 0;
	unlinkat(f->folder.fd, path, AT_REMOVEDIR);
}

static int put_checkpoint(struct fetch *f, const struct buf *note, uint64_t old_size, uint64_t size)
{
	/* All that it stands on first. */
	if (syncfs(f->folder.fd) != 0)
		return complain(CTL_SERVER, "the directory: %s", strerror(errno));
	if (!file_put_at(f->folder.fd, "checkpoint", note->data, note->len, &f->why))
		return complain_of(f);
	if (syncfs(f->folder.fd) != 0)
		return complain(CTL_SERVER, "the directory: %s", strerror(errno));
	if (old_size)
		remove_partial(f, true, 0, old_size, size);
	for (unsigned level = 0; old_size >> (MERKLE_TILE_HEIGHT * level) && level < 8; level++)
		remove_partial(f, false, level, old_size, size);
	return CTL_OK;
}

/* Reads a checkpoint's size without belief in it: audit verify is who checks. false: none is there. */
static bool checkpoint_of(const struct log_source *log, struct buf *note, struct checkpoint *out, enum err *e)
{
	struct note parts;

	*e = log->read(log->ctx, "checkpoint", NOTE_MAX, note);
	if (!*e && (note_parse((const char *)note->data, note->len, &parts) || checkpoint_read(parts.text, parts.text_len, out)))
		*e = ERR_MALFORMED;
	return *e == ERR_OK;
}

static int fetch_all(struct fetch *f, const struct buf *note, const struct checkpoint *c)
{
	struct log_source mirror = log_folder_source(&f->folder);
	struct checkpoint old = {0};
	struct buf old_note;
	int code = CTL_OK;
	enum err e;

	buf_init(&old_note, NOTE_MAX + 1);
	if (checkpoint_of(&mirror, &old_note, &old, &e)) {
		if (strcmp(old.origin, c->origin) != 0)
			code = complain(CTL_REFUSED, "the directory holds another log; use a new one");
		else if (old.size > c->size)
			code = complain(CTL_FAILED, "rollback: the log has %" PRIu64 " records, and the directory %" PRIu64, c->size, old.size);
	}
	buf_fini(&old_note);
	f->all = tiles_of(c->size);
	if (code == CTL_OK)
		code = each_tile(f, true, 0, c->size);
	for (unsigned level = 0; code == CTL_OK && level < 8 && c->size >> (MERKLE_TILE_HEIGHT * level); level++)
		code = each_tile(f, false, level, c->size);
	if (f->people && f->tiles)
		fputc('\n', stderr);
	return code == CTL_OK ? put_checkpoint(f, note, old.size, c->size) : code;
}

static int fetch_into(struct fetch *f, const struct log_remote *remote)
{
	struct checkpoint c = {0};
	struct buf note;
	int code;
	enum err e;

	buf_init(&note, NOTE_MAX + 1);
	if (checkpoint_of(&f->log, &note, &c, &e))
		code = fetch_all(f, &note, &c);
	else if (e == ERR_NOT_FOUND)
		code = complain(CTL_REFUSED, "there is no log at this address, or no checkpoint yet");
	else if (e == ERR_MALFORMED)
		code = complain(CTL_FAILED, "checkpoint: %s", verify_text(VERIFY_CHECKPOINT));
	else
		code = remote->code != CTL_OK ? remote->code : complain(CTL_SERVER, "%s", err_text(e));
	if (code == CTL_OK && (printf("%" PRIu64 " records; fetched %" PRIu64 " of %" PRIu64 " tiles\n", c.size, f->fetched, f->tiles) < 0 || fflush(stdout)))
		code = complain(CTL_SERVER, "standard output: %s", strerror(errno));
	buf_fini(&note);
	return code;
}

int command_audit_fetch(const struct arguments *a)
{
	struct log_remote remote = {.a = a, .url = a->words[0], .number = arguments_option(a, "number")};
	struct fetch f = {.log = log_remote_source(&remote), .people = isatty(STDERR_FILENO)};
	int code;

	if (!log_is_url(remote.url))
		return complain(CTL_USAGE, "the first word must be an address, like https://127.0.0.1:8443/v1/audit/log");
	if (remote.number && !input_number(remote.number, 1, 999999999, &(long){0}))
		return complain(CTL_USAGE, "--number must be the number of a log");
	if (mkdir(a->words[1], 0755) != 0 && errno != EEXIST)
		return complain(CTL_USAGE, "%s: %s", a->words[1], strerror(errno));
	if (!log_folder_open(a->words[1], &f.folder))
		return CTL_USAGE;
	buf_init(&f.why, 1024);
	code = fetch_into(&f, &remote);
	buf_fini(&f.why);
	log_folder_close(&f.folder);
	return code;
}
