/* declaration.c: a field's declaration between JSON and struct field. Whether
 * it is sound is field_declaration_check's business. */
#include "base/json.h"
#include "codec/value.h"

#include <string.h>

static enum err refuse(struct buf *why, const char *text)
{
	buf_text(why, text);
	return ERR_DICTIONARY;
}

/* Says which key; of one that is no plain name only that it is there, since it may be anything. */
static enum err refuse_unknown(const char *where, const char *key, struct buf *why)
{
	buf_text(why, where);
	if (field_name_valid(key))
		buf_printf(why, " has no member %s", key);
	else
		buf_text(why, " has an unknown member");
	return ERR_DICTIONARY;
}

/* A name as it stands; false where n is no string or too long for out. */
static bool read_name(const struct node *n, char out[static FIELD_NAME_MAX])
{
	size_t len;
	const char *text = node_string(n, &len);

	if (!text || len >= FIELD_NAME_MAX)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

/* A number from 0 to most; absent and null leave *out. */
static bool read_number(const struct node *n, int64_t most, uint32_t *out)
{
	const enum node_type type = node_type(n);

	if (type == NODE_ABSENT || type == NODE_NULL)
		return true;
	if (type != NODE_INT || node_int(n) < 0 || node_int(n) > most)
		return false;
	*out = (uint32_t)node_int(n);
	return true;
}

static bool read_flag(const struct node *n, bool *out)
{
	*out = node_bool(n);
	return node_type(n) == NODE_ABSENT || node_type(n) == NODE_BOOL;
}

static enum err read_keep(const struct node *n, struct field_mask *m, struct buf *why)
{
	const bool keep = m->kind == MASK_KEEP;
	uint32_t a = 0, b = 0;

	if (!n && !keep)
		return ERR_OK;
	if (!keep)
		return refuse(why, "keep is a member of masks of kind keep only");
	if (node_type(n) != NODE_ARRAY || node_count(n) != 2 || node_type(node_at(n, 0)) != NODE_INT ||
	    node_type(node_at(n, 1)) != NODE_INT || !read_number(node_at(n, 0), UINT8_MAX, &a) ||
	    !read_number(node_at(n, 1), UINT8_MAX, &b))
		return refuse(why, "a mask of kind keep needs \"keep\":[first,last], two numbers of characters");
	m->a = (uint8_t)a;
	m->b = (uint8_t)b;
	return ERR_OK;
}

static enum err read_mask(const struct node *n, struct field_mask *m, struct buf *why)
{
	static const char *const allowed[] = {"name", "kind", "keep", NULL};
	const char *unknown = node_unknown_key(n, allowed);
	char kind[FIELD_NAME_MAX];

	*m = (struct field_mask){.name = ""};
	if (node_type(n) != NODE_OBJECT)
		return refuse(why, "a mask is an object with name and kind");
	if (unknown)
		return refuse_unknown("a mask", unknown, why);
	if (!read_name(node_get(n, "name"), m->name))
		return refuse(why, "a mask needs a name");
	if (!read_name(node_get(n, "kind"), kind) || !field_mask_of(kind, &m->kind))
		return refuse(why, "a mask needs a kind: stars, keep, email, phone, name, year, decade or city");
	return read_keep(node_get(n, "keep"), m, why);
}

static enum err read_masks(const struct node *n, struct field *f, struct buf *why)
{
	f->n_masks = 0;
	if (!n)
		return ERR_OK;
	if (node_type(n) != NODE_ARRAY)
		return refuse(why, "masks is a list, weakest first");
	if (node_count(n) > FIELD_MASKS_MAX)
		return refuse(why, "a field has at most 6 masks");
	for (size_t i = 0; i < node_count(n); i++) {
		const enum err e = read_mask(node_at(n, i), &f->masks[i], why);

		if (e)
			return e;
	}
	f->n_masks = node_count(n);
	return ERR_OK;
}

static enum err read_type(const struct node *n, struct field *f, struct buf *why)
{
	const struct node *normaliser = node_get(n, "normaliser");
	char name[FIELD_NAME_MAX];

	if (!read_name(node_get(n, "type"), name) || !field_type_of(name, &f->type))
		return refuse(why, "type is missing or none that the vault knows");
	if (!read_name(node_get(n, "class"), f->class_name))
		return refuse(why, "class is missing or no name");
	f->normaliser = field_default_normaliser(f->type);
	if (normaliser && (!read_name(normaliser, name) || !field_normaliser_of(name, &f->normaliser)))
		return refuse(why, "normaliser is none, text, email, phone or alnum");
	return ERR_OK;
}

static enum err read_declaration(const struct node *n, struct field *f, struct buf *why)
{
	enum err e = read_type(n, f, why);

	if (e)
		return e;
	if (!read_flag(node_get(n, "index"), &f->indexed))
		return refuse(why, "index is true or false");
	if (!read_flag(node_get(n, "list"), &f->list))
		return refuse(why, "list is true or false");
	f->retention_days = 0;
	if (!read_number(node_get(n, "retention_days"), UINT32_MAX, &f->retention_days))
		return refuse(why, "retention_days is a number of days, or null for none");
	f->max_len = 0;
	if (!read_number(node_get(n, "max_length"), UINT32_MAX, &f->max_len))
		return refuse(why, "max_length is a number of bytes");
	return read_masks(node_get(n, "masks"), f, why);
}

enum err field_from_json(const struct node *n, struct field *f, struct buf *why)
{
	static const char *const allowed[] = {"type", "class",          "normaliser", "masks", "index",
	                                      "list", "retention_days", "max_length", NULL};
	const char *unknown = node_unknown_key(n, allowed);
	struct field read = *f;
	enum err e;

	if (node_type(n) != NODE_OBJECT)
		return refuse(why, "a declaration is an object");
	if (unknown)
		return refuse_unknown("a declaration", unknown, why);
	e = read_declaration(n, &read, why);
	if (!e)
		*f = read;
	return e;
}

static void write_mask(struct json *j, const struct field_mask *m)
{
	json_object(j);
	json_key_string(j, "name", m->name);
	json_key_string(j, "kind", field_mask_name(m->kind));
	if (m->kind == MASK_KEEP) {
		json_key(j, "keep");
		json_array(j);
		json_int(j, m->a);
		json_int(j, m->b);
		json_array_end(j);
	}
	json_object_end(j);
}

void field_to_json(const struct field *f, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key_string(&j, "type", field_type_name(f->type));
	json_key_string(&j, "class", f->class_name);
	json_key_string(&j, "normaliser", field_normaliser_name(f->normaliser));
	json_key(&j, "masks");
	json_array(&j);
	for (size_t i = 0; i < f->n_masks; i++)
		write_mask(&j, &f->masks[i]);
	json_array_end(&j);
	json_key_bool(&j, "index", f->indexed);
	json_key_bool(&j, "list", f->list);
	json_key(&j, "retention_days");
	if (f->retention_days)
		json_uint(&j, f->retention_days);
	else
		json_null(&j);
	json_key(&j, "max_length");
	json_uint(&j, field_max_len(f));
	json_object_end(&j);
}
