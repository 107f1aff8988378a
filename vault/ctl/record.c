/* record.c: a strict reader of one record in one pass, without a tree of it:
 * ten million of them have to be read in a minute. */
#include "ctl/record.h"

#include "base/clock.h"
#include "ctl/text.h"

#include <string.h>

#define INTEGER_MAX 9007199254740991 /* 2^53 - 1: what RFC 8785 can hold without loss */

struct scan {
	const char *at, *end;
};

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* Bytes that stand for themselves in a string: not a control, quote, backslash or part of a longer character. */
static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Behind a backslash: only what RFC 8785 would have written so. */
static bool take_escape(struct scan *s)
{
	static const char hex[] = "0123456789abcdef";
	const char *digit;
	unsigned code;

	if (s->at == s->end)
		return false;
	if (strchr("\"\\bfnrt", *s->at) && *s->at) {
		s->at++;
		return true;
	}
	if (s->end - s->at < 5 || memcmp(s->at, "u00", 3) != 0 || (s->at[3] != '0' && s->at[3] != '1') || !s->at[4])
		return false;
	digit = strchr(hex, s->at[4]);
	if (!digit)
		return false;
	code = (unsigned)(s->at[3] - '0') * 16 + (unsigned)(digit - hex);
	s->at += 5;
	return code != '\b' && code != '\f' && code != '\n' && code != '\r' && code != '\t';
}

static bool take_string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	for (;;) {
		size_t left;

		while (s->at < s->end && is_plain(*s->at))
			s->at++;
		if (s->at == s->end)
			return false;
		if (*s->at == '"') {
			s->at++;
			return true;
		}
		left = (size_t)(s->end - s->at);
		if (*s->at == '\\') {
			s->at++;
			if (!take_escape(s))
				return false;
		} else if ((unsigned char)*s->at < 0x20 || text_take(&s->at, &left) == UINT32_MAX) {
			return false;
		}
	}
}

static bool take_integer(struct scan *s, int64_t *out)
{
	const bool negative = take(s, '-');
	const char *first = s->at;
	int64_t n = 0;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9' && s->at - first < 17)
		n = n * 10 + (*s->at++ - '0');
	if (s->at == first || (*first == '0' && (s->at - first > 1 || negative)) || n > INTEGER_MAX)
		return false;
	*out = negative ? -n : n;
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

/* A value of any kind: its text, and its number where it is one. */
struct value {
	const char *text;
	size_t len;
	int64_t integer;
	bool is_integer, is_string;
};

static bool take_value(struct scan *s, int depth, struct value *out);

static bool take_array(struct scan *s, int depth)
{
	struct value item;

	s->at++;
	if (take(s, ']'))
		return true;
	do {
		if (!take_value(s, depth, &item))
			return false;
	} while (take(s, ','));
	return take(s, ']');
}

/* A name, which must stand behind the last one in order; *last is moved on. */
static bool take_name(struct scan *s, struct value *last)
{
	const char *first = s->at + 1;
	size_t len, shorter;
	int order;

	if (!take(s, '"'))
		return false;
	while (s->at < s->end && is_plain(*s->at) && *s->at != 0x7f)
		s->at++;
	len = (size_t)(s->at - first);
	if (!take(s, '"') || !take(s, ':'))
		return false;
	if (last->text) {
		shorter = len < last->len ? len : last->len;
		order = memcmp(last->text, first, shorter);
		if (order > 0 || (order == 0 && last->len >= len))
			return false;
	}
	last->text = first;
	last->len = len;
	return true;
}

static bool take_object(struct scan *s, int depth, void (*member)(void *ctx, const struct value *name, const struct value *v), void *ctx)
{
	struct value name = {0}, v;

	s->at++;
	if (take(s, '}'))
		return true;
	do {
		if (!take_name(s, &name) || !take_value(s, depth, &v))
			return false;
		if (member)
			member(ctx, &name, &v);
	} while (take(s, ','));
	return take(s, '}');
}

/* depth: of what stands around it. The depth bounds the recursion. */
static bool take_value(struct scan *s, int depth, struct value *out)
{
	bool good;

	*out = (struct value){.text = s->at};
	if (s->at == s->end)
		return false;
	switch (*s->at) {
	case '"':
		out->is_string = true;
		good = take_string(s);
		break;
	case '{': good = depth < RECORD_DEPTH_MAX && take_object(s, depth + 1, NULL, NULL); break;
	case '[': good = depth < RECORD_DEPTH_MAX && take_array(s, depth + 1); break;
	case 't': good = take_word(s, "true"); break;
	case 'f': good = take_word(s, "false"); break;
	case 'n': good = take_word(s, "null"); break;
	default:
		out->is_integer = true;
		good = take_integer(s, &out->integer);
	}
	out->len = (size_t)(s->at - out->text);
	return good;
}

/* ---- what is read of a record ---- */

struct reading {
	struct record *out;
	bool id, time, version, operation, executor;
};

/* Digits, the first not 0, at most 18 of them. */
static bool take_number(struct scan *s, int64_t *out)
{
	const char *first = s->at;

	for (*out = 0; s->at < s->end && *s->at >= '0' && *s->at <= '9' && s->at - first < 18; s->at++)
		*out = *out * 10 + (*s->at - '0');
	return s->at != first && *first != '0';
}

static bool read_id(const struct value *v, struct record *out)
{
	struct scan s = {v->text, v->text + v->len};

	return take(&s, '"') && take_number(&s, &out->stream) && take(&s, '-') && take_number(&s, &out->seq) && take(&s, '"') &&
	       s.at == s.end;
}

/* Of all forms of RFC 3339 the one that a vault writes, so that times have one text. */
static bool read_time(const struct value *v, int64_t *at_us)
{
	const char *t = v->text + 1;

	return v->is_string && v->len == CLOCK_TEXT_LEN + 1 && t[10] == 'T' && t[19] == '.' && t[26] == 'Z' && t[17] < '6' &&
	       clock_parse(t, CLOCK_TEXT_LEN - 1, at_us) == ERR_OK;
}

static bool is(const struct value *v, const char *text)
{
	return v->len == strlen(text) && !memcmp(v->text, text, v->len);
}

/* 0 is for what is not there. */
static int64_t positive(const struct value *v)
{
	return v->integer > 0 ? v->integer : -1;
}

static void read_operation(struct reading *r, const struct value *v)
{
	r->operation = v->is_string;
	r->out->kind = is(v, "\"stream.open\"") ? RECORD_OPENING : is(v, "\"log.open\"") ? RECORD_BREAK : RECORD_PLAIN;
}

static void on_member(void *ctx, const struct value *name, const struct value *v)
{
	struct reading *r = ctx;
	struct record *out = r->out;

	switch (name->text[0]) { /* most members are of no interest: one look tells */
	case 'e':
		if (is(name, "executor")) {
			r->executor = v->is_integer && v->integer >= 0;
			out->executor = v->integer;
		}
		break;
	case 'i':
		if (is(name, "id"))
			r->id = read_id(v, out);
		break;
	case 'n':
		if (is(name, "node") && v->is_string) {
			out->node = v->text;
			out->node_len = v->len;
		}
		break;
	case 'o':
		if (is(name, "operation"))
			read_operation(r, v);
		break;
	case 'p':
		if (is(name, "previous_seq"))
			out->previous_seq = positive(v);
		else if (is(name, "previous_stream"))
			out->previous_stream = positive(v);
		break;
	case 't':
		if (is(name, "time"))
			r->time = read_time(v, &out->at_us);
		break;
	case 'v':
		if (is(name, "v"))
			r->version = v->is_integer && v->integer == 1;
		break;
	default: break;
	}
}

/* What an opening has to have besides; what it says of the stream before it, both or neither. */
static bool opens(const struct reading *r)
{
	const struct record *out = r->out;

	return r->executor && out->node && out->previous_stream >= 0 && out->previous_seq >= 0 && !out->previous_stream == !out->previous_seq;
}

bool record_read(const char *bytes, size_t len, struct record *out)
{
	struct scan s = {bytes, bytes + len};
	struct reading r = {.out = out};

	*out = (struct record){0};
	return len > 0 && len <= RECORD_MAX && *bytes == '{' && take_object(&s, 1, on_member, &r) && s.at == s.end && r.id && r.time &&
	       r.version && r.operation && (out->kind != RECORD_OPENING || opens(&r));
}
