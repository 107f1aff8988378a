/* floor: app */
/* Lines of a calendar: each that is taken is one day or none, and a term always ends. */
#include "vault/app/rights_term.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct calendar c = {.n_off = 0};
	const uint8_t *at = data, *end = data + len;
	int64_t due;

	while (at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
		const size_t before = c.n_off + c.n_worked;
		const bool good = calendar_add(&c, (const char *)at, (size_t)(next - at));
		const size_t more = c.n_off + c.n_worked - before;

		if (more > 1 || (!good && more))
			abort();
		at = next;
	}
	if (!rights_due("pipl", 0, true, &c, 60, &due) || due <= 0)
		abort();
	return 0;
}
