/* value.c: values in, and their masked and index forms out. */
#include "codec/value.h"

#include "base/json.h"
#include "value_int.h"

#include <string.h>

#define INTEGER_MAX ((INT64_C(1) << 53) - 1) /* what every JSON reader holds exactly */

/* The members of an address, in the order in which they are stored. */
static const char *const address_members[] = {"country", "region", "city", "district", "street", "postcode", NULL};

static enum err store_text(const struct field *f, const char *country, const struct node *n, struct buf *out)
{
	struct buf checked;
	struct json j;
	const char *text;
	size_t len;
	enum err e;

	text = node_string(n, &len);
	if (!text)
		return ERR_INVALID_VALUE;
	buf_init(&checked, 0);
	e = field_check(f, country, text, len, &checked);
	if (!e) {
		json_init(&j, out);
		json_string_len(&j, (const char *)checked.data, checked.len);
		e = buf_err(out);
	}
	buf_fini(&checked);
	return e;
}

static enum err store_address(const struct field *f, const char *country, const struct node *n, struct buf *out)
{
	const struct field line = {.type = TYPE_TEXT, .max_len = 1024};
	const size_t start = out->len;
	struct json j;
	size_t members = 0;

	if (node_type(n) != NODE_OBJECT || node_unknown_key(n, address_members))
		return ERR_INVALID_VALUE;
	buf_byte(out, '{');
	for (size_t i = 0; address_members[i]; i++) {
		const struct node *member = node_get(n, address_members[i]);
		enum err e;

		if (!member)
			continue;
		json_init(&j, out);
		j.comma = members++ > 0;
		json_key(&j, address_members[i]);
		e = store_text(&line, country, member, out);
		if (e)
			return e;
	}
	buf_byte(out, '}');
	if (members == 0)
		return ERR_INVALID_VALUE;
	if (out->len - start > field_max_len(f))
		return ERR_VALUE_TOO_LONG;
	return buf_err(out);
}

static enum err store_integer(const struct node *n, struct buf *out)
{
	const int64_t v = node_int(n);

	if (node_type(n) != NODE_INT || v > INTEGER_MAX || v < -INTEGER_MAX)
		return ERR_INVALID_VALUE;
	return node_print(n, out);
}

static enum err store_json(const struct field *f, const struct node *n, struct buf *out)
{
	const size_t start = out->len;
	enum err e;

	if (node_type(n) == NODE_ABSENT || (f->record && node_type(n) != NODE_OBJECT))
		return ERR_INVALID_VALUE;
	e = node_print(n, out);
	if (!e && out->len - start > field_max_len(f))
		e = ERR_VALUE_TOO_LONG;
	return e;
}

static enum err store_one(const struct field *f, const char *country, const struct node *n, struct buf *out)
{
	if (f->type == TYPE_ADDRESS)
		return store_address(f, country, n, out);
	if (f->type == TYPE_INTEGER)
		return store_integer(n, out);
	if (f->type == TYPE_BOOLEAN)
		return node_type(n) == NODE_BOOL ? node_print(n, out) : ERR_INVALID_VALUE;
	if (f->type == TYPE_JSON)
		return store_json(f, n, out);
	return store_text(f, country, n, out);
}

static enum err store_list(const struct field *f, const char *country, const struct node *n, struct buf *out,
                           size_t *element)
{
	const size_t count = node_count(n);

	if (node_type(n) != NODE_ARRAY || count == 0)
		return ERR_INVALID_VALUE;
	if (count > VALUE_LIST_MAX)
		return ERR_VALUE_TOO_LONG;
	buf_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		enum err e;

		*element = i;
		if (i > 0)
			buf_byte(out, ',');
		e = store_one(f, country, node_at(n, i), out);
		if (e)
			return e;
	}
	*element = 0;
	buf_byte(out, ']');
	return buf_err(out);
}

enum err value_store(const struct field *f, const char *country, const struct node *n, struct buf *out, size_t *element)
{
	const size_t start = out->len;
	size_t at = 0;
	enum err e = f->list ? store_list(f, country, n, out, &at) : store_one(f, country, n, out);

	if (!e && out->len - start > VALUE_STORED_MAX)
		e = ERR_VALUE_TOO_LONG;
	if (e)
		buf_truncate(out, start);
	if (element)
		*element = at;
	return e;
}

/* Masks one string. Without escapes its bytes are its characters, and what a
 * mask makes of them needs none either; so both copies are spared. */
static enum err mask_string(const struct field_mask *m, const struct stored_string *from, struct buf *out)
{
	struct buf plain, masked;
	struct json j;
	enum err e;

	if (!from->escaped) {
		buf_byte(out, '"');
		e = field_mask(m->kind, m->a, m->b, from->text, from->len, out);
		buf_byte(out, '"');
		return e ? e : buf_err(out);
	}
	buf_init(&plain, 0);
	buf_init(&masked, 0);
	e = stored_decode(from, &plain);
	if (!e)
		e = field_mask(m->kind, m->a, m->b, (const char *)plain.data, plain.len, &masked);
	if (!e) {
		json_init(&j, out);
		json_string_len(&j, (const char *)masked.data, masked.len);
		e = buf_err(out);
	}
	buf_fini(&plain);
	buf_fini(&masked);
	return e;
}

static bool is_named(const struct stored_string *s, const char *name)
{
	return s->len == strlen(name) && memcmp(s->text, name, s->len) == 0;
}

/* "city, region", one of them, or nothing that is in the address. The texts are
 * JSON already, so they are copied as they are. */
static enum err mask_address(struct stored *s, struct buf *out)
{
	struct stored_string key, value, city = {0}, region = {0};
	enum err e;

	if (!stored_take(s, '{'))
		return ERR_INTERNAL;
	do {
		e = stored_string(s, &key);
		if (e || !stored_take(s, ':'))
			return ERR_INTERNAL;
		e = stored_string(s, &value);
		if (e)
			return e;
		if (is_named(&key, "city"))
			city = value;
		else if (is_named(&key, "region"))
			region = value;
	} while (stored_take(s, ','));
	if (!stored_take(s, '}'))
		return ERR_INTERNAL;
	buf_byte(out, '"');
	buf_append(out, city.text, city.len);
	if (city.len && region.len)
		buf_text(out, ", ");
	buf_append(out, region.text, region.len);
	if (!city.len && !region.len)
		buf_text(out, "***");
	buf_byte(out, '"');
	return buf_err(out);
}

static enum err mask_one(const struct field *f, const struct field_mask *m, struct stored *s, struct buf *out)
{
	struct stored_string string;
	enum err e;

	if (m->kind == MASK_CITY && f->type == TYPE_ADDRESS)
		return mask_address(s, out);
	if (s->at < s->end && *s->at == '"') {
		e = stored_string(s, &string);
		return e ? e : mask_string(m, &string, out);
	}
	e = stored_skip(s);
	buf_text(out, "\"***\"");
	return e ? e : buf_err(out);
}

static enum err mask_list(const struct field *f, const struct field_mask *m, struct stored *s, struct buf *out)
{
	if (!stored_take(s, '['))
		return ERR_INTERNAL;
	buf_byte(out, '[');
	for (;;) {
		const enum err e = mask_one(f, m, s, out);

		if (e)
			return e;
		if (!stored_take(s, ','))
			break;
		buf_byte(out, ',');
	}
	buf_byte(out, ']');
	return stored_take(s, ']') ? buf_err(out) : ERR_INTERNAL;
}

enum err value_mask(const struct field *f, size_t mask, const char *stored, size_t len, struct buf *out)
{
	const size_t start = out->len;
	struct stored s = {.at = stored, .end = stored + len};
	enum err e;

	if (mask >= f->n_masks || mask >= FIELD_MASKS_MAX)
		return ERR_DICTIONARY;
	e = f->list ? mask_list(f, &f->masks[mask], &s, out) : mask_one(f, &f->masks[mask], &s, out);
	if (!e && s.at != s.end)
		e = ERR_INTERNAL;
	if (e)
		buf_truncate(out, start);
	return e;
}

/* The index form of one string, handed to each; an empty one has no entry. */
static enum err index_one(const struct field *f, struct stored *s,
                          enum err (*each)(void *ctx, const void *normalised, size_t len), void *ctx)
{
	struct stored_string string;
	struct buf plain, normal;
	enum err e = stored_string(s, &string);

	if (e)
		return e;
	buf_init(&plain, 0);
	buf_init(&normal, 0);
	e = stored_decode(&string, &plain);
	if (!e)
		e = field_normalise(f, (const char *)plain.data, plain.len, &normal);
	if (!e && normal.len > 0)
		e = each(ctx, normal.data, normal.len);
	buf_fini(&plain);
	buf_fini(&normal);
	return e;
}

enum err value_index(const struct field *f, const char *stored, size_t len,
                     enum err (*each)(void *ctx, const void *normalised, size_t len), void *ctx)
{
	struct stored s = {.at = stored, .end = stored + len};
	enum err e;

	if (f->list && !stored_take(&s, '['))
		return ERR_INTERNAL;
	do {
		e = index_one(f, &s, each, ctx);
	} while (!e && f->list && stored_take(&s, ','));
	if (!e && f->list && !stored_take(&s, ']'))
		e = ERR_INTERNAL;
	if (!e && s.at != s.end)
		e = ERR_INTERNAL;
	return e;
}
