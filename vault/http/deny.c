/* deny.c: the deny list: text into a sorted table. */
#include "credentials_int.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool deny_serial(const char *text, size_t len, char out[static CREDENTIALS_SERIAL_MAX])
{
	size_t n = 0;
	bool any = false;

	for (size_t i = 0; i < len; i++) {
		const int digit = hex_digit(text[i]);

		if (text[i] == ':' && any && i + 1 < len)
			continue;
		if (digit < 0)
			return false;
		any = true;
		if (n == 0 && digit == 0)
			continue; /* leading zeros */
		if (n + 1 >= CREDENTIALS_SERIAL_MAX)
			return false;
		out[n++] = "0123456789abcdef"[digit];
	}
	if (any && n == 0)
		out[n++] = '0';
	out[n] = 0;
	return any;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err add(struct deny_list *d, const char *text, size_t len)
{
	char serial[CREDENTIALS_SERIAL_MAX];
	char **more, *entry;

	if (spiffe_domain_len(text, len) == 0) {
		if (!deny_serial(text, len, serial))
			return ERR_CONFIG;
		text = serial;
		len = strlen(serial);
	}
	more = realloc(d->entries, (d->n + 1) * sizeof *more);
	if (!more)
		return ERR_MEMORY;
	d->entries = more;
	entry = strndup(text, len);
	if (!entry)
		return ERR_MEMORY;
	d->entries[d->n++] = entry;
	return ERR_OK;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its newline: comment and spaces away, the rest is an entry or nothing. */
static enum err add_line(struct deny_list *d, const char *line, size_t len)
{
	const char *comment = memchr(line, '#', len);

	if (comment)
		len = (size_t)(comment - line);
	for (; len > 0 && is_space(*line); line++)
		len--;
	while (len > 0 && is_space(line[len - 1]))
		len--;
	return len == 0 ? ERR_OK : add(d, line, len);
}

enum err deny_parse(struct deny_list *d, const char *text, size_t len, size_t *line_out)
{
	enum err e = ERR_OK;
	size_t line = 0;

	*d = (struct deny_list){0};
	while (len > 0 && e == ERR_OK) {
		const char *newline = memchr(text, '\n', len);
		const size_t line_len = newline ? (size_t)(newline - text) : len;

		line++;
		e = add_line(d, text, line_len);
		text += line_len + (newline ? 1 : 0);
		len -= line_len + (newline ? 1 : 0);
	}
	*line_out = line;
	if (e != ERR_OK)
		deny_fini(d);
	else if (d->n > 0)
		qsort(d->entries, d->n, sizeof *d->entries, compare);
	return e;
}

bool deny_has(const struct deny_list *d, const char *entry)
{
	return d->n > 0 && bsearch(&entry, d->entries, d->n, sizeof *d->entries, compare) != NULL;
}

void deny_fini(struct deny_list *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->entries[i]);
	free(d->entries);
	*d = (struct deny_list){0};
}
