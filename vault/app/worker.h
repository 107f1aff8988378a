/* worker.h: a thread for work in the background, on one node at a time. It has a
 * connection of its own, which holds a session advisory lock; while another node
 * holds that, the worker looks again each second, so a dead node's work is taken
 * over as soon as the server has seen its connection end. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include "vault/app/app_int.h"

struct worker;

struct worker_task {
	const char *name;
	int64_t every_us; /* from the end of one run to the next */
	/* Outside a transaction, on the worker's connection. *more: call again at once.
	 * An error is logged and the task runs again when it is due; a lost connection
	 * makes the worker connect anew. Long runs look at worker_stopping. */
	enum err (*run)(struct app *app, struct worker *w, struct db *db, bool *more);
};

/* name: in the log; lock: which advisory lock, one a worker (LOCK_SPACE_WORKER); 0: none, it works on every node.
 * statements: prepared on its connection. tasks: ended by a NULL name; borrowed.
 * The tasks start when the database answers and the lock is held. */
enum err worker_start(struct app *app, const char *name, int32_t lock, const struct db_statement *statements,
                      const struct worker_task *tasks, struct worker **out) MUST_CHECK;
/* All tasks are due now. Any thread; NULL is allowed. */
void worker_wake(struct worker *w);
/* Whether this node does the work now. Any thread; NULL: false. */
bool worker_leads(const struct worker *w);
/* Changes whenever the lead was taken anew: what was read under another term may be out of date. From 1.
 * On the worker's thread. */
uint64_t worker_term(const struct worker *w);
bool worker_stopping(const struct worker *w);
/* Stops after the task under way; before the queues close, since tasks may use them. NULL is allowed. */
void worker_stop(struct worker *w);

#endif
