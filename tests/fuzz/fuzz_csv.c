/* floor: ctl */
/* Any line as CSV: what is taken, written again with every cell quoted, is the same cells. */
#include "ctl/csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void write_again(const struct csv_row *r, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++) {
		buf_text(out, i ? ",\"" : "\"");
		for (size_t k = 0; k < r->len[i]; k++) {
			const char c = csv_cell(r, i)[k];

			buf_byte(out, (uint8_t)c);
			if (c == '"')
				buf_byte(out, '"');
		}
		buf_byte(out, '"');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct csv_row first, second;
	struct buf again;

	csv_row_init(&first);
	csv_row_init(&second);
	buf_init(&again, 0);
	if (csv_row_read(&first, (const char *)data, len)) {
		write_again(&first, &again);
		if (!csv_row_read(&second, (const char *)again.data, again.len) || first.n != second.n)
			abort();
		for (size_t i = 0; i < first.n; i++)
			if (first.len[i] != second.len[i] || memcmp(csv_cell(&first, i), csv_cell(&second, i), first.len[i]) != 0)
				abort();
	}
	buf_fini(&again);
	csv_row_fini(&first);
	csv_row_fini(&second);
	return 0;
}
