/* csv.c: one line into cells. */
#include "ctl/csv.h"

#include <string.h>

void csv_row_init(struct csv_row *r)
{
	*r = (struct csv_row){.n = 0};
	buf_init(&r->text, 0);
}

void csv_row_fini(struct csv_row *r)
{
	buf_fini(&r->text);
}

/* A quoted cell from behind its first quote; gives the place behind its last one. NULL: it does not end. */
static const char *take_quoted(struct csv_row *r, const char *at, const char *end)
{
	while (at < end) {
		if (*at != '"') {
			buf_byte(&r->text, (uint8_t)*at++);
		} else if (at + 1 < end && at[1] == '"') {
			buf_byte(&r->text, '"');
			at += 2;
		} else {
			return at + 1;
		}
	}
	return NULL;
}

static const char *take_plain(struct csv_row *r, const char *at, const char *end)
{
	while (at < end && *at != ',') {
		if (*at == '"')
			return NULL;
		buf_byte(&r->text, (uint8_t)*at++);
	}
	return at;
}

bool csv_row_read(struct csv_row *r, const char *line, size_t len)
{
	const char *at = line, *end;

	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	end = line + len;
	buf_reset(&r->text);
	r->n = 0;
	if (memchr(line, 0, len))
		return false;
	for (;;) {
		if (r->n == CSV_CELLS_MAX)
			return false;
		r->at[r->n] = r->text.len;
		at = at < end && *at == '"' ? take_quoted(r, at + 1, end) : take_plain(r, at, end);
		if (!at || (at < end && *at != ','))
			return false;
		r->len[r->n] = r->text.len - r->at[r->n];
		r->n++;
		buf_byte(&r->text, 0);
		if (at == end)
			return buf_ok(&r->text);
		at++;
	}
}

const char *csv_cell(const struct csv_row *r, size_t i)
{
	return (const char *)r->text.data + r->at[i];
}
