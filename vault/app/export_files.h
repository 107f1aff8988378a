/* export_files.h: the files of an archive, and how they are written. */
#ifndef APP_EXPORT_FILES_H
#define APP_EXPORT_FILES_H

#include "app/snapshot.h"
#include "archive/zip.h"
#include "crypto/mac.h"
#include "vault/app/export.h"

struct export_writer {
	struct app *app;
	struct worker *worker;
	struct db *db;
	const struct rights_job *job;
	struct snapshot *snapshot;
	int64_t now_us;
	struct zip *zip;
	struct hash *hash; /* of the file under way; NULL: none */
	char name[96];
	int64_t size;
	size_t n_files;
	struct buf manifest; /* {"name","sha256","size"}, ... */
	struct buf pending;  /* of the archive, up to a chunk */
	int32_t chunk;
};

/* export.c */
enum err export_file(struct export_writer *w, const char *name) MUST_CHECK; /* begins one; ends the one before */
enum err export_bytes(struct export_writer *w, const void *bytes, size_t len) MUST_CHECK;
enum err export_text(struct export_writer *w, const char *text) MUST_CHECK;

/* export_files.c */
enum err export_data_json(struct export_writer *w) MUST_CHECK;
enum err export_schema_json(struct export_writer *w) MUST_CHECK;
enum err export_csv(struct export_writer *w) MUST_CHECK; /* fields.csv, and one a kind that has records */
/* export_html.c */
enum err export_html(struct export_writer *w) MUST_CHECK;

/* All records of a kind in pages, newest first; each: JSON text and when it was made. */
enum err export_each_record(struct export_writer *w, uint16_t kind, enum err (*each)(void *ctx, const char *time, size_t time_len, const char *json, size_t len),
                            void *ctx) MUST_CHECK;
/* Fields or consents: each name and JSON text. */
enum err export_each(struct export_writer *w, enum export_part part, enum err (*each)(void *ctx, const char *name, size_t name_len, const char *json, size_t len),
                     void *ctx) MUST_CHECK;

#endif
