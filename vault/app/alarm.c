/* alarm.c: alarms as records, and the thread that records those of other threads. */
#include "vault/app/alarm.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/app/audit_record.h"
#include "vault/app/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_US 1000000
#define PENDING_MAX 256
#define ABOUT_MAX 300

static const struct {
	const char *name, *operation;
	enum metric metric;
} kinds[ALARM_KINDS] = {
#define X(kind, name, metric) [kind] = {name, "alarm." name, metric},
    ALARM_LIST(X)
#undef X
};

/* An audit record names its route's operation. */
static const struct route routes_of[ALARM_KINDS] = {
#define X(kind, name, metric) [kind] = {.method = "", .pattern = "", .operation = "alarm." name, .flags = ROUTE_INTERNAL},
    ALARM_LIST(X)
#undef X
};

enum err alarm_record(struct req *internal, struct batch *b, const struct alarm *a)
{
	const struct audit_entry entry = {
	    .activity = "alarm", .object = a->about, .sref = a->sref, .count = a->count, .state = -1};
	const struct route *route = internal->route;
	enum err e;

	internal->route = &routes_of[a->kind];
	if (a->cause)
		memcpy(internal->request_id, a->cause->request_id, sizeof internal->request_id);
	e = audit_add(internal, b, &entry);
	internal->route = route;
	if (e)
		return e;
	metric_add(kinds[a->kind].metric, 1);
	log_event(LOG_WARN, "alarm", "kind=%s about=%s", kinds[a->kind].name, a->about);
	return ERR_OK;
}

/* ---- canaries ---- */

struct canary_hit {
	const struct canary_hit *next;
	uint8_t sref[SREF_LEN];
};

enum err alarm_watch(struct req *r, struct batch *b, const char *activity, const uint8_t sref[static SREF_LEN])
{
	static const char *const got[] = {"read", "search", "translate", "export", "consent_read", NULL};
	struct canary_hit *hit;
	size_t i = 0;

	if (r->route->flags & ROUTE_INTERNAL || !snapshot_canary(b->snapshot, sref))
		return ERR_OK;
	while (got[i] && strcmp(got[i], activity) != 0)
		i++;
	if (!got[i])
		return ERR_OK;
	hit = arena_alloc(&r->arena, sizeof *hit);
	if (!hit)
		return ERR_MEMORY;
	hit->next = r->canaries;
	memcpy(hit->sref, sref, SREF_LEN);
	r->canaries = hit;
	return ERR_OK;
}

enum err alarm_canaries(const struct req *r, struct batch *b)
{
	struct req internal = {.app = r->app, .snapshot = r->snapshot, .purpose = -1};
	char identity[80];
	enum err e = ERR_OK;

	snprintf(identity, sizeof identity, "vault:%s", r->app->node);
	internal.identity = identity;
	for (const struct canary_hit *hit = r->canaries; hit && !e; hit = hit->next) {
		const struct alarm a = {.kind = ALARM_CANARY, .about = r->identity, .sref = hit->sref, .cause = r};

		e = alarm_record(&internal, b, &a);
	}
	return e;
}

/* ---- those of other threads ---- */

struct pending {
	enum alarm_kind kind;
	char about[ABOUT_MAX];
	uint32_t count;
};

struct alarms {
	struct app *app;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	struct pending list[PENDING_MAX];
	size_t n;
};

static enum step note_decide(struct req *r, struct batch *b)
{
	const struct pending *p = r->plan;
	const struct alarm a = {.kind = p->kind, .about = p->about, .count = p->count};

	r->err = alarm_record(r, b, &a);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route note_route = {.method = "", .pattern = "", .operation = "alarm", .flags = ROUTE_INTERNAL, .decide = note_decide};

/* Under the lock. */
static void put(struct alarms *a, enum alarm_kind kind, const char *about, uint32_t count)
{
	struct pending *p = a->list;

	while (p < a->list + a->n && (p->kind != kind || strncmp(p->about, about, ABOUT_MAX - 1) != 0))
		p++;
	if (p == a->list + a->n) {
		if (a->n == PENDING_MAX) {
			metric_add(kinds[kind].metric, count);
			return;
		}
		*p = (struct pending){.kind = kind};
		snprintf(p->about, sizeof p->about, "%s", about);
		a->n++;
	}
	p->count += count;
}

void alarm_note(struct alarms *a, enum alarm_kind kind, const char *about)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	put(a, kind, about, 1);
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* One that can't be recorded now waits for the next turn. */
static void record_all(struct alarms *a)
{
	for (;;) {
		struct pending one;
		enum err e;

		pthread_mutex_lock(&a->lock);
		if (!a->n) {
			pthread_mutex_unlock(&a->lock);
			return;
		}
		one = a->list[0];
		memmove(a->list, a->list + 1, --a->n * sizeof *a->list);
		pthread_mutex_unlock(&a->lock);
		e = internal_run(a->app, &note_route, &one, NULL);
		if (!e)
			continue;
		log_event(LOG_WARN, "alarm_unrecorded", "kind=%s about=%s code=%s", kinds[one.kind].name, one.about, err_code(e));
		pthread_mutex_lock(&a->lock);
		if (e != ERR_UNKNOWN_OUTCOME)
			put(a, one.kind, one.about, one.count);
		pthread_mutex_unlock(&a->lock);
		return;
	}
}

static void *thread_main(void *arg)
{
	struct alarms *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		struct timespec until;
		int64_t next_us;

		if (!a->n) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		record_all(a);
		next_us = clock_mono_us() + PERIOD_US;
		until = (struct timespec){.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
		pthread_mutex_lock(&a->lock);
		while (!a->stopping && !pthread_cond_timedwait(&a->changed, &a->lock, &until))
			;
	}
	pthread_mutex_unlock(&a->lock);
	record_all(a);
	return NULL;
}

enum err alarms_new(struct app *app, struct alarms **out)
{
	struct alarms *a = calloc(1, sizeof *a);
	pthread_condattr_t attr;

	*out = NULL;
	if (!a)
		return ERR_MEMORY;
	a->app = app;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&a->thread, NULL, thread_main, a)) {
		pthread_cond_destroy(&a->changed);
		pthread_mutex_destroy(&a->lock);
		free(a);
		return ERR_MEMORY;
	}
	*out = a;
	return ERR_OK;
}

void alarms_stop(struct alarms *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
}

void alarms_free(struct alarms *a)
{
	if (!a)
		return;
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
