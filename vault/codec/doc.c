/* doc.c: the only file that knows jansson. It may not include base/json.h, whose
 * functions have names that jansson has too. */
#include "codec/doc.h"

#include <jansson.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* What one parse may allocate: jansson needs up to eighty times the text for
 * "[[],[],...", some ten times for what people really send. */
#define MEMORY_BASE ((size_t)4 << 20)
#define MEMORY_PER_BYTE 20

struct doc {
	json_t *root;
};

/* Before each piece of jansson's memory, since its free hook gets no size. */
struct piece {
	alignas(max_align_t) size_t len;
};

static _Thread_local size_t memory_left;
static _Thread_local enum err memory_error;

static void *wiping_malloc(size_t len)
{
	struct piece *p;

	if (len > memory_left) {
		memory_error = ERR_LIMIT;
		return NULL;
	}
	p = malloc(sizeof *p + len);
	if (!p) {
		memory_error = ERR_MEMORY;
		return NULL;
	}
	p->len = len;
	memory_left -= len;
	return p + 1;
}

static void wiping_free(void *memory)
{
	struct piece *p = memory;

	if (!p)
		return;
	p--;
	memory_left += p->len;
	explicit_bzero(p + 1, p->len);
	free(p);
}

void doc_start(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
	json_object_seed(0); /* from the system's random source, so that nobody can aim at one hash bucket */
}

/* jansson recurses, so depth is counted before it runs. Brackets in strings do
 * not count; a text with a broken string is refused by the parser. */
static bool depth_within(const char *text, size_t len)
{
	size_t depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				string = false;
		} else if (c == '"') {
			string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > DOC_DEPTH_MAX)
				return false;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return true;
}

/* Without JSON_ALLOW_NUL jansson refuses \u0000 in strings; in keys it does always. */
enum err doc_parse(const void *text, size_t len, struct doc **out)
{
	json_error_t error;
	struct doc *d;
	enum err e;

	*out = NULL;
	if (len == 0 || !depth_within(text, len))
		return ERR_MALFORMED_JSON;
	d = calloc(1, sizeof *d);
	if (!d)
		return ERR_MEMORY;
	memory_error = ERR_OK;
	memory_left = MEMORY_BASE + len * MEMORY_PER_BYTE;
	d->root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	e = d->root ? ERR_OK : memory_error ? memory_error : ERR_MALFORMED_JSON;
	explicit_bzero(&error, sizeof error); /* it quotes the text near the fault */
	if (e) {
		doc_free(d);
		return e;
	}
	*out = d;
	return ERR_OK;
}

void doc_free(struct doc *d)
{
	if (!d)
		return;
	json_decref(d->root);
	free(d);
}

const struct node *doc_root(const struct doc *d)
{
	return d ? (const struct node *)d->root : NULL;
}

static const json_t *inner(const struct node *n)
{
	return (const json_t *)n;
}

/* For those of jansson's readers that are not declared const. */
static json_t *inner_unconst(const struct node *n)
{
	return (json_t *)(uintptr_t)n;
}

enum node_type node_type(const struct node *n)
{
	if (!n)
		return NODE_ABSENT;
	switch (json_typeof(inner(n))) {
	case JSON_OBJECT: return NODE_OBJECT;
	case JSON_ARRAY: return NODE_ARRAY;
	case JSON_STRING: return NODE_STRING;
	case JSON_INTEGER: return NODE_INT;
	case JSON_REAL: return NODE_REAL;
	case JSON_TRUE:
	case JSON_FALSE: return NODE_BOOL;
	case JSON_NULL:
	default: return NODE_NULL;
	}
}

bool node_bool(const struct node *n)
{
	return json_is_true(inner(n));
}

int64_t node_int(const struct node *n)
{
	return json_integer_value(inner(n));
}

double node_real(const struct node *n)
{
	return json_real_value(inner(n));
}

const char *node_string(const struct node *n, size_t *len)
{
	*len = json_string_length(inner(n));
	return json_string_value(inner(n));
}

size_t node_count(const struct node *n)
{
	return json_is_array(inner(n)) ? json_array_size(inner(n)) : json_object_size(inner(n));
}

const struct node *node_at(const struct node *array, size_t i)
{
	return (const struct node *)json_array_get(inner(array), i);
}

const struct node *node_get(const struct node *object, const char *key)
{
	return (const struct node *)json_object_get(inner(object), key);
}

struct node_iter node_members(const struct node *object)
{
	return (struct node_iter){.object = json_is_object(inner(object)) ? object : NULL};
}

const struct node *node_next(struct node_iter *it)
{
	json_t *object = inner_unconst(it->object);

	if (!object)
		return NULL;
	it->at = it->at ? json_object_iter_next(object, it->at) : json_object_iter(object);
	if (!it->at) {
		*it = (struct node_iter){0};
		return NULL;
	}
	it->key = json_object_iter_key(it->at);
	it->key_len = json_object_iter_key_len(it->at);
	return (const struct node *)json_object_iter_value(it->at);
}

const char *node_unknown_key(const struct node *object, const char *const *allowed)
{
	struct node_iter it = node_members(object);

	while (node_next(&it)) {
		const char *const *at = allowed;

		while (*at && strcmp(*at, it.key) != 0)
			at++;
		if (!*at)
			return it.key;
	}
	return NULL;
}
