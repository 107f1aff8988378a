/* watch.h: the worker that reads the whole audit log as it grows (log_walk.h): it keeps the sums that the log gives
 * to each slice of customers (slice.h), counts the customers of each identity (budget.h), and raises alarms.
 * What it knows is saved once a minute, under a MAC; a node that takes over goes on from there. */
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "vault/app/worker.h"

struct watch;
enum err watch_new(struct app *app, struct watch **out) MUST_CHECK;
void watch_free(struct watch *w); /* NULL is allowed */

/* Tasks of the worker. */
enum err watch_run(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;
enum err scrub_run(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
