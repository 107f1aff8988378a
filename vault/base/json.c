/* json.c: the writer of json.h. */
#include "base/json.h"

#include "base/clock.h"

#include <string.h>

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void item(struct json *j)
{
	if (j->comma)
		buf_byte(j->out, ',');
	j->comma = true;
}

static void open_with(struct json *j, uint8_t bracket)
{
	item(j);
	buf_byte(j->out, bracket);
	j->comma = false;
}

static void close_with(struct json *j, uint8_t bracket)
{
	buf_byte(j->out, bracket);
	j->comma = true;
}

void json_object(struct json *j)
{
	open_with(j, '{');
}

void json_object_end(struct json *j)
{
	close_with(j, '}');
}

void json_array(struct json *j)
{
	open_with(j, '[');
}

void json_array_end(struct json *j)
{
	close_with(j, ']');
}

void json_key(struct json *j, const char *key)
{
	size_t len = strlen(key);
	uint8_t *at;

	if (j->comma)
		buf_byte(j->out, ',');
	at = buf_reserve(j->out, len + 3);
	if (at) {
		at[0] = '"';
		memcpy(at + 1, key, len);
		at[len + 1] = '"';
		at[len + 2] = ':';
		j->out->len += len + 3;
	}
	j->comma = false;
}

/* The escape of RFC 8785 section 3.2.2.2 for one byte, or NULL where it stands for itself. */
static const char *escape(uint8_t byte, char room[7])
{
	static const char digits[] = "0123456789abcdef";

	switch (byte) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\b': return "\\b";
	case '\f': return "\\f";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	default: break;
	}
	if (byte >= 0x20)
		return NULL;
	memcpy(room, "\\u00", 4);
	room[4] = digits[byte >> 4];
	room[5] = digits[byte & 15];
	room[6] = 0;
	return room;
}

void json_string_len(struct json *j, const char *text, size_t len)
{
	size_t start = 0;
	char room[7];

	item(j);
	buf_byte(j->out, '"');
	for (size_t i = 0; i < len; i++) {
		const uint8_t byte = (uint8_t)text[i];
		const char *escaped;

		if (byte >= 0x20 && byte != '"' && byte != '\\')
			continue;
		escaped = escape(byte, room);
		if (!escaped)
			continue;
		buf_append(j->out, text + start, i - start);
		buf_text(j->out, escaped);
		start = i + 1;
	}
	buf_append(j->out, text + start, len - start);
	buf_byte(j->out, '"');
}

void json_string(struct json *j, const char *text)
{
	json_string_len(j, text, strlen(text));
}

void json_uint(struct json *j, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	item(j);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_append(j->out, digits + at, sizeof digits - at);
}

void json_int(struct json *j, int64_t v)
{
	if (v >= 0) {
		json_uint(j, (uint64_t)v);
		return;
	}
	item(j);
	buf_byte(j->out, '-');
	j->comma = false;
	json_uint(j, 0 - (uint64_t)v);
}

void json_bool(struct json *j, bool v)
{
	json_raw(j, v ? "true" : "false", v ? 4 : 5);
}

void json_null(struct json *j)
{
	json_raw(j, "null", 4);
}

void json_raw(struct json *j, const char *text, size_t len)
{
	item(j);
	buf_append(j->out, text, len);
}

void json_hex(struct json *j, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	uint8_t *at;

	item(j);
	at = buf_reserve(j->out, 2 * len + 2);
	if (!at)
		return;
	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		*at++ = (uint8_t)digits[from[i] >> 4];
		*at++ = (uint8_t)digits[from[i] & 15];
	}
	*at = '"';
	j->out->len += 2 * len + 2;
}

void json_time(struct json *j, int64_t at_us)
{
	char text[CLOCK_TEXT_LEN];

	clock_format(at_us, text);
	json_string(j, text);
}

void json_key_string(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_string(j, text);
}

void json_key_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void json_key_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
