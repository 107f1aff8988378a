/* export_files.c: data.json and its schema. */
#include "vault/app/export_files.h"

#include "base/json.h"
#include "codec/doc.h"
#include "store/embed.h"
#include "vault/app/export_sections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err export_each(struct export_writer *w, enum export_part part, export_named *each, void *ctx)
{
	struct export_read x;
	const char *name, *json;
	size_t name_len, len;
	struct reader in;
	enum err e;

	export_read_init(&x, w->job, part);
	e = export_read_run(w->app, &x);
	memcpy(w->sref, x.sref, sizeof w->sref);
	in = reader_of(x.items.data, x.items.len);
	while (!e && export_read_next(&in, &name, &name_len, &json, &len))
		e = each(ctx, name, name_len, json, len);
	export_read_fini(&x);
	return e;
}

enum err export_each_record(struct export_writer *w, uint16_t kind, export_named *each, void *ctx)
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
	struct export_members *members; /* of the kind under way */
	const char *name;               /* of it */
	bool comma, source;
	size_t kinds;
};

static enum err separate(struct list *l)
{
	enum err e = l->comma ? export_text(l->w, ",\n  ") : ERR_OK;

	l->comma = true;
	return e;
}

/* Names are those of fields, kinds and audiences, and times: none needs an escape. */
static enum err put_named(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct list *l = ctx;
	char key[EXPORT_NAME_MAX];
	enum err e;

	if (!name_len) /* the source, which stands apart */
		return ERR_OK;
	e = separate(l);
	snprintf(key, sizeof key, "\"%.*s\":", (int)name_len, name);
	if (!e)
		e = export_text(l->w, key);
	return e ? e : export_bytes(l->w, json, len);
}

static enum err put_source(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct list *l = ctx;

	(void)name;
	l->source = l->source || !name_len;
	return name_len ? ERR_OK : export_bytes(l->w, json, len);
}

static enum err add_member(struct export_members *m, const char *name)
{
	char **moved;

	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->names[i], name))
			return ERR_OK;
	if (m->n == EXPORT_MEMBERS_MAX) {
		m->more = true;
		return ERR_OK;
	}
	moved = realloc(m->names, (m->n + 1) * sizeof *moved);
	if (!moved)
		return ERR_MEMORY;
	m->names = moved;
	moved[m->n] = strdup(name);
	return moved[m->n] ? (m->n++, ERR_OK) : ERR_MEMORY;
}

static enum err note_members(struct export_members *m, const char *json, size_t len)
{
	struct doc *doc = NULL;
	enum err e = doc_parse(json, len, &doc);
	struct node_iter it = node_members(e ? NULL : doc_root(doc));

	if (!e && node_type(doc_root(doc)) != NODE_OBJECT)
		m->more = true;
	while (!e && node_next(&it))
		e = add_member(m, it.key);
	doc_free(doc);
	return e;
}

/* A kind without records has no member: its key comes with the first. */
static enum err put_record(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	struct list *l = ctx;
	char head[2 * EXPORT_NAME_MAX];
	enum err e = note_members(l->members, json, len);

	if (!e && !l->comma) {
		snprintf(head, sizeof head, "%s\"%s\":[", l->kinds++ ? ",\n " : "", l->name);
		e = export_text(l->w, head);
	}
	if (!e)
		e = separate(l);
	snprintf(head, sizeof head, "{\"created_at\":\"%.*s\",\"data\":", (int)time_len, time);
	if (!e)
		e = export_text(l->w, head);
	if (!e)
		e = export_bytes(l->w, json, len);
	return e ? e : export_text(l->w, "}");
}

static enum err put_records(struct export_writer *w)
{
	struct list l = {.w = w};
	enum err e = export_text(w, ",\n \"records\":{");

	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		if (!w->snapshot->fields[i].record)
			continue;
		l.comma = false;
		l.name = w->snapshot->fields[i].name;
		l.members = &w->members[i];
		e = export_each_record(w, w->snapshot->fields[i].number, put_record, &l);
		if (!e && l.comma)
			e = export_text(w, "]");
	}
	return e ? e : export_text(w, "}");
}

static enum err put_about(struct export_writer *w)
{
	struct list fields = {.w = w}, references = {.w = w};
	enum err e = export_text(w, "{\"$schema\":\"schema.json\",\n \"fields\":{");

	if (!e)
		e = export_each(w, EXPORT_FIELDS, put_named, &fields);
	if (!e)
		e = export_text(w, "},\n \"external_refs\":{");
	if (!e)
		e = export_each(w, EXPORT_REFERENCES, put_named, &references);
	if (!e)
		e = export_text(w, "},\n \"source\":");
	if (!e)
		e = export_each(w, EXPORT_REFERENCES, put_source, &references);
	return e || references.source ? e : export_text(w, "null");
}

static enum err put_item(void *ctx, const char *json, size_t len)
{
	struct list *l = ctx;
	enum err e = separate(l);

	return e ? e : export_bytes(l->w, json, len);
}

static enum err put_section(struct export_writer *w, const struct export_section *s)
{
	struct list l = {.w = w};
	char head[EXPORT_NAME_MAX];
	enum err e;

	snprintf(head, sizeof head, ",\n \"%s\":[", s->key);
	e = export_text(w, head);
	if (!e)
		e = s->each(w, put_item, &l);
	return e ? e : export_text(w, "]");
}

enum err export_data_json(struct export_writer *w)
{
	enum err e = export_file(w, "data.json");

	if (!e)
		e = put_about(w);
	if (!e)
		e = put_records(w);
	for (const struct export_section *s = export_sections; s->key && !e; s++)
		e = put_section(w, s);
	return e ? e : export_text(w, "}\n");
}

/* The file beside this one, compiled in. */
enum err export_schema_json(struct export_writer *w)
{
	enum err e = export_file(w, "schema.json");

	for (const struct embedded *f = embedded; f->path && !e; f++)
		if (!strcmp(f->path, "vault/app/export.schema.json"))
			return export_bytes(w, f->start, (size_t)(f->end - f->start));
	return e ? e : ERR_INTERNAL;
}
