/* declaration.c: is a declared field sound? Says why not in one line that names
 * only what the declaration itself says. */
#include "field_int.h"

#include <string.h>

#define RETENTION_DAYS_MAX 36525u /* a hundred years */

static enum err refuse(struct buf *why, const char *text)
{
	buf_text(why, text);
	return ERR_DICTIONARY;
}

static enum err check_names(const struct field *f, struct buf *why)
{
	if (!field_name_valid(f->name))
		return refuse(why,
		              "a field's name is a small letter, then small letters, digits and _, at most 47 in all");
	if (!field_name_valid(f->class_name))
		return refuse(why, "a class is a small letter, then small letters, digits and _, at most 47 in all");
	return ERR_OK;
}

static enum err check_record(const struct field *f, struct buf *why)
{
	if (f->type != TYPE_JSON)
		return refuse(why, "a record kind has the type json");
	if (f->n_masks > 0)
		return refuse(why, "a record kind has no masks");
	if (f->indexed)
		return refuse(why, "a record kind has no index");
	if (f->list)
		return refuse(why, "a record kind is no list: a customer may have many records anyway");
	return ERR_OK;
}

static enum err check_index(const struct field *f, const struct field_type_info *info, struct buf *why)
{
	if (f->indexed && !info->index) {
		buf_printf(why, "a field of type %s can't have an index: ", info->name);
		return refuse(why, info->check || f->type == TYPE_BOOLEAN || f->type == TYPE_INTEGER
		                       ? "it has so few distinct values that the index would tell them"
		                       : "it has no single text to compare");
	}
	if (!(info->normalisers & 1u << f->normaliser)) {
		buf_printf(why, "normaliser %s does not fit type %s", field_normaliser_name(f->normaliser), info->name);
		return ERR_DICTIONARY;
	}
	return ERR_OK;
}

static enum err check_mask(const struct field_mask *m, const struct field_type_info *info, struct buf *why)
{
	const char *kind = field_mask_name(m->kind);

	if (!field_name_valid(m->name))
		return refuse(why,
		              "a mask's name is a small letter, then small letters, digits and _, at most 47 in all");
	if (!kind)
		return refuse(why, "there is no mask of this kind");
	if (!(info->masks & 1u << m->kind)) {
		buf_printf(why, "mask %s: kind %s does not fit type %s", m->name, kind, info->name);
		return ERR_DICTIONARY;
	}
	if (m->kind != MASK_KEEP && (m->a || m->b)) {
		buf_printf(why, "mask %s: only kind keep has numbers", m->name);
		return ERR_DICTIONARY;
	}
	if (m->kind == MASK_KEEP && m->a == 0 && m->b == 0) {
		buf_printf(why, "mask %s: keeps nothing, which is kind stars", m->name);
		return ERR_DICTIONARY;
	}
	if (m->kind == MASK_KEEP && m->a + m->b > info->keep_max) {
		buf_printf(why, "mask %s: of type %s at most %u characters may be kept", m->name, info->name,
		           info->keep_max);
		return ERR_DICTIONARY;
	}
	return ERR_OK;
}

/* Does mask b surely show less than mask a before it? Pairs that can't be
 * compared are left to whoever declares them. */
static bool shows_less(const struct field_mask *a, const struct field_mask *b)
{
	if (b->kind == MASK_STARS)
		return true;
	if (a->kind == MASK_YEAR)
		return b->kind == MASK_DECADE;
	if (a->kind == MASK_KEEP && b->kind == MASK_KEEP)
		return b->a <= a->a && b->b <= a->b;
	return false;
}

static enum err check_masks(const struct field *f, const struct field_type_info *info, struct buf *why)
{
	if (f->n_masks > FIELD_MASKS_MAX) {
		buf_printf(why, "a field has at most %d masks", FIELD_MASKS_MAX);
		return ERR_DICTIONARY;
	}
	for (size_t i = 0; i < f->n_masks; i++) {
		const struct field_mask *m = &f->masks[i];
		const enum err e = check_mask(m, info, why);

		if (e)
			return e;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(f->masks[k].name, m->name) == 0) {
				buf_printf(why, "mask %s is declared twice", m->name);
				return ERR_DICTIONARY;
			}
			if (shows_less(&f->masks[k], m)) {
				buf_printf(why, "mask %s does not show more than mask %s before it: weakest first",
				           m->name, f->masks[k].name);
				return ERR_DICTIONARY;
			}
		}
	}
	return ERR_OK;
}

enum err field_declaration_check(const struct field *f, struct buf *why)
{
	const struct field_type_info *info = field_type_info(f->type);
	enum err e = check_names(f, why);

	if (e)
		return e;
	if (!info)
		return refuse(why, "there is no such type");
	if (!field_normaliser_name(f->normaliser))
		return refuse(why, "there is no such normaliser");
	if (f->record) {
		e = check_record(f, why);
		if (e)
			return e;
	}
	e = check_index(f, info, why);
	if (e)
		return e;
	if (f->max_len > info->max_len) {
		buf_printf(why, "max_length of type %s is at most %u", info->name, info->max_len);
		return ERR_DICTIONARY;
	}
	if (f->retention_days > RETENTION_DAYS_MAX) {
		buf_printf(why, "retention_days is at most %u", RETENTION_DAYS_MAX);
		return ERR_DICTIONARY;
	}
	return check_masks(f, info, why);
}
