/* doc.h: JSON from outside, parsed within limits. The only place that sees
 * jansson: a struct doc is the parsed text, a struct node a value inside it.
 *
 * Refused with ERR_MALFORMED_JSON: not UTF-8, duplicate keys, depth over 32, a
 * NUL in a string or key (\u0000), a lone surrogate, trailing bytes, a number
 * that is no finite double or overflows int64. Depth is bounded before parsing.
 * Memory that jansson used is wiped when it is given back. A text that would
 * take more than 4 MiB and 20 times its own length is refused with ERR_LIMIT.
 * A doc belongs to one thread at a time. */
#ifndef CODEC_DOC_H
#define CODEC_DOC_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOC_DEPTH_MAX 32

struct doc;
struct node; /* borrowed from its doc; NULL means absent and every call takes it */

/* At start, before threads: sets jansson's allocator and hash seed. doc_parse
 * does it where this was forgotten. */
void doc_start(void);

enum err doc_parse(const void *text, size_t len, struct doc **out) MUST_CHECK;
void doc_free(struct doc *d); /* wipes; NULL is allowed */
const struct node *doc_root(const struct doc *d);

enum node_type { NODE_ABSENT, NODE_NULL, NODE_BOOL, NODE_INT, NODE_REAL, NODE_STRING, NODE_ARRAY, NODE_OBJECT };
enum node_type node_type(const struct node *n);
bool node_bool(const struct node *n);
int64_t node_int(const struct node *n);
double node_real(const struct node *n);
/* The bytes, NUL behind them; NULL where it is no string. */
const char *node_string(const struct node *n, size_t *len);
/* Elements of an array or members of an object. */
size_t node_count(const struct node *n);
const struct node *node_at(const struct node *array, size_t i);
const struct node *node_get(const struct node *object, const char *key);

/* Members in the order in which they came. */
struct node_iter {
	const struct node *object;
	void *at;
	const char *key; /* of the member returned last */
	size_t key_len;
};
struct node_iter node_members(const struct node *object);
/* Next member's value, or NULL at the end. */
const struct node *node_next(struct node_iter *it);

/* First member whose key is not in allowed (NULL-ended), or NULL: "unknown keys are errors". */
const char *node_unknown_key(const struct node *object, const char *const *allowed);

/* Compact JSON of a value: UTF-8, no escape but needed ones, members in the
 * order in which they came, doubles in the fewest digits that read back the same. */
enum err node_print(const struct node *n, struct buf *out) MUST_CHECK;

#endif
