/* floor: app */
/* fuzz_route.c: any method and path against the table of routes. */
#include "vault/app/req_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a part of a path may not hold, whatever was sent. */
static void check(const struct route *r, const char *const params[ROUTE_PARAMS_MAX])
{
	size_t parts = 0;

	for (const char *at = r->pattern; *at; at++)
		parts += *at == '{';
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		if ((i < parts) != (params[i] != NULL) || (params[i] && (!params[i][0] || (!(r->flags & ROUTE_REST) && strchr(params[i], '/')))))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	const char *params[ROUTE_PARAMS_MAX] = {NULL}, *allowed;
	const struct route *r;
	struct arena arena;
	char *path;

	if (size == 0)
		return 0;
	arena_init(&arena, 0);
	path = arena_copy(&arena, data + 1, size - 1);
	if (!path)
		abort();
	r = route_find(methods[data[0] % 5], path, &arena, params, &allowed);
	if (r)
		check(r, params);
	if (r && allowed)
		abort();
	arena_fini(&arena);
	return 0;
}
