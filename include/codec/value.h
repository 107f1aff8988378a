/* value.h: a customer's value between JSON and storage, by its field.
 *
 * What is sealed is compact JSON text of the value in stored form: a string
 * `"..."`, `42`, `true`, an object, or for a list field an array of those. So a
 * plain reply copies it and a masked one rewrites it. */
#ifndef CODEC_VALUE_H
#define CODEC_VALUE_H

#include "base/buf.h"
#include "codec/doc.h"
#include "field/field.h"

#define VALUE_LIST_MAX 100
#define VALUE_STORED_MAX ((size_t)512 << 10) /* bytes of stored text, a whole list together */

/* Checks a value (a list's each) and appends the stored JSON text; after an error
 * nothing. element (may be NULL) gets the index of the list element at fault.
 * Errors as field_check, and ERR_INVALID_VALUE for a wrong JSON type (null too),
 * an unknown or empty address member, an address without members, an empty list,
 * a record that is no object; ERR_VALUE_TOO_LONG for a list over VALUE_LIST_MAX. */
enum err value_store(const struct field *f, const char *country, const struct node *n, struct buf *out,
                     size_t *element) MUST_CHECK;
/* Appends the JSON text of the stored text under mask number mask of the field
 * (a list: each element). An address under MASK_CITY is "city, region"; what is
 * no string is "***". Takes some 50 to 400 ns, and allocates only to grow out or
 * where a string holds escapes. ERR_DICTIONARY: no such mask; ERR_INTERNAL: not
 * what value_store wrote. After an error nothing is appended. */
enum err value_mask(const struct field *f, size_t mask, const char *stored, size_t len, struct buf *out) MUST_CHECK;
/* Calls each for the index form of each element (scalar: once), in order, equal
 * ones as often as they come; one whose index form is empty has none. Stops at
 * the first error. ERR_INTERNAL: not the stored text of a type of text. */
enum err value_index(const struct field *f, const char *stored, size_t len,
                     enum err (*each)(void *ctx, const void *normalised, size_t len), void *ctx) MUST_CHECK;

/* A declaration as JSON, both ways: {"type","class","normaliser","masks":[{"name","kind","keep":[a,b]}],
 * "index":bool,"list":bool,"retention_days":n|null,"max_length":n}. number,
 * name, record, retired and version are not in it and stay untouched. type and
 * class are required; what else is absent gets its default (normaliser: the
 * type's; max_length: the type's most). "keep" belongs to masks of kind keep and
 * to no others. Unknown members are errors. ERR_DICTIONARY: f is unchanged and
 * why has a line. Call field_declaration_check after it. */
enum err field_from_json(const struct node *n, struct field *f, struct buf *why) MUST_CHECK;
void field_to_json(const struct field *f, struct buf *out);

#endif
