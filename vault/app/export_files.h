/* export_files.h: the files of an archive, and how they are written. */
#ifndef APP_EXPORT_FILES_H
#define APP_EXPORT_FILES_H

#include "app/snapshot.h"
#include "archive/zip.h"
#include "crypto/envelope.h"
#include "crypto/mac.h"
#include "vault/app/export.h"

#define EXPORT_NAME_MAX 96
#define EXPORT_MEMBERS_MAX 100 /* columns of a CSV file; what else the records have stands in the last one */

struct export_notice {
	char name[FIELD_NAME_MAX];
	int64_t version;
};

/* Top-level members of a kind's records, in the order in which they came. */
struct export_members {
	char **names;
	size_t n;
	bool more; /* there are others, or a record is no object */
};

struct export_writer {
	struct app *app;
	struct worker *worker;
	struct db *db;
	const struct rights_job *job;
	struct snapshot *snapshot;
	int64_t now_us;
	struct zip *zip;
	struct envelope *envelope; /* around the archive; NULL: none */
	struct hash *hash; /* of the file under way; NULL: none */
	char name[EXPORT_NAME_MAX];
	int64_t size;
	size_t n_files;
	struct buf manifest; /* {"name","sha256","size"}, ... */
	struct buf pending;  /* of the archive, up to a chunk */
	int32_t chunk;
	uint8_t sref[16]; /* the customer in the audit log, once something was read */
	/* Found while data.json is written, for the other files. */
	struct export_notice *notices;
	size_t n_notices;
	struct export_members *members; /* by index in the snapshot */
};

/* export.c */
enum err export_file(struct export_writer *w, const char *name) MUST_CHECK; /* begins one; ends the one before */
enum err export_bytes(struct export_writer *w, const void *bytes, size_t len) MUST_CHECK;
enum err export_text(struct export_writer *w, const char *text) MUST_CHECK;
/* Writes what text holds and empties it. */
enum err export_flush(struct export_writer *w, struct buf *text) MUST_CHECK;

/* One file each; data.json is the first: the others need what it finds. */
enum err export_data_json(struct export_writer *w) MUST_CHECK; /* export_files.c */
enum err export_schema_json(struct export_writer *w) MUST_CHECK;
enum err export_csv(struct export_writer *w) MUST_CHECK; /* export_csv.c: fields.csv, and records/KIND.csv of each kind that has some */
enum err export_html(struct export_writer *w) MUST_CHECK; /* export_html.c */

/* One item: a JSON object as text. */
typedef enum err export_item(void *ctx, const char *json, size_t len);
/* One of something named: a field, or a record by its time, and its JSON text. */
typedef enum err export_named(void *ctx, const char *name, size_t name_len, const char *json, size_t len);

/* All records of a kind in pages, newest first, by time. */
enum err export_each_record(struct export_writer *w, uint16_t kind, export_named *each, void *ctx) MUST_CHECK;
/* All of another part. */
enum err export_each(struct export_writer *w, enum export_part part, export_named *each, void *ctx) MUST_CHECK;

#endif
