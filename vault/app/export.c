/* export.c: writes a customer's archive: each file is hashed as it is written, packed, cut into chunks
 * and sealed. Memory stays flat: a page of records, a chunk, and the compressor. A second run writes all anew. */
#include "vault/app/export_files.h"

#include "base/clock.h"
#include "base/json.h"
#include "vault/app/export.h"
#include "vault/app/rights.h"
#include "vault/app/signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- from the packer to chunks: a chunk is held back until it is known not to be the last ---- */

static enum err flush(struct export_writer *w, bool last)
{
	enum err e = export_chunk_put(w->app, w->job, w->chunk, last, w->pending.data, w->pending.len);

	if (!e) {
		w->chunk++;
		buf_reset(&w->pending);
	}
	return e;
}

static enum err take(void *ctx, const void *bytes, size_t len)
{
	struct export_writer *w = ctx;

	while (len) {
		const size_t room = EXPORT_CHUNK - w->pending.len, n = len < room ? len : room;
		enum err e = room ? ERR_OK : flush(w, false);

		if (e)
			return e;
		if (!room)
			continue;
		buf_append(&w->pending, bytes, n);
		bytes = (const uint8_t *)bytes + n;
		len -= n;
	}
	return buf_err(&w->pending);
}

/* The packer's bytes, where the archive is for somebody's certificate alone. */
static enum err enclose(void *ctx, const void *bytes, size_t len)
{
	struct export_writer *w = ctx;

	return envelope_write(w->envelope, bytes, len);
}

/* ---- one file ---- */

static enum err end_file(struct export_writer *w)
{
	uint8_t sha256[32];
	struct json j;
	enum err e;

	if (!w->hash)
		return ERR_OK;
	e = hash_end(w->hash, sha256);
	hash_free(w->hash);
	w->hash = NULL;
	if (e)
		return e;
	json_init(&j, &w->manifest);
	if (w->n_files++)
		buf_byte(&w->manifest, ',');
	json_object(&j);
	json_key_string(&j, "name", w->name);
	json_key(&j, "sha256");
	json_hex(&j, sha256, sizeof sha256);
	json_key_int(&j, "size", w->size);
	json_object_end(&j);
	return buf_err(&w->manifest);
}

enum err export_file(struct export_writer *w, const char *name)
{
	enum err e = end_file(w);

	if (!e)
		e = hash_new(&w->hash);
	if (!e)
		e = zip_file(w->zip, name, w->now_us);
	w->size = 0;
	snprintf(w->name, sizeof w->name, "%s", name);
	return e;
}

enum err export_bytes(struct export_writer *w, const void *bytes, size_t len)
{
	enum err e = hash_add(w->hash, bytes, len);

	w->size += (int64_t)len;
	return e ? e : zip_write(w->zip, bytes, len);
}

enum err export_text(struct export_writer *w, const char *text)
{
	return export_bytes(w, text, strlen(text));
}

enum err export_flush(struct export_writer *w, struct buf *text)
{
	enum err e = buf_err(text);

	if (!e)
		e = export_bytes(w, text->data, text->len);
	buf_reset(text);
	return e;
}

/* ---- the whole ---- */

/* The manifest names every other file; it is signed, and the last. */
static enum err write_manifest(struct export_writer *w)
{
	struct buf document, text;
	struct json j;
	enum err e = end_file(w);

	buf_init(&document, 0);
	buf_init(&text, 0);
	json_init(&j, &document);
	json_object(&j);
	json_key_string(&j, "@type", "ExportManifest");
	json_key(&j, "files");
	json_array(&j);
	json_raw(&j, (const char *)w->manifest.data, w->manifest.len);
	json_array_end(&j);
	json_key(&j, "made_at");
	json_time(&j, w->now_us);
	json_object_end(&j);
	if (!e)
		e = signed_write(w->app, &document, &text);
	if (!e)
		e = zip_file(w->zip, "manifest.json", w->now_us);
	if (!e)
		e = zip_write(w->zip, text.data, text.len);
	buf_fini(&document);
	buf_fini(&text);
	return e;
}

static enum err write_archive(struct export_writer *w)
{
	const char *recipient = w->job->recipient;
	enum err e = *recipient ? envelope_new(recipient, strlen(recipient), take, w, &w->envelope) : ERR_OK;

	if (!e)
		e = zip_new(*recipient ? enclose : take, w, &w->zip);
	if (!e)
		e = export_data_json(w);
	if (!e)
		e = rights_progress(w->db, w->job->request, 1, 4);
	if (!e)
		e = export_schema_json(w);
	if (!e)
		e = export_csv(w);
	if (!e)
		e = rights_progress(w->db, w->job->request, 2, 4);
	if (!e)
		e = export_html(w);
	if (!e)
		e = rights_progress(w->db, w->job->request, 3, 4);
	if (!e)
		e = write_manifest(w);
	if (!e)
		e = zip_end(w->zip);
	if (!e && w->envelope)
		e = envelope_end(w->envelope);
	return e ? e : flush(w, true);
}

static void free_members(struct export_writer *w)
{
	for (size_t i = 0; w->members && i < w->snapshot->n_fields; i++) {
		for (size_t k = 0; k < w->members[i].n; k++)
			free(w->members[i].names[k]);
		free(w->members[i].names);
	}
	free(w->members);
}

enum err export_run(struct app *app, struct worker *worker, struct db *db, const struct rights_job *job, enum rights_end *end)
{
	struct export_writer w = {.app = app, .worker = worker, .db = db, .job = job, .now_us = clock_now_us(), .snapshot = app_snapshot(app)};
	enum err e;

	*end = RIGHTS_COMPLETED;
	buf_init(&w.pending, EXPORT_CHUNK + 1);
	buf_init(&w.manifest, 0);
	if (w.snapshot)
		w.members = calloc(w.snapshot->n_fields + 1, sizeof *w.members);
	e = !w.snapshot ? ERR_UNAVAILABLE : !w.members ? ERR_MEMORY : job->customer ? write_archive(&w) : ERR_ERASED;
	if (!e)
		e = rights_progress(db, job->request, w.chunk, w.chunk); /* total: the parts of the download */
	zip_free(w.zip);
	envelope_free(w.envelope);
	hash_free(w.hash);
	free(w.notices);
	free_members(&w);
	buf_fini(&w.pending);
	buf_fini(&w.manifest);
	snapshot_drop(w.snapshot);
	return e;
}
