/* handshake.c: a thread that turns counts into internal requests, each of which
 * joins a batch of the single queue like any other and adds one record. */
#include "vault/app/handshake.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/app/audit_record.h"
#include "vault/app/operations.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_US 10000000

static const char *const reasons[] = {"no_certificate",  "unknown_ca",     "expired", "not_client", "domain_mismatch",
                                      "two_identities", "no_identity", "timeout", "protocol",   "deny_list", "other"};
#define REASONS (sizeof reasons / sizeof *reasons)

struct handshakes {
	struct app *app;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	uint32_t counts[REASONS];
};

/* What an executor runs: no connection stands behind it. */
struct note {
	struct req r; /* first: the executor hands it back */
	struct handshakes *handshakes;
	size_t reason;
	uint32_t count;
};

static const struct route internal_route = {.method = "", .pattern = "", .operation = "tls.handshake", .decide = handshake_decide};

enum step handshake_decide(struct req *r, struct batch *b)
{
	const struct note *n = (const struct note *)r;
	const struct audit_entry entry = {
	    .activity = "handshake", .code = ERR_POLICY_DENIED, .count = n->count, .object = reasons[n->reason], .state = -1};

	r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static void give_back(struct handshakes *h, size_t reason, uint32_t count)
{
	pthread_mutex_lock(&h->lock);
	h->counts[reason] += count;
	pthread_mutex_unlock(&h->lock);
}

static void done(struct executor_job *job, enum err e)
{
	struct note *n = (struct note *)job;

	if (e == ERR_UNKNOWN_OUTCOME)
		log_event(LOG_WARN, "handshakes_unrecorded", "reason=%s count=%u: the commit's outcome is unknown", reasons[n->reason], n->count);
	else if (e) /* with the next period's */
		give_back(n->handshakes, n->reason, n->count);
	snapshot_drop(n->r.snapshot);
	arena_fini(&n->r.arena);
	buf_fini(&n->r.out);
	free(n);
}

/* false: no room now. */
static bool publish(struct handshakes *h, size_t reason, uint32_t count)
{
	struct snapshot *s = app_snapshot(h->app);
	struct note *n = s ? calloc(1, sizeof *n) : NULL;
	bool ok = false;

	if (n) {
		*n = (struct note){.handshakes = h, .reason = reason, .count = count};
		n->r.app = h->app;
		n->r.route = &internal_route;
		n->r.identity = "unknown";
		n->r.purpose = -1;
		n->r.job.weight = 1;
		n->r.job.done = done;
		arena_init(&n->r.arena, 0);
		buf_init(&n->r.out, 0);
		ok = !req_plan(&n->r, s) && queue_reserve(h->app->single);
		if (ok)
			queue_publish(h->app->single, &n->r.job);
		else
			snapshot_drop(n->r.snapshot);
	}
	if (!ok)
		free(n);
	snapshot_drop(s);
	return ok;
}

static void publish_all(struct handshakes *h)
{
	uint32_t counts[REASONS];

	pthread_mutex_lock(&h->lock);
	memcpy(counts, h->counts, sizeof counts);
	memset(h->counts, 0, sizeof h->counts);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < REASONS; i++)
		if (counts[i] && !publish(h, i, counts[i]))
			give_back(h, i, counts[i]);
}

static bool any(const struct handshakes *h)
{
	for (size_t i = 0; i < REASONS; i++)
		if (h->counts[i])
			return true;
	return false;
}

static void *thread_main(void *arg)
{
	struct handshakes *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->stopping) {
		struct timespec until;
		int64_t next_us;

		if (!any(h)) {
			pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		publish_all(h);
		next_us = clock_mono_us() + PERIOD_US;
		until = (struct timespec){.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
		pthread_mutex_lock(&h->lock);
		while (!h->stopping && !pthread_cond_timedwait(&h->changed, &h->lock, &until))
			;
	}
	pthread_mutex_unlock(&h->lock);
	publish_all(h);
	return NULL;
}

enum err handshakes_new(struct app *app, struct handshakes **out)
{
	struct handshakes *h = calloc(1, sizeof *h);
	pthread_condattr_t attr;

	*out = NULL;
	if (!h)
		return ERR_MEMORY;
	h->app = app;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&h->thread, NULL, thread_main, h)) {
		pthread_cond_destroy(&h->changed);
		pthread_mutex_destroy(&h->lock);
		free(h);
		return ERR_MEMORY;
	}
	*out = h;
	return ERR_OK;
}

void handshakes_count(struct handshakes *h, const char *reason)
{
	size_t i = 0;

	while (i < REASONS - 1 && strcmp(reasons[i], reason) != 0)
		i++;
	pthread_mutex_lock(&h->lock);
	if (h->counts[i] < UINT32_MAX)
		h->counts[i]++;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

void handshakes_stop(struct handshakes *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
}

void handshakes_free(struct handshakes *h)
{
	if (!h)
		return;
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
