/* field_int.h: what the files of the field floor share: Unicode text by
 * character, and the checker of each type. */
#ifndef FIELD_FIELD_INT_H
#define FIELD_FIELD_INT_H

#include "field/field.h"

/* ---- unicode.c: the only file that knows utf8proc ---- */

enum char_kind {
	CHAR_LETTER, /* L*, Nl, and planes 2 and 3: Han that this library may be too old to know */
	CHAR_MARK,   /* M*, and the two joiners that Indic and Persian spelling needs */
	CHAR_DIGIT,  /* Nd */
	CHAR_BLANK,  /* Zs */
	CHAR_CONTROL,
	CHAR_OTHER
};

/* Bytes of the first code point, 0 where text is empty or no UTF-8 (RFC 3629). */
size_t text_next(const char *text, size_t len, uint32_t *cp);
/* UTF-8 without NUL? */
bool text_valid(const char *text, size_t len);
enum char_kind text_kind(uint32_t cp);
bool text_is_han(uint32_t cp);
/* Bytes of the first character as a reader sees it: a grapheme cluster of UAX
 * 29, so that marks stay with their base. 1 at a byte that is no UTF-8; 0 only
 * where text is empty. */
size_t text_character(const char *text, size_t len);
/* Printable ASCII only, where each byte is a character? */
bool text_is_plain(const char *text, size_t len);
/* Appends NFKC_Casefold (fold) or NFKC of the text. ERR_INVALID_VALUE, ERR_MEMORY. */
enum err text_nfkc(const char *text, size_t len, bool fold, struct buf *out) MUST_CHECK;
uint32_t text_upper(uint32_t cp);
/* Writes the code point as UTF-8. */
void text_put(struct buf *out, uint32_t cp);

/* ---- one checker a type: text is valid UTF-8, not empty; appends the stored form ---- */

typedef enum err field_checker(const char *country, const char *text, size_t len, struct buf *out);

field_checker text_check, name_check, date_check, birth_date_check, gender_check;         /* personal.c */
field_checker email_check, url_check, ip_check;                                           /* contact.c */
field_checker phone_check;                                                                /* phone.c */
field_checker resident_id_check, passport_check, bank_card_check, iban_check, uscc_check; /* identifiers.c */

/* YYYY-MM-DD of the proleptic Gregorian calendar, years 1 to 9999? */
bool date_valid(const char text[static 10]);
/* A valid date from 1850 to today, wherever on earth today is latest? */
bool birth_date_valid(const char text[static 10]);
/* How many of the digits of an E.164 number are its country calling code (ITU-T E.164). */
size_t calling_code_len(const char *digits, size_t len);

/* ---- types.c ---- */

/* What a type allows, one row a type. */
struct field_type_info {
	const char *name;
	field_checker *check;             /* NULL: codec checks it by its JSON type */
	enum field_normaliser normaliser; /* the default */
	uint32_t normalisers;             /* bit n: normaliser n fits */
	uint32_t masks;                   /* bit k: mask kind k fits */
	uint8_t keep_max;                 /* most characters that MASK_KEEP may show */
	bool index;                       /* enough distinct values for a blind index */
	uint32_t max_len;                 /* bytes of the longest value */
};
const struct field_type_info *field_type_info(enum field_type t);

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

#endif
