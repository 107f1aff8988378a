/* app.c: keyring, snapshot in force, queues and executors of one process. */
#include "vault/app/app_int.h"

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "crypto/secret.h"
#include "vault/app/alarm.h"
#include "post/post.h"
#include "vault/app/background.h"
#include "vault/app/key_worker.h"
#include "vault/app/batch.h"
#include "vault/app/follow.h"
#include "vault/app/handshake.h"
#include "vault/app/audit_seal.h"
#include "vault/app/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINGLE_WEIGHT_MAX 256
#define BULK_WEIGHT_MAX 2048
#define BATCH_TIMEOUT_US 30000000

static void name_node(struct app *app)
{
	if (app->config->node[0])
		snprintf(app->node, sizeof app->node, "%s", app->config->node);
	else if (gethostname(app->node, sizeof app->node - 1))
		snprintf(app->node, sizeof app->node, "vaultd");
}

static enum err start_executors(struct app *app)
{
	const size_t n = (size_t)app->config->executors;
	enum err e = ERR_OK;

	for (size_t i = 0; i <= n && !e; i++) {
		const struct executor_options o = {.conninfo = app->config->database_url,
		                                   .queue = i < n ? app->single : app->bulk,
		                                   .ops = &batch_ops,
		                                   .ctx = app,
		                                   .index = (unsigned)i,
		                                   .weight_max = i < n ? SINGLE_WEIGHT_MAX : BULK_WEIGHT_MAX,
		                                   .job_timeout_us = app->config->request_timeout_ms * 1000,
		                                   .batch_timeout_us = BATCH_TIMEOUT_US};

		e = executor_start(&o, &app->executors[i]);
		app->n_executors += !e;
	}
	return e;
}

static enum err name_routes(void)
{
	static const char **names; /* for the life of the process, however often an app is started in it */

	if (names)
		return ERR_OK;
	names = calloc(route_count() + 1, sizeof *names);
	if (!names)
		return ERR_MEMORY;
	for (size_t i = 0; i < route_count(); i++)
		names[i] = routes[i].operation;
	names[route_count()] = "none";
	return metrics_routes(names, route_count() + 1);
}

enum err app_start(const struct config *config, struct app **out, struct buf *why)
{
	struct app *app = calloc(1, sizeof *app);
	enum err e;

	*out = NULL;
	if (!app)
		return ERR_MEMORY;
	app->config = config;
	pthread_mutex_init(&app->snapshot_lock, NULL);
	name_node(app);
	snprintf(app->key_node, sizeof app->key_node, "%s:%lld", app->node, (long long)config->listen_port);
	app->body_memory_max = BODY_MEMORY_MAX;
	e = post_start();
	if (!e)
		e = keyring_open(config->keyring, config->root_key, &app->epochs, why);
	if (!e)
		e = keyring_keys(app->epochs, &app->keyring);
	if (!e)
		e = secret_random(app->request_seed, sizeof app->request_seed);
	if (!e)
		e = queue_new((size_t)config->queue_limit, &app->single);
	if (!e)
		e = queue_new((size_t)config->queue_limit, &app->bulk);
	if (!e)
		e = follow_new(app, &app->follow);
	if (!e)
		e = name_routes();
	if (!e)
		e = alarms_new(app, &app->alarms);
	if (!e)
		e = watch_new(app, &app->watch);
	if (!e)
		e = start_executors(app);
	if (!e)
		e = handshakes_new(app, &app->handshakes);
	if (!e)
		e = audit_seal_new(app, &app->seal);
	if (!e)
		e = background_start(app);
	app->workers_ran = !e;
	if (e) {
		app_stop(app);
		return e;
	}
	*out = app;
	return ERR_OK;
}

void app_drain(struct app *app)
{
	atomic_store(&app->draining, true);
	follow_stop(app->follow);
}

void app_stop(struct app *app)
{
	if (!app)
		return;
	handshakes_stop(app->handshakes);
	background_stop(app);
	alarms_stop(app->alarms);
	if (app->workers_ran)
		key_leave(app);
	if (app->single)
		queue_close(app->single);
	if (app->bulk)
		queue_close(app->bulk);
	for (size_t i = 0; i < app->n_executors; i++)
		executor_join(app->executors[i]);
	handshakes_free(app->handshakes);
	audit_seal_free(app->seal);
	alarms_free(app->alarms);
	watch_free(app->watch);
	follow_free(app->follow);
	queue_free(app->single);
	queue_free(app->bulk);
	snapshot_drop(app->snapshot);
	keyring_free(app->epochs);
	keyring_free(app->keyring);
	pthread_mutex_destroy(&app->snapshot_lock);
	post_stop();
	free(app);
}

bool app_ready(struct app *app, struct buf *json)
{
	bool ready = !atomic_load(&app->draining);
	char trouble[256];
	struct json j;

	json_init(&j, json);
	json_object(&j);
	if (!ready)
		json_key_string(&j, "node", "stopping");
	for (size_t i = 0; i < app->n_executors; i++) {
		char key[48];

		if (executor_ready(app->executors[i]))
			continue;
		ready = false;
		executor_trouble(app->executors[i], trouble, sizeof trouble);
		snprintf(key, sizeof key, "database_executor_%zu", i);
		json_key_string(&j, key, trouble);
	}
	if (atomic_load(&app->lacks_epoch)) {
		ready = false;
		snprintf(trouble, sizeof trouble, "lacks key epoch %u, which is active", atomic_load(&app->lacks_epoch));
		json_key_string(&j, "keyring", trouble);
	}
	/* Told, and no reason to serve nobody: records are committed as ever; what is missing is a signature over them. */
	if (audit_seal_trouble(app->seal, trouble))
		json_key_string(&j, "audit_log", trouble);
	if (ready) {
		struct snapshot *s = app_snapshot(app);

		if (!s) {
			ready = false;
			json_key_string(&j, "policy", "no policy is loaded");
		}
		snapshot_drop(s);
	}
	json_key_bool(&j, "ready", ready);
	json_object_end(&j);
	return ready;
}

struct keyring *app_keyring(struct app *app)
{
	struct keyring *k;

	pthread_mutex_lock(&app->snapshot_lock);
	k = keyring_take(app->epochs);
	pthread_mutex_unlock(&app->snapshot_lock);
	return k;
}

enum err app_reload_keyring(struct app *app, struct buf *why)
{
	struct keyring *fresh = NULL, *old;
	enum err e = keyring_open(app->config->keyring, app->config->root_key, &fresh, why);

	if (e)
		return e;
	pthread_mutex_lock(&app->snapshot_lock);
	old = app->epochs;
	e = keyring_succeeds(fresh, old, why);
	if (!e)
		app->epochs = fresh;
	pthread_mutex_unlock(&app->snapshot_lock);
	keyring_free(e ? fresh : old); /* batches under way hold the old one until they end */
	if (!e)
		worker_wake(app->workers[BACKGROUND_NODE]);
	return e;
}

void app_set_reload(struct app *app, enum err (*reload)(void *ctx, struct buf *why), void *ctx)
{
	app->reload = reload;
	app->reload_ctx = ctx;
}

void app_handshake_failed(struct app *app, const char *reason)
{
	log_event(LOG_DEBUG, "handshake_refused", "reason=%s", reason);
	handshakes_count(app->handshakes, reason);
}

void app_denied(struct app *app, const char *identity)
{
	log_event(LOG_DEBUG, "deny_list", "identity=%s", identity);
	handshakes_count(app->handshakes, "deny_list");
}
