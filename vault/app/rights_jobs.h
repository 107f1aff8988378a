/* rights_jobs.h: the worker that carries out rights requests. */
#ifndef APP_RIGHTS_JOBS_H
#define APP_RIGHTS_JOBS_H

#include "vault/app/rights_job.h"

/* A worker's task: what is approved, cut off, or free of a hold; then counts what is open. */
enum err rights_run_due(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
