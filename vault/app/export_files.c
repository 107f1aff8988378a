/* export_files.c: data.json with its schema, and the CSV files. */
#include "vault/app/export_files.h"

#include "base/json.h"
#include "vault/app/disclosure.h"
#include "vault/app/rights.h"

#include <stdio.h>
#include <string.h>

enum err export_each(struct export_writer *w, enum export_part part, enum err (*each)(void *ctx, const char *name, size_t name_len, const char *json, size_t len),
                     void *ctx)
{
	struct export_read x;
	const char *name, *json;
	size_t name_len, len;
	struct reader in;
	enum err e;

	export_read_init(&x, w->job, part);
	e = export_read_run(w->app, &x);
	in = reader_of(x.items.data, x.items.len);
	while (!e && export_read_next(&in, &name, &name_len, &json, &len))
		e = each(ctx, name, name_len, json, len);
	export_read_fini(&x);
	return e;
}

enum err export_each_record(struct export_writer *w, uint16_t kind, enum err (*each)(void *ctx, const char *time, size_t time_len, const char *json, size_t len),
                            void *ctx)
{
	struct export_read x;
	enum err e = ERR_OK;

	export_read_init(&x, w->job, EXPORT_RECORDS);
	x.kind = kind;
	do {
		const char *time, *json;
		size_t time_len, len;
		struct reader in;

		e = worker_stopping(w->worker) ? ERR_STOPPING : export_read_run(w->app, &x);
		in = reader_of(x.items.data, x.items.len);
		while (!e && export_read_next(&in, &time, &time_len, &json, &len))
			e = each(ctx, time, time_len, json, len);
		x.before = x.last;
	} while (!e && x.n == x.most);
	export_read_fini(&x);
	return e;
}

/* ---- data.json ---- */

struct list {
	struct export_writer *w;
	bool comma;
};

static enum err separate(struct list *l)
{
	enum err e = l->comma ? export_text(l->w, ",\n  ") : ERR_OK;

	l->comma = true;
	return e;
}

static enum err put_field(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct list *l = ctx;
	char key[64];
	enum err e = separate(l);

	snprintf(key, sizeof key, "\"%.*s\":", (int)name_len, name);
	if (!e)
		e = export_text(l->w, key);
	return e ? e : export_bytes(l->w, json, len);
}

static enum err put_consent(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct list *l = ctx;
	char head[80];
	enum err e = separate(l);

	snprintf(head, sizeof head, "{\"purpose\":\"%.*s\",", (int)name_len, name);
	if (!e)
		e = export_text(l->w, head);
	return e ? e : export_bytes(l->w, json + 1, len - 1); /* the event's own object goes on */
}

static enum err put_record(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	struct list *l = ctx;
	char head[80];
	enum err e = separate(l);

	snprintf(head, sizeof head, "{\"created_at\":\"%.*s\",\"data\":", (int)time_len, time);
	if (!e)
		e = export_text(l->w, head);
	if (!e)
		e = export_bytes(l->w, json, len);
	return e ? e : export_text(l->w, "}");
}

/* Names of the fields that were given, whatever the form. */
static void put_given(struct json *j, const struct snapshot *s, const struct node *given)
{
	struct node_iter it = node_members(given);
	const struct node *numbers;

	json_key(j, "fields");
	json_array(j);
	while ((numbers = node_next(&it))) {
		if (strcmp(it.key, "plain") != 0 && strncmp(it.key, "masked", 6) != 0)
			continue;
		for (size_t i = 0; i < node_count(numbers); i++) {
			const int64_t number = node_int(node_at(numbers, i));
			const int subject = number > 0 && number < FIELD_NUMBERS ? snapshot_subject(s, (unsigned)number) : -1;

			if (subject >= 0)
				json_string(j, s->fields[subject].name);
		}
	}
	json_array_end(j);
}

static enum err put_disclosure(void *ctx, const struct disclosure *d)
{
	struct list *l = ctx;
	struct buf text;
	struct json j;
	enum err e = separate(l);

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	json_key_string(&j, "recipient", d->actor);
	json_key_string(&j, "purpose", d->purpose);
	json_key_string(&j, "time", d->time);
	put_given(&j, l->w->snapshot, d->given);
	json_object_end(&j);
	if (!e)
		e = buf_err(&text);
	if (!e)
		e = export_bytes(l->w, text.data, text.len);
	buf_fini(&text);
	return e;
}

static enum err put_requests(struct export_writer *w)
{
	const struct rights_filter f = {.before = INT64_MAX, .customer = w->job->customer, .state = -1, .kind = -1, .most = 1000};
	struct db_result *rows = NULL;
	struct list l = {w, false};
	enum err e = rights_list(w->db, &f, &rows);

	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		struct rights_row row;
		struct buf text;
		struct json j;

		rights_row_read(rows, i, &row);
		buf_init(&text, 0);
		json_init(&j, &text);
		json_object(&j);
		json_key_string(&j, "kind", rights_kind_name(row.kind));
		json_key_string(&j, "state", rights_state_name(row.state));
		json_key(&j, "created_at");
		json_time(&j, row.created_at_us);
		json_key_string(&j, "jurisdiction", row.jurisdiction);
		json_object_end(&j);
		e = separate(&l);
		if (!e)
			e = export_bytes(w, text.data, text.len);
		buf_fini(&text);
	}
	db_result_free(rows);
	return e;
}

static enum err put_records(struct export_writer *w)
{
	bool comma = false;
	enum err e = ERR_OK;

	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		struct list l = {w, false};
		char key[80];

		if (!w->snapshot->fields[i].record)
			continue;
		snprintf(key, sizeof key, "%s\"%s\":[", comma ? ",\n " : "", w->snapshot->fields[i].name);
		comma = true;
		e = export_text(w, key);
		if (!e)
			e = export_each_record(w, w->snapshot->fields[i].number, put_record, &l);
		if (!e)
			e = export_text(w, "]");
	}
	return e;
}

enum err export_data_json(struct export_writer *w)
{
	struct list fields = {w, false}, consents = {w, false}, disclosures = {w, false};
	enum err e = export_file(w, "data.json");

	if (!e)
		e = export_text(w, "{\"$schema\":\"schema.json\",\n \"fields\":{");
	if (!e)
		e = export_each(w, EXPORT_FIELDS, put_field, &fields);
	if (!e)
		e = export_text(w, "},\n \"records\":{");
	if (!e)
		e = put_records(w);
	if (!e)
		e = export_text(w, "},\n \"consents\":[");
	if (!e)
		e = export_each(w, EXPORT_CONSENTS, put_consent, &consents);
	if (!e)
		e = export_text(w, "],\n \"rights_requests\":[");
	if (!e)
		e = put_requests(w);
	if (!e)
		e = export_text(w, "],\n \"disclosures\":[");
	if (!e)
		e = disclosures_each(w->db, w->job->sref, 0, put_disclosure, &disclosures);
	return e ? e : export_text(w, "]}\n");
}

enum err export_schema_json(struct export_writer *w)
{
	static const char schema[] =
	    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"A customer's data\",\"type\":\"object\",\n"
	    "\"required\":[\"fields\",\"records\",\"consents\",\"rights_requests\",\"disclosures\"],\"properties\":{\n"
	    "\"$schema\":{\"type\":\"string\"},\n"
	    "\"fields\":{\"type\":\"object\",\"description\":\"What is stored, by field.\"},\n"
	    "\"records\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\n"
	    " \"required\":[\"created_at\",\"data\"],\"properties\":{\"created_at\":{\"type\":\"string\"},\"data\":{\"type\":\"object\"}}}}},\n"
	    "\"consents\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"purpose\",\"event\",\"at\"]}},\n"
	    "\"rights_requests\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"kind\",\"state\",\"created_at\"]}},\n"
	    "\"disclosures\":{\"type\":\"array\",\"description\":\"Who received the data, newest first.\",\"items\":{\"type\":\"object\",\n"
	    " \"required\":[\"recipient\",\"purpose\",\"time\",\"fields\"]}}}}\n";
	enum err e = export_file(w, "schema.json");

	return e ? e : export_bytes(w, schema, sizeof schema - 1);
}

/* ---- CSV (RFC 4180) ---- */

/* A cell in quotes. What a spreadsheet would take for a formula gets an apostrophe before it. */
static enum err put_cell(struct export_writer *w, const char *text, size_t len)
{
	enum err e = export_text(w, len && strchr("=+-@\t\r", text[0]) ? "\"'" : "\"");

	while (!e && len) {
		const char *quote = memchr(text, '"', len);
		const size_t n = quote ? (size_t)(quote - text) + 1 : len;

		e = export_bytes(w, text, n);
		if (!e && quote)
			e = export_text(w, "\"");
		text += n;
		len -= n;
	}
	return e ? e : export_text(w, "\"");
}

static enum err put_line(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct list *l = ctx;
	const bool text = len >= 2 && json[0] == '"' && !memchr(json, '\\', len);
	enum err e = put_cell(l->w, name, name_len);

	if (!e)
		e = export_text(l->w, ",");
	if (!e)
		e = text ? put_cell(l->w, json + 1, len - 2) : put_cell(l->w, json, len);
	return e ? e : export_text(l->w, "\r\n");
}

struct csv {
	struct export_writer *w;
	const char *kind;
	bool begun; /* a kind without records has no file */
};

static enum err put_record_line(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	struct csv *c = ctx;
	struct list l = {c->w, false};
	char name[96];
	enum err e = ERR_OK;

	if (!c->begun) {
		snprintf(name, sizeof name, "%s.csv", c->kind);
		e = export_file(c->w, name);
		if (!e)
			e = export_text(c->w, "created_at,data\r\n");
		c->begun = true;
	}
	return e ? e : put_line(&l, time, time_len, json, len);
}

enum err export_csv(struct export_writer *w)
{
	struct list l = {w, false};
	enum err e = export_file(w, "fields.csv");

	if (!e)
		e = export_text(w, "field,value\r\n");
	if (!e)
		e = export_each(w, EXPORT_FIELDS, put_line, &l);
	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		struct csv c = {w, w->snapshot->fields[i].name, false};

		if (w->snapshot->fields[i].record)
			e = export_each_record(w, w->snapshot->fields[i].number, put_record_line, &c);
	}
	return e;
}
