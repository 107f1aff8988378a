/* internal.c: a request without a connection, waited for by the thread that made it. */
#include "vault/app/internal.h"

#include <stdio.h>

struct call {
	struct req r; /* first: the executor hands it back */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ended;
	enum err err;
};

/* On an executor's thread. */
static void done(struct executor_job *job, enum err e)
{
	struct call *c = (struct call *)job;

	pthread_mutex_lock(&c->lock);
	c->err = e ? e : c->r.err;
	c->ended = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static enum err publish(struct call *c, struct queue *q)
{
	struct snapshot *s = app_snapshot(c->r.app);
	enum err e = s ? req_plan(&c->r, s) : ERR_UNAVAILABLE;

	snapshot_drop(s);
	if (e)
		return e;
	if (!queue_reserve(q))
		return atomic_load(&c->r.app->draining) ? ERR_STOPPING : ERR_BUSY;
	queue_publish(q, &c->r.job);
	pthread_mutex_lock(&c->lock);
	while (!c->ended)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return c->err;
}

enum err internal_run(struct app *app, const struct route *route, void *plan, const char *purpose)
{
	struct call c = {.r = {.app = app, .route = route, .plan = plan, .purpose_name = purpose, .purpose = -1}};
	char identity[80];
	enum err e;

	snprintf(identity, sizeof identity, "vault:%s", app->node);
	c.r.identity = identity;
	c.r.job.weight = 1;
	c.r.job.solo = (route->flags & ROUTE_SOLO) != 0;
	c.r.job.done = done;
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.changed, NULL);
	arena_init(&c.r.arena, 0);
	buf_init(&c.r.out, 0);
	e = publish(&c, route->flags & ROUTE_BULK ? app->bulk : app->single);
	snapshot_drop(c.r.snapshot);
	buf_fini(&c.r.out);
	arena_fini(&c.r.arena);
	pthread_cond_destroy(&c.changed);
	pthread_mutex_destroy(&c.lock);
	return e;
}
