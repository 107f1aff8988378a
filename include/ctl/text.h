/* text.h: text for a terminal: UTF-8, display width, tables. Pure.
 *
 * What the vault stores was typed by strangers: control characters, escape
 * sequences and direction overrides must not reach a terminal, so each is shown
 * as U+FFFD. Widths are wcwidth's, so LC_CTYPE must be a UTF-8 locale. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes one code point from *text of *len bytes; UINT32_MAX and one byte where
 * there is none (RFC 3629: no surrogates, no overlong forms). *len must not be 0. */
uint32_t text_take(const char **text, size_t *len);
bool text_is_utf8(const char *text, size_t len);
/* Appends text fit for a terminal; newlines and tabs stay where lines is set.
 * Returns the columns it takes (without meaning where lines is set). */
size_t text_clean(const char *text, size_t len, bool lines, struct buf *out);

/* A table: cells are added row by row; columns that are empty in every row are left out. */
#define TABLE_COLUMNS_MAX 16
struct table_cell {
	size_t start, len; /* in text */
	size_t width;
};
struct table {
	const char *const *headings; /* borrowed */
	size_t n_columns;
	struct buf text;
	struct buf cells; /* of struct table_cell */
};

/* n_columns: 1 to TABLE_COLUMNS_MAX. */
void table_init(struct table *t, const char *const *headings, size_t n_columns);
void table_fini(struct table *t);
void table_cell(struct table *t, const char *text, size_t len);
/* Appends heading and rows: two spaces between columns, none at an end. Errors are out's sticky one. */
void table_render(const struct table *t, struct buf *out);

#endif
