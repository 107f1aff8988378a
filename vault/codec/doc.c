/* doc.c: the only file that knows jansson. It may not include base/json.h, whose
 * functions have names that jansson has too.
 *
 * A document's memory comes from an arena of its own, which wipes it. Where that
 * is at its end, the allocator leaves jansson by a long jump instead of
 * returning NULL: jansson 2.14 does not notice that the buffer of a string could
 * not grow, and would go on reading past its end. No memory is lost by the
 * jump, since all of it is the arena's; and jansson holds nothing else. */
#include "doc_int.h"

#include "base/arena.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* What one parse may take: jansson needs up to eighty times the text for
 * "[{},{},...", and about ten times for what people really send. */
#define MEMORY_BASE ((size_t)4 << 20)
#define MEMORY_PER_BYTE 20

struct doc {
	json_t *root;
	struct arena memory;
};

/* The parse that this thread is in. */
struct parse {
	struct arena *memory;
	jmp_buf out_of_memory;
};
static _Thread_local struct parse *parse;

static void *arena_malloc(size_t len)
{
	void *memory;

	if (!parse)
		return NULL; /* nothing that we call outside of a parse allocates */
	memory = arena_alloc(parse->memory, len);
	if (!memory)
		longjmp(parse->out_of_memory, 1);
	return memory;
}

static void arena_free(void *memory)
{
	(void)memory;
}

static void set_up(void)
{
	json_set_alloc_funcs(arena_malloc, arena_free);
	json_object_seed(0); /* from the system's random source, so that nobody can aim at one hash bucket */
}

void doc_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
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
static enum err parse_into(struct doc *d, const void *text, size_t len)
{
	struct parse here = {.memory = &d->memory};
	json_error_t error;
	enum err e = ERR_LIMIT;

	if (setjmp(here.out_of_memory) == 0) {
		parse = &here;
		d->root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
		e = d->root ? ERR_OK : ERR_MALFORMED_JSON;
		explicit_bzero(&error, sizeof error); /* it quotes the text near the fault */
	}
	parse = NULL;
	return e;
}

enum err doc_parse_within(const void *text, size_t len, size_t memory, struct doc **out)
{
	struct doc *d;
	enum err e;

	*out = NULL;
	doc_start();
	if (len == 0 || !depth_within(text, len))
		return ERR_MALFORMED_JSON;
	d = calloc(1, sizeof *d);
	if (!d)
		return ERR_MEMORY;
	arena_init(&d->memory, memory);
	e = parse_into(d, text, len);
	if (e) {
		doc_free(d);
		return e;
	}
	*out = d;
	return ERR_OK;
}

enum err doc_parse(const void *text, size_t len, struct doc **out)
{
	return doc_parse_within(text, len, MEMORY_BASE + len * MEMORY_PER_BYTE, out);
}

void doc_free(struct doc *d)
{
	if (!d)
		return;
	arena_fini(&d->memory);
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
