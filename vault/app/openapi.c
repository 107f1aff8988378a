/* openapi.c: GET /openapi.json: the document beside this file, compiled in. */
#include "vault/app/operations.h"

#include "store/embed.h"

#include <string.h>

enum step openapi_decide(struct req *r, struct batch *b)
{
	(void)b;
	for (const struct embedded *f = embedded; f->path; f++)
		if (!strcmp(f->path, "vault/app/openapi.json"))
			buf_append(&r->out, f->start, (size_t)(f->end - f->start));
	return r->out.len ? STEP_DONE : STEP_FAIL;
}
