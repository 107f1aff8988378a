/* export_html.c: index.html: what a person can read without a network, in English and Chinese. No script,
 * nothing from outside, everything escaped. */
#include "vault/app/export_files.h"

#include "vault/app/disclosure.h"

#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Your data \xc2\xb7 \xe6\x82\xa8\xe7\x9a\x84\xe6\x95\xb0\xe6\x8d\xae</title>\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #999;padding:.3em .6em;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}th{background:#eee}</style>\n"
    "<h1>Your data \xc2\xb7 \xe6\x82\xa8\xe7\x9a\x84\xe6\x95\xb0\xe6\x8d\xae</h1>\n"
    "<p>This is what is stored about you, what you have agreed to, and who has received it. The same is in data.json, for computers, and in the CSV files.</p>\n"
    "<p lang=\"zh\">\xe8\xbf\x99\xe6\x98\xaf\xe5\x85\xb3\xe4\xba\x8e\xe6\x82\xa8\xe4\xbf\x9d\xe5\xad\x98\xe7\x9a\x84\xe6\x95\xb0\xe6\x8d\xae\xe3\x80\x81"
    "\xe6\x82\xa8\xe7\x9a\x84\xe5\x90\x8c\xe6\x84\x8f\xe4\xbb\xa5\xe5\x8f\x8a\xe6\x8e\xa5\xe6\x94\xb6\xe8\x80\x85\xe3\x80\x82</p>\n";

static enum err put_escaped(struct export_writer *w, const char *text, size_t len)
{
	enum err e = ERR_OK;
	size_t from = 0;

	for (size_t i = 0; i < len && !e; i++) {
		const char *entity = text[i] == '&' ? "&amp;" : text[i] == '<' ? "&lt;" : text[i] == '>' ? "&gt;" : text[i] == '"' ? "&quot;" : text[i] == '\'' ? "&#39;" : NULL;

		if (!entity)
			continue;
		e = export_bytes(w, text + from, i - from);
		if (!e)
			e = export_text(w, entity);
		from = i + 1;
	}
	return e ? e : export_bytes(w, text + from, len - from);
}

static enum err put_row(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct export_writer *w = ctx;
	const bool text = len >= 2 && json[0] == '"' && !memchr(json, '\\', len);
	enum err e = export_text(w, "<tr><td>");

	if (!e)
		e = put_escaped(w, name, name_len);
	if (!e)
		e = export_text(w, "</td><td>");
	if (!e)
		e = text ? put_escaped(w, json + 1, len - 2) : put_escaped(w, json, len);
	return e ? e : export_text(w, "</td></tr>\n");
}

static enum err put_recipient(void *ctx, const struct disclosure *d)
{
	struct export_writer *w = ctx;
	const char *const cells[] = {d->time, d->actor, d->purpose};
	enum err e = export_text(w, "<tr>");

	for (size_t i = 0; i < 3 && !e; i++) {
		e = export_text(w, "<td>");
		if (!e)
			e = put_escaped(w, cells[i], strlen(cells[i]));
		if (!e)
			e = export_text(w, "</td>");
	}
	return e ? e : export_text(w, "</tr>\n");
}

static enum err begin_table(struct export_writer *w, const char *title, const char *columns)
{
	enum err e = export_text(w, "<h2>");

	if (!e)
		e = export_text(w, title);
	if (!e)
		e = export_text(w, "</h2><table><tr>");
	if (!e)
		e = export_text(w, columns);
	return e ? e : export_text(w, "</tr>\n");
}

struct records {
	struct export_writer *w;
	const char *kind;
	bool begun;
};

static enum err put_record_row(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	struct records *r = ctx;
	enum err e = r->begun ? ERR_OK : begin_table(r->w, r->kind, "<th>When \xc2\xb7 \xe6\x97\xb6\xe9\x97\xb4</th><th>What \xc2\xb7 \xe5\x86\x85\xe5\xae\xb9</th>");

	r->begun = true;
	return e ? e : put_row(r->w, time, time_len, json, len);
}

static enum err put_kinds(struct export_writer *w)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		struct records r = {w, w->snapshot->fields[i].name, false};

		if (w->snapshot->fields[i].record)
			e = export_each_record(w, w->snapshot->fields[i].number, put_record_row, &r);
		if (!e && r.begun)
			e = export_text(w, "</table>\n");
	}
	return e;
}

enum err export_html(struct export_writer *w)
{
	enum err e = export_file(w, "index.html");

	if (!e)
		e = export_bytes(w, head, sizeof head - 1);
	if (!e)
		e = begin_table(w, "Fields \xc2\xb7 \xe5\xad\x97\xe6\xae\xb5", "<th>Field \xc2\xb7 \xe5\xad\x97\xe6\xae\xb5</th><th>Value \xc2\xb7 \xe5\x80\xbc</th>");
	if (!e)
		e = export_each(w, EXPORT_FIELDS, put_row, w);
	if (!e)
		e = export_text(w, "</table>\n");
	if (!e)
		e = begin_table(w, "Consents \xc2\xb7 \xe5\x90\x8c\xe6\x84\x8f", "<th>Purpose \xc2\xb7 \xe7\x9b\xae\xe7\x9a\x84</th><th>Decision \xc2\xb7 \xe5\x86\xb3\xe5\xae\x9a</th>");
	if (!e)
		e = export_each(w, EXPORT_CONSENTS, put_row, w);
	if (!e)
		e = export_text(w, "</table>\n");
	if (!e)
		e = put_kinds(w);
	if (!e)
		e = begin_table(w, "Who received it \xc2\xb7 \xe6\x8e\xa5\xe6\x94\xb6\xe8\x80\x85",
		                "<th>When \xc2\xb7 \xe6\x97\xb6\xe9\x97\xb4</th><th>Who \xc2\xb7 \xe8\xb0\x81</th><th>Purpose \xc2\xb7 \xe7\x9b\xae\xe7\x9a\x84</th>");
	if (!e)
		e = disclosures_each(w->db, w->job->sref, 0, put_recipient, w);
	return e ? e : export_text(w, "</table></html>\n");
}
