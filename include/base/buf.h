/* buf.h: a byte buffer that grows, with a sticky error.
 *
 * Ten appends need one check: after a failure (no memory, or over the limit)
 * each further append does nothing and buf_ok() is false. Memory is wiped when
 * it is given back, also when the buffer moves to grow, so a buffer may hold
 * personal data. Not for two threads at once. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data; /* NULL while empty and never reserved */
	size_t len;    /* bytes in use */
	size_t cap;    /* bytes held */
	size_t limit;  /* growth past this many bytes fails */
	bool failed;
};

#define BUF_LIMIT_DEFAULT ((size_t)256 << 20)

/* Makes an empty buffer in the caller's storage; allocates nothing. limit 0
 * means BUF_LIMIT_DEFAULT. */
void buf_init(struct buf *b, size_t limit);
/* Wipes and frees what it holds; the buffer is empty and usable after. NULL is allowed. */
void buf_fini(struct buf *b);
/* Wipes what it holds and keeps the memory; clears the error. */
void buf_reset(struct buf *b);
/* Cuts the length back to len, which must not be above b->len; wipes the tail. */
void buf_truncate(struct buf *b, size_t len);

static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
/* ERR_OK, or ERR_MEMORY after a failed append. */
enum err buf_err(const struct buf *b) MUST_CHECK;

/* Room for more bytes at data + len, or NULL; the caller then adds what it
 * wrote to len. */
uint8_t *buf_reserve(struct buf *b, size_t more);
/* The usual case, that there is room, is in line: replies are made of small pieces. */
static inline void buf_append(struct buf *b, const void *bytes, size_t len)
{
	uint8_t *at;

	if (len == 0)
		return;
	at = !b->failed && len <= b->cap - b->len && b->data ? b->data + b->len : buf_reserve(b, len);
	if (!at)
		return;
	memcpy(at, bytes, len);
	b->len += len;
}
static inline void buf_byte(struct buf *b, uint8_t byte)
{
	buf_append(b, &byte, 1);
}
/* Without the closing NUL. */
static inline void buf_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}
void buf_u16(struct buf *b, uint16_t v);        /* big endian, as all numbers on the wire and at rest */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The bytes as a C string (adds a NUL behind them that len does not count), or "" after a failure. */
const char *buf_string(struct buf *b);

/* A reader with a sticky error: reads past the end give zero and set failed. */
struct reader {
	const uint8_t *data;
	size_t left;
	bool failed;
};

struct reader reader_of(const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* Borrows len bytes of what is read, or NULL past the end. */
const uint8_t *reader_bytes(struct reader *r, size_t len);

#endif
