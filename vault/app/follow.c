/* follow.c: the thread that reads new segments, and the followers' buffers. */
#include "vault/app/follow.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/audit_query.h"
#include "vault/app/positions.h"

#include <stdlib.h>
#include <string.h>

#define FOLLOWERS_MAX 64
#define BACKLOG_MAX ((size_t)1 << 20) /* bytes that one follower may be behind */
#define LOOK_US 500000                /* for segments of other nodes */
#define REST_US 20000                 /* between two looks, however busy this node is */
#define ANSWER_US 10000000            /* the database must answer within this time */
#define RETRY_US 1000000

struct follower {
	struct follow *follow;
	struct follower *next;
	const struct req *r; /* its identity */
	struct audit_filter filter;
	struct buf out;
	size_t taken; /* bytes of out that the client has */
	bool over;
	void (*wake)(void *token); /* set while it is parked */
	void *token;
};

struct follow {
	struct app *app;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started, stopping;
	_Atomic bool wanted; /* somebody follows */
	bool news;           /* a segment was committed here since the last look */
	struct follower *followers;
	size_t n_followers;
	bool known; /* at is valid; the thread takes that back when nobody follows */
	struct positions at; /* the thread's own while known */
	/* The thread's own. */
	struct db *db;
	int64_t revision;
};

enum err follow_new(struct app *app, struct follow **out)
{
	struct follow *f = calloc(1, sizeof *f);
	pthread_condattr_t attr;

	*out = f;
	if (!f)
		return ERR_MEMORY;
	f->app = app;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	return ERR_OK;
}

void follow_notify(struct follow *f)
{
	if (!atomic_load_explicit(&f->wanted, memory_order_relaxed))
		return; /* the usual case costs an executor one load */
	pthread_mutex_lock(&f->lock);
	f->news = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* ---- one follower; f->lock is held ---- */

/* wake() is called under the lock: after follow_end or unpark nobody calls it. */
static void rouse(struct follower *w)
{
	void (*wake)(void *token) = w->wake;

	w->wake = NULL;
	if (wake)
		wake(w->token);
}

static void finish(struct follower *w, const char *last_line)
{
	if (w->over)
		return;
	w->over = true;
	if (last_line)
		buf_text(&w->out, last_line);
	rouse(w);
}

/* A client that is always a little behind never empties the buffer. */
static void make_room(struct follower *w)
{
	const size_t left = w->out.len - w->taken;

	if (w->taken < BACKLOG_MAX)
		return;
	memmove(w->out.data, w->out.data + w->taken, left);
	buf_truncate(&w->out, left);
	w->taken = 0;
}

static void offer(struct follower *w, const char *record, size_t len)
{
	if (w->over || !audit_filter_matches(&w->filter, record, len))
		return;
	make_room(w);
	if (w->out.len - w->taken + len + 1 > BACKLOG_MAX) {
		finish(w, "{\"error\":\"too_slow\"}\n");
		return;
	}
	buf_append(&w->out, record, len);
	buf_byte(&w->out, '\n');
	if (!buf_ok(&w->out))
		finish(w, NULL);
}

/* Those that may follow no longer, under a new configuration. */
static void recheck(struct follow *f, const struct snapshot *s)
{
	pthread_mutex_lock(&f->lock);
	for (struct follower *w = f->followers; w; w = w->next) {
		struct policy_identity who;
		struct policy_verdict v;

		policy_identify(s->policy, w->r->identity, &who);
		if (!snapshot_frozen(s, w->r->identity) && policy_has_right(s->policy, &who, RIGHT_READ_AUDIT, &v))
			continue;
		buf_reset(&w->out);
		w->taken = 0;
		finish(w, "{\"error\":\"policy_denied\"}\n");
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- a look at the database; on the thread, without the lock ---- */

/* *more: a stream has further segments. */
static void deliver(struct follow *f, const struct db_result *r, struct positions *p, bool *more)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < db_rows(r); i++) {
		struct position *at = positions_find(p, db_int8(r, i, 0));
		struct audit_walk w = audit_walk_of(r, i);
		const char *record;
		size_t len;
		int64_t seq;

		while (audit_walk_next(&w, &record, &len, &seq))
			for (struct follower *to = f->followers; to; to = to->next)
				offer(to, record, len);
		at->next_seq = db_int8(r, i, 1) + db_int4(r, i, 2);
		if (++at->segments == AUDIT_NEWER_MOST) {
			at->next_batch = LOOK_AGAIN;
			*more = true;
		}
	}
	for (struct follower *to = f->followers; to; to = to->next)
		if (to->out.len > to->taken)
			rouse(to);
	pthread_mutex_unlock(&f->lock);
}

static enum err adopt_revision(struct follow *f, int64_t revision)
{
	struct snapshot *s = NULL;
	struct buf why;
	enum err e;

	if (revision == f->revision)
		return ERR_OK;
	buf_init(&why, 4096);
	e = snapshot_load(f->db, &s, &why);
	buf_fini(&why);
	if (e)
		return e;
	app_publish(f->app, s);
	f->revision = s->revision;
	recheck(f, s);
	snapshot_drop(s);
	return ERR_OK;
}

static enum err look(struct follow *f, bool *more)
{
	struct db_array streams, seqs;
	struct positions next = {0};
	struct db_result *r = NULL;
	enum err e;

	*more = false;
	db_array_init(&streams, DB_INT8);
	db_array_init(&seqs, DB_INT8);
	db_set_deadline(f->db, clock_mono_us() + ANSWER_US);
	e = audit_query_streams(f->db, &r);
	if (!e)
		e = adopt_revision(f, db_int8(r, 0, 2));
	if (!e)
		e = positions_merge(&f->at, r, &streams, &seqs, &next);
	db_result_free(r);
	r = NULL;
	if (!e && streams.n)
		e = audit_query_newer(f->db, &streams, &seqs, &r);
	if (!e && streams.n)
		deliver(f, r, &next, more);
	db_result_free(r);
	if (!e) {
		free(f->at.list);
		f->at = next;
	} else {
		free(next.list);
	}
	db_array_fini(&streams);
	db_array_fini(&seqs);
	return e;
}

/* ---- the thread ---- */

static enum err connect_db(struct follow *f)
{
	struct buf why;
	enum err e;

	if (f->db)
		return ERR_OK;
	buf_init(&why, 4096);
	e = db_open(f->app->config->database_url, NULL, &f->db, &why);
	if (e)
		log_event(LOG_WARN, "follow_database_away", "reason=\"%s\"", buf_string(&why));
	buf_fini(&why);
	return e;
}

static void disconnect(struct follow *f)
{
	db_close(f->db);
	f->db = NULL;
}

/* Under the lock; gives it back meanwhile. */
static void wait_us(struct follow *f, int64_t us, bool for_news)
{
	const int64_t until = clock_mono_us() + us;
	const struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	int timed_out = 0;

	while (!f->stopping && f->n_followers && !(for_news && f->news) && !timed_out)
		timed_out = pthread_cond_timedwait(&f->changed, &f->lock, &at);
}

static void rest(struct follow *f)
{
	free(f->at.list);
	f->at = (struct positions){0};
	f->known = false;
	atomic_store(&f->wanted, false);
	disconnect(f);
	while (!f->stopping && !f->n_followers)
		pthread_cond_wait(&f->changed, &f->lock);
}

static void *thread_main(void *arg)
{
	struct follow *f = arg;

	pthread_mutex_lock(&f->lock);
	while (!f->stopping) {
		bool more = false;
		enum err e;

		if (!f->n_followers) {
			rest(f);
			continue;
		}
		f->news = false;
		pthread_mutex_unlock(&f->lock);
		e = connect_db(f);
		if (!e)
			e = look(f, &more);
		if (e)
			disconnect(f);
		pthread_mutex_lock(&f->lock);
		if (!more || e)
			wait_us(f, e ? RETRY_US : REST_US, false);
		if (!more && !e)
			wait_us(f, LOOK_US, true);
	}
	pthread_mutex_unlock(&f->lock);
	disconnect(f);
	return NULL;
}

void follow_stop(struct follow *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	for (struct follower *w = f->followers; w; w = w->next)
		finish(w, NULL);
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	follow_stop(f);
	if (f->started)
		pthread_join(f->thread, NULL);
	free(f->at.list);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* ---- begin and end ---- */

/* Under the lock. first: where streams end, used where it is not known yet. */
static enum err add(struct follow *f, struct follower *w, struct positions *first)
{
	if (f->stopping)
		return ERR_STOPPING;
	if (f->n_followers >= FOLLOWERS_MAX)
		return ERR_BUSY;
	if (!f->known && !first->list)
		return ERR_BUSY; /* the last follower left just now */
	if (!f->started && pthread_create(&f->thread, NULL, thread_main, f))
		return ERR_MEMORY;
	f->started = true;
	if (!f->known) {
		f->at = *first;
		*first = (struct positions){0};
		f->known = true;
	}
	w->next = f->followers;
	f->followers = w;
	f->n_followers++;
	atomic_store(&f->wanted, true);
	pthread_cond_signal(&f->changed);
	metric_add(METRIC_FOLLOWERS, 1);
	return ERR_OK;
}

static enum err begin(struct req *r, struct follow *f, struct positions *first, const struct audit_filter *filter)
{
	struct follower *w = calloc(1, sizeof *w);
	enum err e;

	if (!w)
		return ERR_MEMORY;
	w->follow = f;
	w->r = r;
	w->filter = *filter;
	buf_init(&w->out, 4 * BACKLOG_MAX);
	pthread_mutex_lock(&f->lock);
	e = add(f, w, first);
	pthread_mutex_unlock(&f->lock);
	if (e)
		free(w);
	else
		r->stream = w;
	return e;
}

enum err follow_begin(struct req *r, struct db *db, const struct audit_filter *filter)
{
	struct follow *f = r->app->follow;
	struct positions first = {0};
	enum err e = ERR_OK;
	bool known;

	if (r->stream) { /* the batch is run again: it may get what was committed since */
		pthread_mutex_lock(&f->lock);
		r->stream->filter = *filter;
		pthread_mutex_unlock(&f->lock);
		return ERR_OK;
	}
	pthread_mutex_lock(&f->lock);
	known = f->known;
	pthread_mutex_unlock(&f->lock);
	if (!known)
		e = positions_load(db, &first);
	if (!e)
		e = begin(r, f, &first, filter);
	free(first.list);
	return e;
}

void follow_end(struct follower *w)
{
	struct follow *f;
	struct follower **at;

	if (!w)
		return;
	f = w->follow;
	pthread_mutex_lock(&f->lock);
	for (at = &f->followers; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	f->n_followers--;
	if (!f->n_followers)
		pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
	metric_add(METRIC_FOLLOWERS, -1);
	buf_fini(&w->out);
	free(w);
}

/* ---- on I/O threads ---- */

int64_t req_stream(struct req *r, uint8_t *out, size_t room)
{
	struct follower *w = r->stream;
	int64_t got;

	if (!w)
		return -1;
	pthread_mutex_lock(&w->follow->lock);
	got = (int64_t)(w->out.len - w->taken < room ? w->out.len - w->taken : room);
	if (got)
		memcpy(out, w->out.data + w->taken, (size_t)got);
	w->taken += (size_t)got;
	if (w->taken == w->out.len) {
		buf_reset(&w->out);
		w->taken = 0;
	}
	if (!got && w->over)
		got = -1;
	pthread_mutex_unlock(&w->follow->lock);
	return got;
}

void req_stream_park(struct req *r, void (*wake)(void *token), void *token)
{
	struct follower *w = r->stream;

	pthread_mutex_lock(&w->follow->lock);
	w->wake = wake;
	w->token = token;
	if (w->out.len > w->taken || w->over)
		rouse(w);
	pthread_mutex_unlock(&w->follow->lock);
}

void req_stream_unpark(struct req *r)
{
	struct follower *w = r->stream;

	pthread_mutex_lock(&w->follow->lock);
	w->wake = NULL;
	pthread_mutex_unlock(&w->follow->lock);
}
