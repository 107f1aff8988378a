/* text.c: UTF-8 and tables of text.h. */
#include "ctl/text.h"

#include <string.h>
#include <wchar.h>

uint32_t text_take(const char **text, size_t *len)
{
	const unsigned char *at = (const unsigned char *)*text;
	const size_t more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	static const unsigned char bits[] = {0x7f, 0x1f, 0x0f, 0x07};
	uint32_t point = *at & bits[more];
	bool good = (*at < 0x80 || (*at >= 0xc2 && *at <= 0xf4)) && *len > more;

	for (size_t i = 1; good && i <= more; i++) {
		good = (at[i] & 0xc0) == 0x80;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (!good || point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
		*text += 1;
		*len -= 1;
		return UINT32_MAX;
	}
	*text += more + 1;
	*len -= more + 1;
	return point;
}

bool text_is_utf8(const char *text, size_t len)
{
	while (len)
		if (text_take(&text, &len) == UINT32_MAX)
			return false;
	return true;
}

/* Changes the direction of what follows, so that a line reads as what it is not. */
static bool is_direction(uint32_t point)
{
	return point == 0x61c || point == 0x200e || point == 0x200f || (point >= 0x202a && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069);
}

size_t text_clean(const char *text, size_t len, bool lines, struct buf *out)
{
	size_t width = 0;

	while (len) {
		const char *start = text;
		const uint32_t point = text_take(&text, &len);
		const int columns = point == UINT32_MAX || is_direction(point) ? -1 : wcwidth((wchar_t)point);

		if (lines && (point == '\n' || point == '\t')) {
			buf_byte(out, (uint8_t)point);
		} else if (columns < 0 || point == 0) {
			buf_text(out, "\xef\xbf\xbd");
			width++;
		} else {
			buf_append(out, start, (size_t)(text - start));
			width += (size_t)columns;
		}
	}
	return width;
}

void table_init(struct table *t, const char *const *headings, size_t n_columns)
{
	*t = (struct table){.headings = headings, .n_columns = n_columns};
	buf_init(&t->text, 0);
	buf_init(&t->cells, 0);
}

void table_fini(struct table *t)
{
	buf_fini(&t->text);
	buf_fini(&t->cells);
}

void table_cell(struct table *t, const char *text, size_t len)
{
	struct table_cell cell = {.start = t->text.len};

	cell.width = text_clean(text, len, false, &t->text);
	cell.len = t->text.len - cell.start;
	buf_append(&t->cells, &cell, sizeof cell);
}

static struct table_cell cell_at(const struct table *t, size_t i)
{
	struct table_cell cell;

	memcpy(&cell, t->cells.data + i * sizeof cell, sizeof cell);
	return cell;
}

struct line {
	struct buf *out;
	size_t owed; /* spaces to write before the next text */
	bool started;
};

static void put(struct line *l, const char *text, size_t len, size_t width, size_t column_width)
{
	if (l->started)
		l->owed += 2;
	l->started = true;
	if (len) {
		buf_printf(l->out, "%*s", (int)l->owed, "");
		l->owed = 0;
	}
	buf_append(l->out, text, len);
	l->owed += column_width - width;
}

static void end_line(struct line *l)
{
	buf_byte(l->out, '\n');
	*l = (struct line){.out = l->out};
}

void table_render(const struct table *t, struct buf *out)
{
	const size_t n_cells = t->cells.len / sizeof(struct table_cell);
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	struct line line = {.out = out};

	if (!buf_ok(&t->text) || !buf_ok(&t->cells)) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < n_cells; i++) {
		const struct table_cell cell = cell_at(t, i);

		if (cell.width > widths[i % t->n_columns])
			widths[i % t->n_columns] = cell.width;
	}
	if (n_cells == 0)
		return;
	/* Headings are ASCII. A column without content keeps width 0 and is left out. */
	for (size_t c = 0; c < t->n_columns; c++)
		if (widths[c] && strlen(t->headings[c]) > widths[c])
			widths[c] = strlen(t->headings[c]);
	for (size_t c = 0; c < t->n_columns; c++)
		if (widths[c])
			put(&line, t->headings[c], strlen(t->headings[c]), strlen(t->headings[c]), widths[c]);
	end_line(&line);
	for (size_t i = 0; i < n_cells; i++) {
		const struct table_cell cell = cell_at(t, i);

		if (widths[i % t->n_columns])
			put(&line, (const char *)t->text.data + cell.start, cell.len, cell.width, widths[i % t->n_columns]);
		if (i % t->n_columns == t->n_columns - 1)
			end_line(&line);
	}
}
