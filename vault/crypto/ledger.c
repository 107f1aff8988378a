/* ledger.c: the file of ledger.h. */
#include "crypto/ledger.h"

#include "base/clock.h"
#include "crypto/mac.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSITION_LEN 12
#define TIME_LEN (CLOCK_TEXT_LEN - 1)
#define REQUEST_LEN 19
#define HEX_LEN 64
#define BEFORE_HASH (POSITION_LEN + 1 + TIME_LEN + 1 + HEX_LEN + 1 + REQUEST_LEN + 1)
#define LINE_LEN (BEFORE_HASH + HEX_LEN + 1)

static enum err hmac(const uint8_t key[static 32], const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[static 32])
{
	const struct mac_part parts[] = {{a, a_len}, {b, b_len}};
	struct mac *m;
	enum err e = mac_new(key, &m);

	if (!e)
		e = mac_parts(m, parts, 2, out);
	mac_free(m);
	return e;
}

enum err ledger_customer(const uint8_t key[static 32], int64_t customer, uint8_t out[static LEDGER_MAC_LEN])
{
	static const char label[] = "vault ledger customer 1\n";
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)customer >> (56 - 8 * i));
	return hmac(key, label, sizeof label - 1, bytes, sizeof bytes, out);
}

static void put_hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		to[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
}

static bool get_hex(const char *from, uint8_t *bytes, size_t n)
{
	if (strspn(from, "0123456789abcdef") < 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char a = from[2 * i], b = from[2 * i + 1];

		bytes[i] = (uint8_t)((a <= '9' ? a - '0' : a - 'a' + 10) << 4 | (b <= '9' ? b - '0' : b - 'a' + 10));
	}
	return true;
}

static bool get_number(const char *from, size_t len, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++) {
		if (from[i] < '0' || from[i] > '9' || *out > (INT64_MAX - 9) / 10)
			return false;
		*out = *out * 10 + (from[i] - '0');
	}
	return true;
}

/* The line but for its hash; the hash of the entry. */
static enum err write_line(const uint8_t key[static 32], const uint8_t previous[static LEDGER_MAC_LEN], struct ledger_entry *e,
                           char line[static LINE_LEN + 1])
{
	char time[CLOCK_TEXT_LEN], customer[HEX_LEN + 1] = "";
	enum err err;

	clock_format(e->at_us, time);
	put_hex(customer, e->customer, LEDGER_MAC_LEN);
	snprintf(line, BEFORE_HASH + 1, "%012lld %s %s %019lld ", (long long)e->position, time, customer, (long long)e->request);
	err = hmac(key, previous, LEDGER_MAC_LEN, line, BEFORE_HASH, e->hash);
	put_hex(line + BEFORE_HASH, e->hash, LEDGER_MAC_LEN);
	line[LINE_LEN - 1] = '\n';
	line[LINE_LEN] = 0;
	return err;
}

/* Reads a line and checks that it is, byte for byte, the one that these facts make. */
static enum err read_line(const uint8_t key[static 32], const uint8_t previous[static LEDGER_MAC_LEN], int64_t position,
                          const char line[static LINE_LEN + 1], struct ledger_entry *out)
{
	const char *time = line + POSITION_LEN + 1, *customer = time + TIME_LEN + 1, *request = customer + HEX_LEN + 1;
	char expected[LINE_LEN + 1];
	enum err e;

	*out = (struct ledger_entry){.position = position};
	if (clock_parse(time, TIME_LEN, &out->at_us) || !get_hex(customer, out->customer, LEDGER_MAC_LEN) ||
	    !get_number(request, REQUEST_LEN, &out->request))
		return ERR_LEDGER;
	e = write_line(key, previous, out, expected);
	if (e)
		return e;
	return memcmp(line, expected, LINE_LEN) ? ERR_LEDGER : ERR_OK;
}

struct walk {
	const uint8_t *key;
	enum err (*each)(void *ctx, const struct ledger_entry *e);
	void *ctx;
	const uint8_t *wanted; /* a customer looked for; NULL: none */
	struct ledger_entry found, last;
	off_t whole; /* bytes of whole lines */
};

static enum err walk_file(FILE *f, const char *path, struct walk *w, struct buf *why)
{
	char line[LINE_LEN + 1];
	size_t got;
	enum err e = ERR_OK;

	w->last = (struct ledger_entry){0};
	w->whole = 0;
	while (!e && (got = fread(line, 1, LINE_LEN, f)) == LINE_LEN) {
		struct ledger_entry entry;

		line[LINE_LEN] = 0;
		e = read_line(w->key, w->last.hash, w->last.position + 1, line, &entry);
		if (!e && w->each)
			e = w->each(w->ctx, &entry);
		if (!e && w->wanted && !memcmp(entry.customer, w->wanted, LEDGER_MAC_LEN))
			w->found = entry;
		if (!e) {
			w->last = entry;
			w->whole += LINE_LEN;
		} else if (e == ERR_LEDGER) {
			buf_printf(why, "%s: entry %lld is damaged, or under another keyring", path, (long long)w->last.position + 1);
		}
	}
	if (!e && ferror(f)) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		e = ERR_IO;
	}
	if (!e && got > 0 && memchr(line, '\n', got)) {
		buf_printf(why, "%s: damaged behind entry %lld", path, (long long)w->last.position);
		e = ERR_LEDGER;
	}
	return e;
}

/* Ours or root's, and nobody else may write. */
static enum err check_owner(int fd, const char *path, struct buf *why)
{
	struct stat s;

	if (fstat(fd, &s) || !S_ISREG(s.st_mode) || (s.st_uid != geteuid() && s.st_uid != 0) || (s.st_mode & 077)) {
		buf_printf(why, "%s: not a regular file of mode 0600 that is ours or root's", path);
		return ERR_IO;
	}
	return ERR_OK;
}

static enum err open_ledger(const char *path, int flags, FILE **out, struct buf *why)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum err e;

	*out = NULL;
	if (fd < 0) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return ERR_IO;
	}
	e = check_owner(fd, path, why);
	if (!e && flock(fd, (flags & O_ACCMODE) == O_RDONLY ? LOCK_SH : LOCK_EX)) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		e = ERR_IO;
	}
	if (!e)
		*out = fdopen(fd, (flags & O_ACCMODE) == O_RDONLY ? "r" : "r+");
	if (!*out) {
		close(fd);
		e = e ? e : ERR_MEMORY;
	}
	return e;
}

/* The file's name is durable, too. */
static enum err sync_folder(const char *path, struct buf *why)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	int fd, failed;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failed = fd < 0 || fsync(fd);
	if (fd >= 0)
		close(fd);
	if (failed)
		buf_printf(why, "%s: %s", folder, strerror(errno));
	return failed ? ERR_IO : ERR_OK;
}

static enum err write_entry(FILE *f, const char *path, struct walk *w, struct ledger_entry *entry, struct buf *why)
{
	char line[LINE_LEN + 1];
	enum err e = write_line(w->key, w->last.hash, entry, line);

	if (e)
		return e;
	if (ftruncate(fileno(f), w->whole) || pwrite(fileno(f), line, LINE_LEN, w->whole) != LINE_LEN || fsync(fileno(f))) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return ERR_IO;
	}
	return sync_folder(path, why);
}

enum err ledger_append(const char *path, const uint8_t key[static 32], int64_t customer, int64_t request, int64_t at_us,
                       struct ledger_entry *out, struct buf *why)
{
	struct ledger_entry entry = {.at_us = at_us, .request = request};
	struct walk w = {.key = key, .wanted = entry.customer};
	FILE *f = NULL;
	enum err e = ledger_customer(key, customer, entry.customer);

	if (!e)
		e = open_ledger(path, O_RDWR | O_CREAT, &f, why);
	if (!e)
		e = walk_file(f, path, &w, why);
	if (!e && !w.found.position) {
		entry.position = w.last.position + 1;
		e = write_entry(f, path, &w, &entry, why);
		w.found = entry;
	}
	if (f)
		fclose(f);
	*out = w.found;
	return e;
}

enum err ledger_read(const char *path, const uint8_t key[static 32], enum err (*each)(void *ctx, const struct ledger_entry *e),
                     void *ctx, int64_t *count, struct buf *why)
{
	struct walk w = {.key = key, .each = each, .ctx = ctx};
	FILE *f = NULL;
	enum err e;

	*count = 0;
	if (access(path, F_OK) && errno == ENOENT)
		return ERR_OK;
	e = open_ledger(path, O_RDONLY, &f, why);
	if (!e)
		e = walk_file(f, path, &w, why);
	if (f)
		fclose(f);
	*count = w.last.position;
	return e;
}
