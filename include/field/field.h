/* field.h: the types of fields: what a value must look like, how it is
 * normalised for the index, and how it is masked. Pure text in, text out.
 *
 * Values are UTF-8 without NUL. "Stored as given" except where a type has one
 * canonical form (phone: E.164; see each type). Masks count characters (code
 * points after NFC grouping of combining marks), never bytes. */
#ifndef FIELD_FIELD_H
#define FIELD_FIELD_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELD_NAME_MAX 48 /* bytes with NUL; [a-z][a-z0-9_]* */
#define FIELD_MASKS_MAX 6

/*    id                name           */
#define FIELD_TYPE_LIST(X)                                                                                              \
	X(TYPE_TEXT,        "text")                                                                                        \
	X(TYPE_NAME,        "name")                                                                                        \
	X(TYPE_EMAIL,       "email")                                                                                       \
	X(TYPE_PHONE,       "phone")       /* stored as E.164 */                                                           \
	X(TYPE_DATE,        "date")        /* YYYY-MM-DD */                                                                \
	X(TYPE_BIRTH_DATE,  "birth_date")  /* a date, 1850 to today */                                                     \
	X(TYPE_GENDER,      "gender")      /* male, female, other, unknown */                                              \
	X(TYPE_ADDRESS,     "address")     /* object: country region city district street postcode, all text, optional */  \
	X(TYPE_RESIDENT_ID, "resident_id") /* GB 11643, 18 characters, X upper case */                                     \
	X(TYPE_PASSPORT,    "passport")                                                                                    \
	X(TYPE_BANK_CARD,   "bank_card")   /* 12 to 19 digits, Luhn; blanks and dashes dropped */                          \
	X(TYPE_IBAN,        "iban")        /* ISO 13616, mod 97; blanks dropped, upper case */                             \
	X(TYPE_USCC,        "uscc")        /* GB 32100 */                                                                  \
	X(TYPE_URL,         "url")                                                                                         \
	X(TYPE_IP,          "ip")          /* v4 or v6, RFC 5952 form */                                                   \
	X(TYPE_INTEGER,     "integer")     /* -2^53+1 to 2^53-1 */                                                         \
	X(TYPE_BOOLEAN,     "boolean")                                                                                     \
	X(TYPE_JSON,        "json")        /* any JSON up to 64 KiB */

enum field_type {
#define X(id, name) id,
	FIELD_TYPE_LIST(X)
#undef X
	TYPE_COUNT
};

/*    id             name      meaning; a and b are its numbers */
#define FIELD_MASK_LIST(X)                                                                                              \
	X(MASK_STARS,    "stars")  /* ***, whatever the length */                                                          \
	X(MASK_KEEP,     "keep")   /* first a and last b characters, "****" between; of a text no longer than a + b: **** */  \
	X(MASK_EMAIL,    "email")  /* z***@example.com */                                                                  \
	X(MASK_PHONE,    "phone")  /* 138****1234 for a Chinese mobile; else country code and last four */                 \
	X(MASK_NAME,     "name")   /* 张*, 张*明; Western: J*** S**** */                                                    \
	X(MASK_YEAR,     "year")   /* date to its year */                                                                  \
	X(MASK_DECADE,   "decade") /* date to its decade: 1990s */                                                         \
	X(MASK_CITY,     "city")   /* address to its city (and region) */

enum field_mask_kind {
#define X(id, name) id,
	FIELD_MASK_LIST(X)
#undef X
	MASK_COUNT
};

struct field_mask {
	char name[FIELD_NAME_MAX]; /* as policy names it: masked(NAME); the strongest form of a field is named "default" or not */
	enum field_mask_kind kind;
	uint8_t a, b;
};

/* How a value is brought to the one form in which the index compares it. */
enum field_normaliser {
	NORMALISE_NONE,   /* bytes as stored */
	NORMALISE_TEXT,   /* NFKC, case fold, trim, blanks to one */
	NORMALISE_EMAIL,  /* NFKC; domain lower-cased, local part folded */
	NORMALISE_PHONE,  /* E.164 */
	NORMALISE_ALNUM,  /* NFKC, upper case, letters and digits only */
	NORMALISE_COUNT
};

/* A declared field or record kind; one row of the dictionary. */
struct field {
	uint16_t number; /* from 1, never reused; fields and kinds share the space */
	bool record;     /* a record kind: type is TYPE_JSON, no masks, no index */
	bool list;       /* up to 100 values, sealed as one unit */
	bool indexed;
	bool retired;    /* no longer written; what is stored is still read */
	enum field_type type;
	enum field_normaliser normaliser;
	uint16_t normaliser_version; /* "transform" of the blind index */
	uint32_t max_len;            /* bytes of one value; 0: what the type allows at most */
	uint32_t retention_days;     /* 0: none */
	uint32_t version;            /* of this declaration */
	char name[FIELD_NAME_MAX];
	char class_name[FIELD_NAME_MAX];
	size_t n_masks;
	struct field_mask masks[FIELD_MASKS_MAX]; /* weakest first */
};

/* Names both ways; false where there is no such name. */
const char *field_type_name(enum field_type t);
bool field_type_of(const char *name, enum field_type *out);
const char *field_mask_name(enum field_mask_kind k);
bool field_mask_of(const char *name, enum field_mask_kind *out);
const char *field_normaliser_name(enum field_normaliser n);
bool field_normaliser_of(const char *name, enum field_normaliser *out);
/* What a declaration that names no normaliser gets. */
enum field_normaliser field_default_normaliser(enum field_type t);
/* Bytes of the longest value: max_len, but never more than the type allows. */
uint32_t field_max_len(const struct field *f);
/* Name of a field, class, purpose, kind: [a-z][a-z0-9_]{0,46} */
bool field_name_valid(const char *name);

/* Is the declaration itself sound: do masks and normaliser fit the type, are
 * masks few, named apart and weakest first as far as they can be compared, does
 * a keep mask leave enough hidden, is an index allowed (not for types with few
 * distinct values: date, birth_date, gender, integer, boolean; nor address and
 * json)? Looks at all members but number and versions. why gets a line, which
 * holds no more than what the declaration says. ERR_DICTIONARY. */
enum err field_declaration_check(const struct field *f, struct buf *why) MUST_CHECK;

/* Checks one scalar text value (all types but address, integer, boolean, json,
 * which codec checks by their JSON type) and appends its stored form to out.
 * country: ISO 3166 alpha-2, for phones in national form.
 * ERR_INVALID_VALUE, ERR_CHECK_DIGIT, ERR_VALUE_TOO_LONG. */
/* Is this the code of a country whose telephone numbers can be read? */
bool field_country_known(const char *country);
enum err field_check(const struct field *f, const char *country, const char *text, size_t len, struct buf *out) MUST_CHECK;
/* Appends the index form of a stored value (or of what a caller searches,
 * after field_check). May be empty: text of invisible characters only.
 * ERR_INVALID_VALUE: no UTF-8. */
enum err field_normalise(const struct field *f, const char *text, size_t len, struct buf *out) MUST_CHECK;
/* Appends the masked text. For MASK_CITY the caller passes the city itself. A
 * text that has not the shape for the mask (no e-mail address, no date, ...)
 * shows "***". ERR_DICTIONARY: no such mask. */
enum err field_mask(enum field_mask_kind kind, uint8_t a, uint8_t b, const char *text, size_t len, struct buf *out) MUST_CHECK;

#endif
