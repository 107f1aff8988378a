/* audit_summary.c: audit summary: who read most, who was refused what, odd hours, purposes that are new for an identity. It
 * goes through the records page by page and keeps a line an identity and purpose. */
#include "base/clock.h"
#include "ctl/commands.h"
#include "ctl/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 16384 /* of identity and purpose, or identity and refusal */
#define SHOWN 20
#define ODD_LEAST 200 /* records of an identity: below, no hour is odd */
#define HOURS 24

/* An identity with something: a purpose, a code of refusal, or nothing ("": all of it). */
struct line {
	char *actor, *what;
	int64_t n, customers; /* customers: records that name one */
	int64_t hours[HOURS]; /* of "" only */
};

struct lines {
	struct line *list;
	size_t n, cap;
};

struct summary {
	const struct arguments *a;
	struct lines identities, purposes, refusals, fresh;
	int64_t records;
	bool cut;
};

static struct line *line_of(struct summary *s, struct lines *l, const char *actor, const char *what)
{
	char *own_actor, *own_what;

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->list[i].actor, actor) && !strcmp(l->list[i].what, what))
			return &l->list[i];
	if (l->n == PAIRS_MAX) {
		s->cut = true;
		return NULL;
	}
	if (l->n == l->cap) {
		const size_t cap = l->cap ? 2 * l->cap : 64;
		struct line *moved = realloc(l->list, cap * sizeof *moved);

		if (!moved)
			return NULL;
		l->list = moved;
		l->cap = cap;
	}
	own_actor = strdup(actor);
	own_what = strdup(what);
	if (own_actor && own_what) {
		l->list[l->n] = (struct line){.actor = own_actor, .what = own_what};
		return &l->list[l->n++];
	}
	free(own_actor);
	free(own_what);
	s->cut = true;
	return NULL;
}

static void lines_fini(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->list[i].actor);
		free(l->list[i].what);
	}
	free(l->list);
}

static const char *text_of(const struct node *record, const char *member)
{
	size_t len;
	const char *text = node_string(node_get(record, member), &len);

	return text ? text : "";
}

static void take(struct summary *s, const struct node *record)
{
	const char *actor = text_of(record, "actor"), *time = text_of(record, "time"), *purpose = text_of(record, "purpose");
	const bool good = !strcmp(text_of(record, "outcome"), "success"), person = *text_of(record, "sref");
	struct line *l;

	s->records++;
	if (!*actor || !strncmp(actor, "vault:", 6))
		return;
	if (!good) {
		l = line_of(s, &s->refusals, actor, text_of(record, "code"));
		if (l)
			l->n++;
		return;
	}
	l = line_of(s, &s->identities, actor, "");
	if (l) {
		l->n++;
		l->customers += person;
		if (strlen(time) > 13 && time[11] >= '0' && time[11] <= '2' && time[12] >= '0' && time[12] <= '9')
			l->hours[(10 * (time[11] - '0') + (time[12] - '0')) % HOURS]++;
	}
	l = *purpose ? line_of(s, &s->purposes, actor, purpose) : NULL;
	if (l)
		l->n++;
}

static int ask(const struct arguments *a, const char *path, struct doc **doc)
{
	const struct client_request r = {.method = "GET", .path = path};
	struct buf body;
	int code = remote_send(a, &r, &body);

	*doc = NULL;
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	buf_fini(&body);
	return code;
}

static int read_all(struct summary *s, const char *query)
{
	struct buf path, next;
	int code;

	buf_init(&path, 0);
	buf_init(&next, 0);
	do {
		const struct node *data;
		struct doc *doc;
		const char *cursor;
		size_t len = 0;

		buf_reset(&path);
		buf_text(&path, query);
		input_query(&path, "cursor", next.len ? buf_string(&next) : NULL);
		buf_reset(&next);
		code = ask(s->a, buf_string(&path), &doc);
		data = code == CTL_OK ? node_get(doc_root(doc), "data") : NULL;
		for (size_t i = 0; i < node_count(data); i++)
			take(s, node_at(data, i));
		cursor = code == CTL_OK ? node_string(node_get(doc_root(doc), "next"), &len) : NULL;
		if (cursor)
			buf_append(&next, cursor, len);
		doc_free(doc);
	} while (code == CTL_OK && next.len);
	buf_fini(&path);
	buf_fini(&next);
	return code;
}

/* Has the identity stated the purpose before the time? The log itself is asked. */
static int find_fresh(struct summary *s, const char *since)
{
	int code = CTL_OK;

	for (size_t i = 0; i < s->purposes.n && code == CTL_OK; i++) {
		const struct line *p = &s->purposes.list[i];
		struct line *l;
		struct doc *doc;
		struct buf path;

		buf_init(&path, 0);
		buf_text(&path, "/v1/audit/records?limit=1");
		input_query(&path, "actor", p->actor);
		input_query(&path, "purpose", p->what);
		input_query(&path, "outcome", "success");
		input_query(&path, "until", since);
		code = ask(s->a, buf_string(&path), &doc);
		buf_fini(&path);
		if (code == CTL_OK && node_count(node_get(doc_root(doc), "data")) == 0 && (l = line_of(s, &s->fresh, p->actor, p->what)))
			l->n = p->n;
		doc_free(doc);
	}
	return code;
}

/* ---- what is shown ---- */

static int by_n(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->actor, y->actor);
}

static void cell(struct table *t, int64_t n)
{
	char text[24];

	table_cell(t, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)n));
}

static void show_lines(struct lines *l, const char *title, const char *heading, struct buf *out)
{
	const char *const headings[] = {"IDENTITY", heading, "RECORDS", "OF CUSTOMERS"};
	const bool whole = !*heading;
	struct table t;

	if (!l->n)
		return;
	qsort(l->list, l->n, sizeof *l->list, by_n);
	buf_printf(out, "\n%s\n", title);
	table_init(&t, headings, 4);
	for (size_t i = 0; i < l->n && i < SHOWN; i++) {
		table_cell(&t, l->list[i].actor, strlen(l->list[i].actor));
		table_cell(&t, l->list[i].what, strlen(l->list[i].what));
		cell(&t, l->list[i].n);
		if (whole)
			cell(&t, l->list[i].customers);
		else
			table_cell(&t, "", 0);
	}
	table_render(&t, out);
	table_fini(&t);
	if (l->n > SHOWN)
		buf_printf(out, "and %zu more\n", l->n - SHOWN);
}

/* An hour of the day (UTC) that has less than a hundredth of what the identity does. */
static void show_hours(const struct lines *l, struct buf *out)
{
	static const char *const headings[] = {"IDENTITY", "HOUR", "RECORDS"};
	struct table t;
	bool any = false;

	table_init(&t, headings, 3);
	for (size_t i = 0; i < l->n; i++)
		for (int h = 0; h < HOURS && l->list[i].n >= ODD_LEAST; h++) {
			char hour[16];

			if (!l->list[i].hours[h] || 100 * l->list[i].hours[h] >= l->list[i].n)
				continue;
			any = true;
			table_cell(&t, l->list[i].actor, strlen(l->list[i].actor));
			table_cell(&t, hour, (size_t)snprintf(hour, sizeof hour, "%02d:00 UTC", h));
			cell(&t, l->list[i].hours[h]);
		}
	if (any) {
		buf_text(out, "\nHours in which they seldom act\n");
		table_render(&t, out);
	}
	table_fini(&t);
}

static int show(struct summary *s)
{
	struct buf text;
	int code;

	buf_init(&text, 0);
	buf_printf(&text, "records  %lld\n", (long long)s->records);
	show_lines(&s->identities, "Who did most", "", &text);
	show_lines(&s->refusals, "Refused", "CODE", &text);
	show_lines(&s->fresh, "Purposes never stated before", "PURPOSE", &text);
	show_hours(&s->identities, &text);
	if (s->cut)
		buf_text(&text, "\nThere are more identities and purposes than could be counted: take a shorter time.\n");
	code = output(&text);
	buf_fini(&text);
	return code;
}

int command_audit_summary(const struct arguments *a)
{
	const char *since = arguments_option(a, "since"), *until = arguments_option(a, "until");
	const int64_t now_us = clock_now_us();
	struct summary s = {.a = a};
	struct buf query, from, to;
	int code = CTL_OK;

	buf_init(&query, 0);
	buf_init(&from, 0);
	buf_init(&to, 0);
	if (!input_time(since ? since : "1d", now_us, &from) || (until && !input_time(until, now_us, &to)))
		code = complain(CTL_USAGE, "--since and --until must be like 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d, 4w ago");
	buf_text(&query, "/v1/audit/records?limit=500");
	input_query(&query, "since", buf_string(&from));
	input_query(&query, "until", until ? buf_string(&to) : NULL);
	if (code == CTL_OK)
		code = read_all(&s, buf_string(&query));
	if (code == CTL_OK)
		code = find_fresh(&s, buf_string(&from));
	if (code == CTL_OK)
		code = show(&s);
	lines_fini(&s.identities);
	lines_fini(&s.purposes);
	lines_fini(&s.refusals);
	lines_fini(&s.fresh);
	buf_fini(&query);
	buf_fini(&from);
	buf_fini(&to);
	return code;
}
