/* buf.c: growing buffer and reader of buf.h. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit ? limit : BUF_LIMIT_DEFAULT};
}

void buf_fini(struct buf *b)
{
	if (!b)
		return;
	if (b->data) {
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	buf_init(b, b->limit);
}

void buf_reset(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	b->len = 0;
	b->failed = false;
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	explicit_bzero(b->data + len, b->len - len);
	b->len = len;
}

enum err buf_err(const struct buf *b)
{
	return b->failed ? ERR_MEMORY : ERR_OK;
}

static bool grow(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *moved;

	while (cap < need)
		cap *= 2;
	if (cap > b->limit) /* appends in line look at cap alone */
		cap = b->limit;
	moved = malloc(cap);
	if (!moved)
		return false;
	if (b->data) {
		memcpy(moved, b->data, b->len);
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	b->data = moved;
	b->cap = cap;
	return true;
}

uint8_t *buf_reserve(struct buf *b, size_t more)
{
	if (b->failed)
		return NULL;
	if (more > b->limit - b->len || (b->len + more > b->cap && !grow(b, b->len + more))) {
		b->failed = true;
		return NULL;
	}
	return b->data ? b->data + b->len : NULL;
}

void buf_u16(struct buf *b, uint16_t v)
{
	const uint8_t bytes[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_append(b, bytes, sizeof bytes);
}

void buf_u32(struct buf *b, uint32_t v)
{
	buf_u16(b, (uint16_t)(v >> 16));
	buf_u16(b, (uint16_t)v);
}

void buf_u64(struct buf *b, uint64_t v)
{
	buf_u32(b, (uint32_t)(v >> 32));
	buf_u32(b, (uint32_t)v);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int len;
	uint8_t *at;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		b->failed = true;
	} else {
		at = buf_reserve(b, (size_t)len + 1);
		if (at && vsnprintf((char *)at, (size_t)len + 1, format, again) == len)
			b->len += (size_t)len;
	}
	va_end(again);
}

const char *buf_string(struct buf *b)
{
	uint8_t *at = buf_reserve(b, 1);

	if (!at)
		return "";
	*at = 0;
	return (const char *)b->data;
}

struct reader reader_of(const void *data, size_t len)
{
	return (struct reader){.data = data, .left = len};
}

const uint8_t *reader_bytes(struct reader *r, size_t len)
{
	const uint8_t *at = r->data;

	if (r->failed || len > r->left) {
		r->failed = true;
		return NULL;
	}
	r->data += len;
	r->left -= len;
	return at;
}

static uint64_t read_number(struct reader *r, size_t len)
{
	const uint8_t *at = reader_bytes(r, len);
	uint64_t v = 0;

	for (size_t i = 0; at && i < len; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)read_number(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)read_number(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)read_number(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return read_number(r, 8);
}
