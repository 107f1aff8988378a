/* csv.h: lines of CSV (RFC 4180) as cells. A record is one line: quoted cells hold no newline. Pure. */
#ifndef CTL_CSV_H
#define CTL_CSV_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_CELLS_MAX 32

struct csv_row {
	struct buf text; /* of all cells, a NUL behind each */
	size_t at[CSV_CELLS_MAX], len[CSV_CELLS_MAX];
	size_t n;
};

void csv_row_init(struct csv_row *r);
void csv_row_fini(struct csv_row *r);
/* Replaces what it held by the line's cells; a line end is none of it. false: a quote that is not closed or stands inside
 * of a plain cell, a NUL, too many cells, or no memory. */
bool csv_row_read(struct csv_row *r, const char *line, size_t len);
const char *csv_cell(const struct csv_row *r, size_t i);

#endif
