/* export.h: what a customer's archive is made of, between the worker that writes
 * it (export.c, export_files.c) and the batches that read and seal (export_read.c). */
#ifndef APP_EXPORT_H
#define APP_EXPORT_H

#include "vault/app/rights_job.h"

#include "base/buf.h"

#define EXPORT_CHUNK ((size_t)64 << 10)
#define EXPORT_DAYS 14

/* One read, in a batch of its own, audited. */
enum export_part {
	EXPORT_FIELDS,
	EXPORT_REFERENCES, /* external references by audience; and, without a name, the source */
	EXPORT_RECORDS,    /* by time */
	EXPORT_CONSENTS    /* by purpose, which the item names too */
};
struct export_read {
	const struct rights_job *job;
	enum export_part part;
	uint16_t kind;   /* of records: number */
	int64_t before;  /* records below this item */
	uint32_t most;
	/* Out. Items: name or time, and JSON text: two bytes of length and a text, then four and a text. */
	struct buf items;
	uint32_t n;
	int64_t last; /* item of the last record */
	uint8_t sref[16]; /* as the sealed header of the customer has it; that of the request is not authenticated */
};
void export_read_init(struct export_read *x, const struct rights_job *job, enum export_part part);
void export_read_fini(struct export_read *x); /* wipes */
/* Clears items and fills them anew. ERR_NOT_FOUND: the customer is gone. */
enum err export_read_run(struct app *app, struct export_read *x) MUST_CHECK;
/* Next item; false: there is none. Texts are borrowed from x, with their lengths. */
bool export_read_next(struct reader *in, const char **name, size_t *name_len, const char **json, size_t *json_len);

/* Seals one chunk under the customer's key and stores it; the first one removes those of an earlier run. */
enum err export_chunk_put(struct app *app, const struct rights_job *job, int32_t chunk, bool last, const void *bytes, size_t len) MUST_CHECK;
/* Removes all archives of a customer, whose data has changed for good. In the caller's transaction. */
enum err export_drop(struct db *db, int64_t customer) MUST_CHECK;
/* A worker's task: removes archives after EXPORT_DAYS. */
enum err export_sweep(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
