/* arena.h: memory of one request, given back and wiped at once.
 *
 * Allocation is a pointer bump; nothing is freed singly. Whatever a request
 * parses or decrypts lives here, so that the end of the request wipes it.
 * Not for two threads at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *last; /* newest chunk, linked to older ones */
	size_t total;             /* bytes held in all */
	size_t limit;             /* arena_alloc fails past this */
};

/* limit 0 means 64 MiB. Allocates nothing. */
void arena_init(struct arena *a, size_t limit);
/* Wipes and frees all; usable again after. */
void arena_fini(struct arena *a);
/* Zeroed memory, aligned for any type, alive until arena_fini; NULL at no memory or over the limit. */
void *arena_alloc(struct arena *a, size_t len);
/* n elements of size; NULL also where n * size overflows. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of len bytes with a NUL behind them. */
char *arena_copy(struct arena *a, const void *bytes, size_t len);

#endif
