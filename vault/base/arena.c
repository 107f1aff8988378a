/* arena.c: chunks of arena.h, doubling up to 1 MiB. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)

struct arena_chunk {
	struct arena_chunk *older;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit ? limit : (size_t)64 << 20};
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *c = a->last;

	while (c) {
		struct arena_chunk *older = c->older;

		explicit_bzero(c->bytes, c->used);
		free(c);
		c = older;
	}
	arena_init(a, a->limit);
}

static struct arena_chunk *add_chunk(struct arena *a, size_t need)
{
	size_t cap = a->last ? a->last->cap * 2 : CHUNK_MIN - sizeof(struct arena_chunk);
	struct arena_chunk *c;

	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	if (cap < need)
		cap = need;
	if (cap > a->limit - a->total)
		return NULL;
	c = malloc(sizeof *c + cap);
	if (!c)
		return NULL;
	*c = (struct arena_chunk){.older = a->last, .cap = cap};
	a->last = c;
	a->total += cap;
	return c;
}

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *c = a->last;
	void *at;

	if (len > a->limit)
		return NULL;
	len = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!c || len > c->cap - c->used) {
		c = add_chunk(a, len);
		if (!c)
			return NULL;
	}
	at = c->bytes + c->used;
	c->used += len;
	return memset(at, 0, len);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	return arena_alloc(a, len);
}

char *arena_copy(struct arena *a, const void *bytes, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}
