/* tlog.c: C2SP's texts, line by line. */
#include "crypto/tlog.h"

#include "crypto/base64_int.h"

#include <stdio.h>
#include <string.h>

#define HASH_TEXT_LEN 44 /* base64 of a hash */
#define PROOF_HEAD "c2sp.org/tlog-proof@v1"

/* What is left of a text; lines end in a newline. */
struct lines {
	const char *at;
	size_t left;
};

/* The next line without its newline; false: there is none. */
static bool next_line(struct lines *l, const char **line, size_t *len)
{
	const char *end = l->left ? memchr(l->at, '\n', l->left) : NULL;

	if (!end)
		return false;
	*line = l->at;
	*len = (size_t)(end - l->at);
	l->left -= *len + 1;
	l->at = end + 1;
	return true;
}

/* Decimal without leading zeros, below 2^63. */
static bool read_number(const char *text, size_t len, uint64_t *out)
{
	*out = 0;
	if (len == 0 || len > 19 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(text[i] - '0');
	}
	return *out <= INT64_MAX;
}

static bool read_hash(const char *text, size_t len, uint8_t out[static MERKLE_HASH_LEN])
{
	size_t n = MERKLE_HASH_LEN;

	return len == HASH_TEXT_LEN && base64_padded_read(text, len, out, &n) && n == MERKLE_HASH_LEN;
}

static void write_hash(const uint8_t hash[static MERKLE_HASH_LEN], struct buf *out)
{
	char text[HASH_TEXT_LEN + 1];

	base64_padded_write(hash, MERKLE_HASH_LEN, text);
	buf_printf(out, "%s\n", text);
}

void checkpoint_write(const struct checkpoint *c, struct buf *out)
{
	buf_printf(out, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
	write_hash(c->root, out);
}

enum err checkpoint_read(const char *text, size_t len, struct checkpoint *out)
{
	struct lines l = {text, len};
	const char *line;
	size_t n;

	*out = (struct checkpoint){0};
	if (!next_line(&l, &line, &n) || n == 0 || n > NOTE_NAME_MAX || memchr(line, 0, n))
		goto malformed;
	memcpy(out->origin, line, n);
	if (!next_line(&l, &line, &n) || !read_number(line, n, &out->size) || out->size > MERKLE_SIZE_MAX)
		goto malformed;
	if (!next_line(&l, &line, &n) || !read_hash(line, n, out->root))
		goto malformed;
	while (next_line(&l, &line, &n))
		if (n == 0)
			goto malformed;
	if (l.left == 0)
		return ERR_OK;
malformed:
	*out = (struct checkpoint){0};
	return ERR_MALFORMED;
}

enum err checkpoint_open(const char *bytes, size_t len, const struct note_key *key, struct note *note,
                         struct checkpoint *out)
{
	struct note own = {0}, *n = note ? note : &own;
	enum err e = note_parse(bytes, len, n);

	*out = (struct checkpoint){0};
	if (!e)
		e = note_verify(n, key, NULL);
	if (!e)
		e = checkpoint_read(n->text, n->text_len, out);
	if (!e && strcmp(out->origin, key->name) != 0)
		e = ERR_NOT_FOUND;
	return e;
}

void tlog_tile_write(const struct tlog_tile *t, char out[static TLOG_TILE_TEXT_MAX])
{
	unsigned part[7] = {(unsigned)(t->index % 1000)};
	size_t n = 1;
	int at = t->entries ? snprintf(out, TLOG_TILE_TEXT_MAX, "entries") : snprintf(out, TLOG_TILE_TEXT_MAX, "%u", t->level & 63);

	for (uint64_t rest = t->index / 1000; rest; rest /= 1000)
		part[n++] = (unsigned)(rest % 1000);
	while (n-- > 0)
		at += snprintf(out + at, TLOG_TILE_TEXT_MAX - (size_t)at, n ? "/x%03u" : "/%03u", part[n]);
	if (t->width < MERKLE_TILE_WIDTH)
		snprintf(out + at, TLOG_TILE_TEXT_MAX - (size_t)at, ".p/%u", t->width);
}

/* Takes digits to the end or to stop; at most most of them. */
static bool take_number(const char **at, const char *end, size_t most, uint64_t *out)
{
	size_t n = 0;

	while (n <= most && *at + n < end && (*at)[n] >= '0' && (*at)[n] <= '9')
		n++;
	if (n == 0 || n > most)
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out * 10 + (uint64_t)((*at)[i] - '0');
	*at += n;
	return true;
}

static bool take_text(const char **at, const char *end, const char *text)
{
	const size_t n = strlen(text);

	if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
		return false;
	*at += n;
	return true;
}

enum err tlog_tile_read(const char *text, size_t len, struct tlog_tile *out)
{
	const char *at = text, *end = text + len;
	char again[TLOG_TILE_TEXT_MAX];
	uint64_t number;
	bool more = true;

	*out = (struct tlog_tile){.width = MERKLE_TILE_WIDTH};
	out->entries = take_text(&at, end, "entries");
	if (!out->entries) {
		if (!take_number(&at, end, 2, &number) || number > 63)
			goto malformed;
		out->level = (unsigned)number;
	}
	for (int parts = 0; more; parts++) {
		if (parts == 6 || !take_text(&at, end, "/"))
			goto malformed;
		more = take_text(&at, end, "x");
		if (!take_number(&at, end, 3, &number))
			goto malformed;
		out->index = out->index * 1000 + number;
	}
	if (take_text(&at, end, ".p/")) {
		if (!take_number(&at, end, 3, &number) || number == 0 || number >= MERKLE_TILE_WIDTH)
			goto malformed;
		out->width = (unsigned)number;
	}
	tlog_tile_write(out, again); /* one text for each tile: leading zeros are as they are to be */
	if (at == end && strlen(again) == len && !memcmp(again, text, len))
		return ERR_OK;
malformed:
	*out = (struct tlog_tile){0};
	return ERR_MALFORMED;
}

static void write_path(const struct merkle_proof *path, struct buf *out)
{
	for (size_t i = 0; i < path->n; i++)
		write_hash(path->hash[i], out);
	buf_byte(out, '\n');
}

/* Hashes up to and with the empty line; the rest is the note. */
static bool read_path(struct lines *l, struct merkle_proof *path, const char **note, size_t *note_len)
{
	const char *line;
	size_t n = 1;

	path->n = 0;
	while (next_line(l, &line, &n) && n > 0)
		if (path->n == MERKLE_PROOF_MAX || !read_hash(line, n, path->hash[path->n++]))
			return false;
	*note = l->at;
	*note_len = l->left;
	return n == 0 && l->left > 0;
}

/* A line of a word, a space and a number. */
static bool read_named(const char *line, size_t len, const char *word, uint64_t *out)
{
	const char *at = line;

	return take_text(&at, line + len, word) && read_number(at, len - (size_t)(at - line), out);
}

void tlog_proof_write(const struct tlog_proof *p, struct buf *out)
{
	char extra[2 * TLOG_EXTRA_MAX];

	buf_text(out, PROOF_HEAD "\n");
	if (p->extra_len) {
		base64_padded_write(p->extra, p->extra_len, extra);
		buf_printf(out, "extra %s\n", extra);
	}
	buf_printf(out, "index %llu\n", (unsigned long long)p->index);
	write_path(&p->path, out);
	buf_append(out, p->note, p->note_len);
}

enum err tlog_proof_read(const char *text, size_t len, struct tlog_proof *out)
{
	struct lines l = {text, len};
	const char *line, *at;
	size_t n;

	*out = (struct tlog_proof){0};
	if (!next_line(&l, &line, &n) || n != sizeof PROOF_HEAD - 1 || memcmp(line, PROOF_HEAD, n) != 0 || !next_line(&l, &line, &n))
		return ERR_MALFORMED;
	at = line;
	if (take_text(&at, line + n, "extra ")) {
		out->extra_len = sizeof out->extra;
		if (!base64_padded_read(at, n - (size_t)(at - line), out->extra, &out->extra_len))
			out->extra_len = 0;
		if (!next_line(&l, &line, &n))
			return ERR_MALFORMED;
	}
	return read_named(line, n, "index ", &out->index) && read_path(&l, &out->path, &out->note, &out->note_len) ? ERR_OK : ERR_MALFORMED;
}

void tlog_addition_write(const struct tlog_addition *a, struct buf *out)
{
	buf_printf(out, "old %llu\n", (unsigned long long)a->old_size);
	write_path(&a->path, out);
	buf_append(out, a->note, a->note_len);
}

enum err tlog_addition_read(const char *text, size_t len, struct tlog_addition *out)
{
	struct lines l = {text, len};
	const char *line;
	size_t n;

	*out = (struct tlog_addition){0};
	return next_line(&l, &line, &n) && read_named(line, n, "old ", &out->old_size) &&
	               read_path(&l, &out->path, &out->note, &out->note_len)
	           ? ERR_OK
	           : ERR_MALFORMED;
}
