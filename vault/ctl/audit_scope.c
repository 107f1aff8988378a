/* audit_scope.c: audit scope: whose fields an identity has received, as counts of different customers and, on request,
 * as a list of srefs. Memory is bounded: where the customers are more than fit, the log is gone through again, each
 * time for those whose sref begins with other digits. */
#include "ctl/commands.h"
#include "ctl/text.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS_MAX ((size_t)1 << 21) /* 48 MiB, and as much room again */
#define NAMES_MAX 1024              /* of (field, form) */
#define PARTS_MAX 256

/* A customer and what it was that the identity got of it. */
struct pair {
	uint8_t sref[16];
	uint16_t name; /* 1 + index; 0: the slot is free */
};

struct name {
	char *field, *form;
	int64_t customers, times;
};

struct scope {
	const struct arguments *a;
	const char *query;
	struct pair *slots; /* of the part in hand; 2 * PAIRS_MAX */
	size_t n;
	unsigned part, parts;
	bool full;
	struct name names[NAMES_MAX];
	size_t n_names;
	int64_t records, customers;
	FILE *list; /* of srefs; NULL: none */
};

static bool read_sref(const char *text, size_t len, uint8_t sref[static 16])
{
	static const char digits[] = "0123456789abcdef";

	if (len != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char *high = memchr(digits, text[2 * i], 16), *low = memchr(digits, text[2 * i + 1], 16);

		if (!high || !low)
			return false;
		sref[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static size_t name_of(struct scope *s, const char *field, const char *form)
{
	size_t i = 0;

	while (i < s->n_names && (strcmp(s->names[i].field, field) != 0 || strcmp(s->names[i].form, form) != 0))
		i++;
	if (i < s->n_names || i == NAMES_MAX)
		return i;
	s->names[i] = (struct name){.field = strdup(field), .form = strdup(form)};
	if (!s->names[i].field || !s->names[i].form)
		return NAMES_MAX;
	return s->n_names++;
}

/* False: no room. */
static bool add_pair(struct scope *s, const uint8_t sref[static 16], size_t name)
{
	uint64_t h;
	size_t at;

	memcpy(&h, sref + 8, sizeof h);
	at = (size_t)(h ^ name * 0x9e3779b97f4a7c15u) & (2 * PAIRS_MAX - 1);
	for (; s->slots[at].name; at = (at + 1) & (2 * PAIRS_MAX - 1))
		if (s->slots[at].name == name + 1 && !memcmp(s->slots[at].sref, sref, 16))
			return true;
	if (s->n == PAIRS_MAX)
		return false;
	s->n++;
	memcpy(s->slots[at].sref, sref, 16);
	s->slots[at].name = (uint16_t)(name + 1);
	return true;
}

static int take_entry(struct scope *s, const struct node *entry)
{
	struct node_iter fields = node_members(node_get(entry, "fields"));
	const struct node *form;
	uint8_t sref[16];
	size_t len = 0;
	const char *text = node_string(node_get(entry, "sref"), &len);

	if (!text || !read_sref(text, len, sref))
		return complain(CTL_SERVER, "an entry of the report names no customer");
	if (sref[0] * s->parts / 256 != s->part)
		return CTL_OK;
	s->records++;
	while (!s->full && (form = node_next(&fields))) {
		const char *form_text = node_string(form, &len);
		const size_t name = form_text ? name_of(s, fields.key, form_text) : NAMES_MAX;

		if (name == NAMES_MAX)
			return complain(CTL_SERVER, "the report has more fields and forms than a dictionary may");
		s->names[name].times++;
		s->full = !add_pair(s, sref, name);
	}
	return CTL_OK;
}

static int take_page(struct scope *s, struct buf *cursor)
{
	struct client_request r = {.method = "GET"};
	struct buf path, body;
	struct doc *doc = NULL;
	const struct node *data;
	const char *next;
	size_t len = 0;
	int code;

	buf_init(&path, 0);
	buf_text(&path, s->query);
	input_query(&path, "cursor", cursor->len ? buf_string(cursor) : NULL);
	buf_reset(cursor);
	r.path = buf_string(&path);
	code = remote_send(s->a, &r, &body);
	buf_fini(&path);
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, &doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	buf_fini(&body);
	data = code == CTL_OK ? node_get(doc_root(doc), "data") : NULL;
	for (size_t i = 0; i < node_count(data) && code == CTL_OK && !s->full; i++)
		code = take_entry(s, node_at(data, i));
	next = code == CTL_OK ? node_string(node_get(doc_root(doc), "next"), &len) : NULL;
	if (next)
		buf_append(cursor, next, len);
	doc_free(doc);
	return code;
}

/* ---- a part: what was counted, and the list ---- */

static int by_sref(const void *a, const void *b)
{
	return memcmp(((const struct pair *)a)->sref, ((const struct pair *)b)->sref, 16);
}

static int end_part(struct scope *s)
{
	size_t n = 0;

	for (size_t i = 0; i < 2 * PAIRS_MAX; i++)
		if (s->slots[i].name)
			s->slots[n++] = s->slots[i];
	qsort(s->slots, n, sizeof *s->slots, by_sref);
	for (size_t i = 0; i < n; i++) {
		s->names[s->slots[i].name - 1].customers++;
		if (i && !memcmp(s->slots[i].sref, s->slots[i - 1].sref, 16))
			continue;
		s->customers++;
		for (size_t k = 0; s->list && k < 16; k++)
			fprintf(s->list, "%02x", s->slots[i].sref[k]);
		if (s->list)
			fputc('\n', s->list);
	}
	return s->list && ferror(s->list) ? complain(CTL_SERVER, "the list of customers can't be written: %s", strerror(errno)) : CTL_OK;
}

static int read_part(struct scope *s)
{
	struct buf cursor;
	int code;

	memset(s->slots, 0, 2 * PAIRS_MAX * sizeof *s->slots);
	s->n = 0;
	s->full = false;
	buf_init(&cursor, 0);
	do
		code = take_page(s, &cursor);
	while (code == CTL_OK && cursor.len && !s->full);
	buf_fini(&cursor);
	return code;
}

static void forget(struct scope *s)
{
	for (size_t i = 0; i < s->n_names; i++) {
		free(s->names[i].field);
		free(s->names[i].form);
	}
	s->n_names = 0;
	s->records = s->customers = 0;
}

/* As many parts as it takes; from the beginning with more where one was too large. */
static int read_all(struct scope *s)
{
	int code = CTL_OK;

	s->parts = 1;
	for (s->part = 0; s->part < s->parts && code == CTL_OK;) {
		code = read_part(s);
		if (code == CTL_OK && s->full) {
			if (s->parts == PARTS_MAX)
				return complain(CTL_FAILED, "more customers than can be counted: take a shorter time");
			forget(s);
			s->parts *= 4;
			s->part = 0;
			if (s->list && (fflush(s->list) || ftruncate(fileno(s->list), 0) || fseek(s->list, 0, SEEK_SET)))
				return complain(CTL_SERVER, "the list of customers can't be written: %s", strerror(errno));
			continue;
		}
		if (code == CTL_OK)
			code = end_part(s);
		s->part++;
	}
	return code;
}

/* ---- what is shown ---- */

static int by_customers(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->customers != y->customers ? (x->customers < y->customers) - (x->customers > y->customers) : strcmp(x->field, y->field);
}

static void put_json(const struct scope *s, struct buf *out)
{
	buf_printf(out, "{\"customers\":%lld,\"records\":%lld,\"fields\":[", (long long)s->customers, (long long)s->records);
	for (size_t i = 0; i < s->n_names; i++)
		buf_printf(out, "%s{\"field\":\"%s\",\"form\":\"%s\",\"customers\":%lld,\"times\":%lld}", i ? "," : "", s->names[i].field, s->names[i].form,
		           (long long)s->names[i].customers, (long long)s->names[i].times);
	buf_text(out, "]}\n");
}

static void put_table(const struct scope *s, struct buf *out)
{
	static const char *const headings[] = {"FIELD", "FORM", "CUSTOMERS", "TIMES"};
	char number[24];
	struct table t;

	buf_printf(out, "customers  %lld\nrecords    %lld\n\n", (long long)s->customers, (long long)s->records);
	table_init(&t, headings, 4);
	for (size_t i = 0; i < s->n_names; i++) {
		table_cell(&t, s->names[i].field, strlen(s->names[i].field));
		table_cell(&t, s->names[i].form, strlen(s->names[i].form));
		table_cell(&t, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)s->names[i].customers));
		table_cell(&t, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)s->names[i].times));
	}
	table_render(&t, out);
	table_fini(&t);
}

static int show(struct scope *s)
{
	struct buf text;
	int code;

	qsort(s->names, s->n_names, sizeof *s->names, by_customers);
	buf_init(&text, 0);
	if (s->a->globals[GLOBAL_JSON])
		put_json(s, &text);
	else
		put_table(s, &text);
	code = output(&text);
	buf_fini(&text);
	return code;
}

static bool add_time(const char *option, const char *parameter, const struct arguments *a, int64_t now_us, struct buf *path)
{
	const char *value = arguments_option(a, option);
	struct buf stamp;
	bool good = value != NULL;

	buf_init(&stamp, 0);
	if (good)
		good = input_time(value, now_us, &stamp);
	if (good)
		input_query(path, parameter, buf_string(&stamp));
	else
		complain(CTL_USAGE, "--%s must be like 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d, 4w ago", option);
	buf_fini(&stamp);
	return good;
}

/* path NULL: no list is wanted. */
static int open_list(const char *path, FILE **out)
{
	const int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	*out = fd < 0 ? NULL : fdopen(fd, "w");
	if (*out || !path)
		return CTL_OK;
	if (fd >= 0)
		close(fd);
	return complain(errno == EEXIST ? CTL_REFUSED : CTL_USAGE, "%s: %s", path, strerror(errno));
}

int command_audit_scope(const struct arguments *a)
{
	const char *actor = arguments_option(a, "actor"), *list = arguments_option(a, "srefs");
	const int64_t now_us = clock_now_us();
	struct scope *s = calloc(1, sizeof *s);
	struct buf query;
	int code = CTL_USAGE;

	buf_init(&query, 0);
	buf_text(&query, "/v1/audit/scope");
	input_query(&query, "actor", actor);
	if (!s || !(s->slots = calloc(2 * PAIRS_MAX, sizeof *s->slots)))
		code = complain(CTL_SERVER, "out of memory");
	else if (!actor)
		code = complain(CTL_USAGE, "--actor is needed");
	else if (add_time("from", "since", a, now_us, &query) && add_time("to", "until", a, now_us, &query)) {
		s->a = a;
		s->query = buf_string(&query);
		code = open_list(list, &s->list);
		if (code == CTL_OK)
			code = read_all(s);
		if (code == CTL_OK)
			code = show(s);
	}
	if (s && s->list && fclose(s->list) && code == CTL_OK)
		code = complain(CTL_SERVER, "%s: %s", list, strerror(errno));
	if (s) {
		forget(s);
		free(s->slots);
	}
	free(s);
	buf_fini(&query);
	return code;
}
