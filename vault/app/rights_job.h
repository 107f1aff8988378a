/* rights_job.h: a rights request as the job that carries it out sees it. Jobs run
 * in a worker, on one node at a time; a crash or an error means that the same job
 * runs again, so each step must find what an earlier run has done. */
#ifndef APP_RIGHTS_JOB_H
#define APP_RIGHTS_JOB_H

#include "vault/app/worker.h"

enum rights_kind { RIGHTS_EXPORT, RIGHTS_ERASE, RIGHTS_RECTIFY, RIGHTS_RESTRICT, RIGHTS_OBJECT, RIGHTS_KINDS };

struct rights_job {
	int64_t request; /* its number; never shown */
	int64_t customer;
	uint8_t sref[16];
	enum rights_kind kind;
	const char *scope;        /* canonical JSON as approved: {} is the whole customer, else arrays of names
	                           * under "fields", "classes", "records", "purposes" */
	const char *recipient;    /* of an export: PEM certificate that the archive is encrypted to; "": none */
	const char *requester;    /* SPIFFE ID */
	const char *jurisdiction; /* "gdpr", "pipl", ... */
	int64_t approved_at_us;
};

enum rights_end {
	RIGHTS_COMPLETED,
	RIGHTS_ON_HOLD,   /* a part is held; all else is done, and the job is run again when the hold ends */
	RIGHTS_ENDED,     /* it has moved the request itself, in the transaction that did the work */
	RIGHTS_UNFINISHED /* beside an error: it can't be taken back any more, so it is never FAILED but run again */
};

/* How far a job is, for people; its own transaction. */
enum err rights_progress(struct db *db, int64_t request, int64_t done, int64_t total) MUST_CHECK;

/* An error: the request fails, retryable, with that code. Outside a transaction, on a worker's connection. */
enum err export_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end) MUST_CHECK;
enum err restrict_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end) MUST_CHECK; /* object, too */
enum err erase_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end) MUST_CHECK;

#endif
