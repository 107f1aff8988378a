/* background.h: the workers of a vault and what each does. */
#ifndef APP_BACKGROUND_H
#define APP_BACKGROUND_H

#include "vault/app/worker.h"

enum background {
	BACKGROUND_UPKEEP, /* what is due now and then: expiries, retention, sweeps */
	BACKGROUND_RIGHTS, /* carries rights requests out */
	BACKGROUND_NODE,   /* on every node: tells that it lives, and which key epochs it holds */
	BACKGROUND_KEYS,   /* wraps customers' keys anew after a rotation */
	BACKGROUND_SEALER, /* seals the audit log */
	BACKGROUND_WATCH,  /* reads the audit log: alarms, budgets, rows against the log */
	BACKGROUND_OUTBOX, /* sends messages to webhooks */
	BACKGROUND_COUNT
};

/* Starts all workers into app->workers. */
enum err background_start(struct app *app) MUST_CHECK;
/* Before the queues close. */
void background_stop(struct app *app);

#endif
