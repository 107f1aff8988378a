/* types.c: one row a type, the names of types, masks and normalisers, and the
 * check of a value by its type. */
#include "field_int.h"

#include <string.h>

#define M(kind) (1u << MASK_##kind)
#define N(n) (1u << NORMALISE_##n)
#define STARS_KEEP (M(STARS) | M(KEEP))
#define ANY_TEXT (N(NONE) | N(TEXT) | N(ALNUM))

/* keep_max: of identifiers about half stays hidden; of bank cards and resident
 * ids the usual first six and last four may show. */
static const struct field_type_info types[TYPE_COUNT] = {
    [TYPE_TEXT] = {"text", text_check, NORMALISE_TEXT, ANY_TEXT, STARS_KEEP, 16, true, 65536},
    [TYPE_NAME] = {"name", name_check, NORMALISE_TEXT, N(NONE) | N(TEXT), STARS_KEEP | M(NAME), 2, true, 1024},
    [TYPE_EMAIL] = {"email", email_check, NORMALISE_EMAIL, N(EMAIL), STARS_KEEP | M(EMAIL), 4, true, 254},
    [TYPE_PHONE] = {"phone", phone_check, NORMALISE_PHONE, N(PHONE), STARS_KEEP | M(PHONE), 7, true, 16},
    [TYPE_DATE] = {"date", date_check, NORMALISE_NONE, N(NONE), M(STARS) | M(YEAR) | M(DECADE), 0, false, 10},
    [TYPE_BIRTH_DATE] = {"birth_date", birth_date_check, NORMALISE_NONE, N(NONE), M(STARS) | M(YEAR) | M(DECADE), 0,
                         false, 10},
    [TYPE_GENDER] = {"gender", gender_check, NORMALISE_NONE, N(NONE), M(STARS), 0, false, 16},
    [TYPE_ADDRESS] = {"address", NULL, NORMALISE_NONE, N(NONE), M(STARS) | M(CITY), 0, false, 4096},
    [TYPE_RESIDENT_ID] = {"resident_id", resident_id_check, NORMALISE_ALNUM, N(NONE) | N(ALNUM), STARS_KEEP, 10, true,
                          18},
    [TYPE_PASSPORT] = {"passport", passport_check, NORMALISE_ALNUM, N(ALNUM), STARS_KEEP, 4, true, 20},
    [TYPE_BANK_CARD] = {"bank_card", bank_card_check, NORMALISE_ALNUM, N(NONE) | N(ALNUM), STARS_KEEP, 10, true, 19},
    [TYPE_IBAN] = {"iban", iban_check, NORMALISE_ALNUM, N(NONE) | N(ALNUM), STARS_KEEP, 8, true, 34},
    [TYPE_USCC] = {"uscc", uscc_check, NORMALISE_ALNUM, N(NONE) | N(ALNUM), STARS_KEEP, 10, true, 18},
    [TYPE_URL] = {"url", url_check, NORMALISE_TEXT, N(NONE) | N(TEXT), STARS_KEEP, 16, true, 2048},
    [TYPE_IP] = {"ip", ip_check, NORMALISE_NONE, N(NONE) | N(TEXT), STARS_KEEP, 6, true, 45},
    [TYPE_INTEGER] = {"integer", NULL, NORMALISE_NONE, N(NONE), M(STARS), 0, false, 17},
    [TYPE_BOOLEAN] = {"boolean", NULL, NORMALISE_NONE, N(NONE), M(STARS), 0, false, 5},
    [TYPE_JSON] = {"json", NULL, NORMALISE_NONE, N(NONE), M(STARS), 0, false, 65536},
};

static const char *const mask_names[MASK_COUNT] = {
#define X(id, name) [id] = name,
    FIELD_MASK_LIST(X)
#undef X
};

static const char *const normaliser_names[NORMALISE_COUNT] = {
    [NORMALISE_NONE] = "none",   [NORMALISE_TEXT] = "text",   [NORMALISE_EMAIL] = "email",
    [NORMALISE_PHONE] = "phone", [NORMALISE_ALNUM] = "alnum",
};

const struct field_type_info *field_type_info(enum field_type t)
{
	return (unsigned)t < (unsigned)TYPE_COUNT ? &types[t] : NULL;
}

const char *field_type_name(enum field_type t)
{
	const struct field_type_info *info = field_type_info(t);

	return info ? info->name : NULL;
}

bool field_type_of(const char *name, enum field_type *out)
{
	for (unsigned i = 0; i < TYPE_COUNT; i++) {
		if (strcmp(types[i].name, name) == 0) {
			*out = (enum field_type)i;
			return true;
		}
	}
	return false;
}

const char *field_mask_name(enum field_mask_kind k)
{
	return (unsigned)k < (unsigned)MASK_COUNT ? mask_names[k] : NULL;
}

bool field_mask_of(const char *name, enum field_mask_kind *out)
{
	for (unsigned i = 0; i < MASK_COUNT; i++) {
		if (strcmp(mask_names[i], name) == 0) {
			*out = (enum field_mask_kind)i;
			return true;
		}
	}
	return false;
}

const char *field_normaliser_name(enum field_normaliser n)
{
	return (unsigned)n < (unsigned)NORMALISE_COUNT ? normaliser_names[n] : NULL;
}

bool field_normaliser_of(const char *name, enum field_normaliser *out)
{
	for (unsigned i = 0; i < NORMALISE_COUNT; i++) {
		if (strcmp(normaliser_names[i], name) == 0) {
			*out = (enum field_normaliser)i;
			return true;
		}
	}
	return false;
}

enum field_normaliser field_default_normaliser(enum field_type t)
{
	const struct field_type_info *info = field_type_info(t);

	return info ? info->normaliser : NORMALISE_NONE;
}

uint32_t field_max_len(const struct field *f)
{
	const struct field_type_info *info = field_type_info(f->type);
	const uint32_t most = info ? info->max_len : 0;

	return f->max_len && f->max_len < most ? f->max_len : most;
}

bool field_name_valid(const char *name)
{
	size_t len;

	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (len = 1; name[len]; len++)
		if (len >= FIELD_NAME_MAX - 1 ||
		    !((name[len] >= 'a' && name[len] <= 'z') || is_digit(name[len]) || name[len] == '_'))
			return false;
	return true;
}

/* Longer than any way to write a value of the longest type. */
#define INPUT_MAX (2u * 65536u)

enum err field_check(const struct field *f, const char *country, const char *text, size_t len, struct buf *out)
{
	const struct field_type_info *info = field_type_info(f->type);
	const size_t start = out->len;
	enum err e;

	if (!info || !info->check || len == 0)
		return ERR_INVALID_VALUE;
	if (len > INPUT_MAX)
		return ERR_VALUE_TOO_LONG;
	if (!text_valid(text, len))
		return ERR_INVALID_VALUE;
	e = info->check(country, text, len, out);
	if (!e && out->len - start > field_max_len(f))
		e = ERR_VALUE_TOO_LONG;
	if (e && out->len > start)
		buf_truncate(out, start);
	return e;
}
