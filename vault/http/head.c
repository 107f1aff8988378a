/* head.c: a request's head: look-ups for the handler, and the checks that MHD leaves out.
 *
 * MHD 0.9.75 takes the first of two Content-Length headers, lets
 * Transfer-Encoding win over Content-Length, reads a body to the end of the
 * connection when the encoding is not "chunked", adds a folded line to the name
 * of the header before it, and keeps a space before the colon in the name. Each of these lets a reader in front of
 * us see other requests than we do, so each is refused. */
#include "http_int.h"

#include <string.h>
#include <strings.h>

/* What a header or parameter given twice reads as: no valid value of anything. */
static const char no_value[] = "\x01";

struct lookup {
	const char *name;
	const char *value;
};

static enum MHD_Result find_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct lookup *l = ctx;

	(void)kind;
	if (strcasecmp(name, l->name) != 0)
		return MHD_YES;
	if (l->value) {
		l->value = no_value;
		return MHD_NO;
	}
	l->value = value ? value : "";
	return MHD_YES;
}

static enum MHD_Result find_query(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct lookup *l = ctx;

	(void)kind;
	if (strcmp(name, l->name) != 0)
		return MHD_YES;
	if (l->value) {
		l->value = no_value;
		return MHD_NO;
	}
	l->value = value ? value : "";
	return MHD_YES;
}

static const char *header(void *connection, const char *name)
{
	const struct connection *c = connection;
	struct lookup l = {.name = name};

	MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, find_header, &l);
	return l.value;
}

static const char *query(void *connection, const char *name)
{
	const struct connection *c = connection;
	struct lookup l = {.name = name};

	MHD_get_connection_values(c->mhd, MHD_GET_ARGUMENT_KIND, find_query, &l);
	return l.value;
}

struct every {
	void (*each)(void *ctx, const char *name, const char *value);
	void *ctx;
};

static enum MHD_Result pass_on(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const struct every *e = ctx;

	(void)kind;
	e->each(e->ctx, name, value ? value : "");
	return MHD_YES;
}

static void query_each(void *connection, void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	const struct connection *c = connection;
	struct every e = {.each = each, .ctx = ctx};

	MHD_get_connection_values(c->mhd, MHD_GET_ARGUMENT_KIND, pass_on, &e);
}

void head_init(struct http_head *h, struct connection *c, const char *method, const char *path)
{
	*h = (struct http_head){
	    .peer = &c->peer,
	    .method = method,
	    .path = path,
	    .connection = c,
	    .header = header,
	    .query = query,
	    .query_each = query_each,
	};
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t head_unescape(void *unused, struct MHD_Connection *mhd, char *text)
{
	char *to = text;

	(void)unused;
	(void)mhd;
	for (const char *from = text; *from; from++) {
		char c = *from;

		if (c == '%') {
			const int high = hex_value(from[1]);
			const int low = high < 0 ? -1 : hex_value(from[2]);

			c = no_value[0];
			if (low >= 0) {
				c = (char)(high << 4 | low);
				from += 2;
			}
		}
		*to++ = (unsigned char)c < 0x20 || c == 0x7f ? no_value[0] : c;
	}
	*to = 0;
	return (size_t)(to - text);
}

struct framing {
	unsigned lengths, encodings, hosts;
	const char *length, *encoding;
	bool bad;
};

/* RFC 9110, 5.6.2 */
static bool is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if (!*name)
		return false;
	for (; *name; name++) {
		const char lower = (char)(*name | 0x20);

		if (!(lower >= 'a' && lower <= 'z') && !(*name >= '0' && *name <= '9') && !strchr(marks, *name))
			return false;
	}
	return true;
}

static bool is_field_value(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

/* MHD ends the name at the colon and the value at the line's end, in the bytes as they came: only blanks lie between the
 * two. A line that it has folded has its name elsewhere, and so nothing tells them apart but where they lie. */
static bool is_one_line(const char *name, const char *value)
{
	const uintptr_t gap_at = (uintptr_t)name + strlen(name) + 1, value_at = (uintptr_t)value;

	if (!value || value_at < gap_at || value_at - gap_at >= HTTP_CONNECTION_MEMORY)
		return false;
	for (const char *gap = name + strlen(name) + 1; gap < value; gap++)
		if (*gap != ' ' && *gap != '\t')
			return false;
	return true;
}

static enum MHD_Result note_framing(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *f = ctx;

	(void)kind;
	if (!is_token(name) || !is_one_line(name, value) || !is_field_value(value)) {
		f->bad = true;
		return MHD_NO;
	}
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		f->lengths++;
		f->length = value;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		f->encodings++;
		f->encoding = value;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		f->hosts++;
	}
	return MHD_YES;
}

/* MHD has taken the number already; here it only must be one of digits. */
static bool read_length(const char *text, uint64_t *out)
{
	uint64_t v = 0;

	if (!text || !*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	*out = v;
	return true;
}

static bool is_plain_path(const char *path)
{
	if (*path != '/')
		return false;
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return false;
	return true;
}

enum err head_check(struct MHD_Connection *mhd, const char *path, const char *version, bool *body, uint64_t *length,
		    bool *must_close)
{
	struct framing f = {0};

	MHD_get_connection_values(mhd, MHD_HEADER_KIND, note_framing, &f);
	*length = 0;
	*must_close = f.bad || f.hosts > 1 || (f.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0) ||
		      f.lengths > 1 || f.encodings > 1 || (f.lengths > 0 && f.encodings > 0) ||
		      (f.encodings > 0 && strcasecmp(f.encoding, "chunked") != 0) ||
		      (f.encodings > 0 && strcmp(version, MHD_HTTP_VERSION_1_1) != 0) ||
		      (f.lengths > 0 && !read_length(f.length, length));
	if (f.encodings > 0)
		*length = UINT64_MAX;
	*body = *length > 0;
	if (*must_close)
		return ERR_BAD_HEADER;
	return is_plain_path(path) ? ERR_OK : ERR_NO_ROUTE;
}

bool head_expects_continue(struct MHD_Connection *mhd)
{
	const char *expect = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);

	return expect && strcasecmp(expect, "100-continue") == 0;
}
