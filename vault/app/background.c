/* background.c: the table of workers and their tasks. */
#include "vault/app/background.h"

#include "store/audit_tree.h"
#include "store/statements.h"
#include "vault/app/consent_expiry.h"
#include "vault/app/export.h"
#include "vault/app/key_worker.h"
#include "vault/app/outbox.h"
#include "vault/app/recipients.h"
#include "vault/app/retention.h"
#include "vault/app/rights_jobs.h"
#include "vault/app/audit_seal.h"
#include "vault/app/watch.h"

static const struct db_statement no_statements[] = {{NULL, NULL}};

static enum err sweep(struct app *app, struct worker *w, struct db *db, bool *more)
{
	(void)app;
	(void)w;
	*more = false;
	return store_sweep(db);
}

static const struct worker_task rights[] = {
    {"rights_requests", 1000000, rights_run_due},
    {"recipients", 1000000, recipients_rectified},
    {NULL, 0, NULL},
};

static const struct worker_task sealer[] = {
    {"seal", 400000, audit_seal_run},
    {NULL, 0, NULL},
};

static const struct worker_task outbox[] = {
    {"outbox", 1000000, outbox_send},
    {"outbox_clean", (int64_t)3600 * 1000000, outbox_clean},
    {NULL, 0, NULL},
};

static const struct worker_task node[] = {
    {"key_report", 2000000, key_report},
    {NULL, 0, NULL},
};

static const struct worker_task keys[] = {
    {"key_rewrap", 1000000, key_rewrap},
    {NULL, 0, NULL},
};

static const struct worker_task upkeep[] = {
    {"consent_expiry", 500000, consent_expire},
    {"retention", 500000, retention_sweep},
    {"export_sweep", (int64_t)3600 * 1000000, export_sweep},
    {"sweep", (int64_t)600 * 1000000, sweep},
    {NULL, 0, NULL},
};
static const struct worker_task watch[] = {
    {"watch", 500000, watch_run},
    {"scrub", 1000000, scrub_run},
    {NULL, 0, NULL},
};

_Static_assert(BACKGROUND_COUNT <= WORKERS_MAX, "room in struct app");

/* Lock numbers are shared by all nodes, of all versions: never reused. */
static const struct {
	const char *name;
	int32_t lock;
	const struct db_statement *statements;
	const struct worker_task *tasks;
} table[BACKGROUND_COUNT] = {
    [BACKGROUND_UPKEEP] = {"upkeep", 1, no_statements, upkeep},
    [BACKGROUND_RIGHTS] = {"rights", 2, no_statements, rights},
    [BACKGROUND_NODE] = {"node", 0, no_statements, node},
    [BACKGROUND_KEYS] = {"keys", 6, no_statements, keys},
    [BACKGROUND_SEALER] = {"sealer", 3, audit_tree_statements, sealer},
    [BACKGROUND_WATCH] = {"watch", 11, no_statements, watch},
    [BACKGROUND_OUTBOX] = {"outbox", 8, no_statements, outbox},
};

enum err background_start(struct app *app)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < BACKGROUND_COUNT && !e; i++)
		e = worker_start(app, table[i].name, table[i].lock, table[i].statements, table[i].tasks, &app->workers[i]);
	return e;
}

void background_stop(struct app *app)
{
	for (size_t i = 0; i < BACKGROUND_COUNT; i++) {
		worker_stop(app->workers[i]);
		app->workers[i] = NULL;
	}
}
