/* watchdog.c: the deadlines that MHD does not have.
 *
 * MHD only has an inactivity timer: a byte every half second lives for ever.
 * Each connection carries one word: its phase and, above it, the millisecond
 * at which that phase is over. One thread sleeps until the next deadline and
 * cuts by shutdown(), which wakes MHD's poll; MHD closes the socket later, on
 * its own thread, and only after the CLOSED notification has taken the
 * connection out of the table. Both hold the table's lock, so a cut never
 * meets a descriptor that is someone else's by then. */
#include "http_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define PHASE_BITS 8
/* Deadlines this close together are served in one pass. */
#define PASS_MS 20

static const uint16_t allowed[PHASE_COUNT] = {
#define TO(p) (uint16_t)(1u << (p))
    [PHASE_HANDSHAKE] = TO(PHASE_HANDSHAKE) | TO(PHASE_IDLE) | TO(PHASE_CUT),
    [PHASE_IDLE] = TO(PHASE_HEADER) | TO(PHASE_BODY) | TO(PHASE_CUT),
    [PHASE_HEADER] = TO(PHASE_BODY) | TO(PHASE_CUT),
    [PHASE_BODY] = TO(PHASE_WAITING) | TO(PHASE_REPLY) | TO(PHASE_IDLE) | TO(PHASE_CUT),
    [PHASE_WAITING] = TO(PHASE_REPLY),
    [PHASE_PARKED] = TO(PHASE_REPLY),
    [PHASE_REPLY] = TO(PHASE_REPLY) | TO(PHASE_PARKED) | TO(PHASE_IDLE) | TO(PHASE_CUT),
    [PHASE_CUT] = 0,
#undef TO
};

static uint64_t pack(enum phase p, int64_t deadline_ms)
{
	return (uint64_t)deadline_ms << PHASE_BITS | (uint64_t)p;
}

static enum phase phase_of(uint64_t word)
{
	return (enum phase)(word & ((1u << PHASE_BITS) - 1));
}

static int64_t deadline_of(uint64_t word)
{
	return (int64_t)(word >> PHASE_BITS);
}

static int64_t now_ms(void)
{
	return clock_mono_us() / 1000;
}

enum phase connection_phase(const struct connection *c)
{
	return phase_of(atomic_load_explicit(&c->word, memory_order_acquire));
}

bool connection_move(struct connection *c, enum phase to, int64_t timeout_ms)
{
	const uint64_t next = pack(to, timeout_ms > 0 ? now_ms() + timeout_ms : 0);
	uint64_t word = atomic_load(&c->word);

	do {
		if (phase_of(word) == PHASE_CUT)
			return false;
		assert(allowed[phase_of(word)] & 1u << to);
	} while (!atomic_compare_exchange_weak(&c->word, &word, next));
	return true;
}

void connection_wake(struct connection *c, enum phase from)
{
	struct http_server *s = c->server;
	struct MHD_Connection *mhd = c->mhd;
	uint64_t word;

	atomic_fetch_add(&s->waking, 1);
	word = atomic_load(&c->word);
	while (phase_of(word) == from) {
		if (!atomic_compare_exchange_weak(&c->word, &word, pack(PHASE_REPLY, 0)))
			continue;
		/* It is suspended until this call, so it is still there; it may be gone right after. */
		MHD_resume_connection(mhd);
		break;
	}
	atomic_fetch_sub(&s->waking, 1);
}

void connection_cut(struct connection *c)
{
	atomic_store(&c->word, pack(PHASE_CUT, 0));
	shutdown(c->fd, SHUT_RDWR);
}

static void cut(struct connection *c, uint64_t word)
{
	if (!atomic_compare_exchange_strong(&c->word, &word, pack(PHASE_CUT, 0)))
		return; /* it moved on just now */
	if (phase_of(word) == PHASE_HANDSHAKE)
		atomic_store(&c->timed_out, true);
	if (phase_of(word) != PHASE_IDLE)
		metric_add(METRIC_DEADLINE_CUTS, 1);
	shutdown(c->fd, SHUT_RDWR);
}

static void wake_stream(struct connection *c)
{
	/* First: once it is awake, the I/O thread may run. */
	atomic_store(&c->timer_woke, true);
	connection_wake(c, PHASE_PARKED);
}

/* Acts on what is due; returns the earliest deadline that is not, or 0. The table's lock is held. */
static int64_t pass(struct http_server *s, int64_t now)
{
	int64_t next = 0;

	for (struct connection *c = s->connections; c; c = c->next) {
		const uint64_t word = atomic_load(&c->word);
		const int64_t deadline = deadline_of(word);

		if (deadline == 0)
			continue;
		if (deadline > now) {
			if (next == 0 || deadline < next)
				next = deadline;
		} else if (phase_of(word) == PHASE_PARKED) {
			wake_stream(c);
		} else {
			cut(c, word);
		}
	}
	return next;
}

/* A deadline set while the watchdog sleeps is at least this far ahead, so nobody needs to wake it. */
static int64_t longest_sleep_ms(const struct http_server *s)
{
	int64_t least = HTTP_STREAM_SILENCE_MS;

	least = s->handshake_ms < least ? s->handshake_ms : least;
	least = s->header_ms < least ? s->header_ms : least;
	least = s->body_ms < least ? s->body_ms : least;
	return s->idle_ms < least ? s->idle_ms : least;
}

static void *watch(void *server)
{
	struct http_server *s = server;
	const int64_t longest = longest_sleep_ms(s);

	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		const int64_t now = now_ms();
		const int64_t due = pass(s, now);
		int64_t until = now + longest;
		struct timespec at;

		if (due != 0 && due < until)
			until = due;
		if (until < now + PASS_MS)
			until = now + PASS_MS;
		at = (struct timespec){.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
		pthread_cond_timedwait(&s->changed, &s->lock, &at);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

enum err watchdog_start(struct http_server *s)
{
	pthread_condattr_t attr;
	enum err e = ERR_MEMORY;

	if (pthread_condattr_init(&attr) != 0)
		return e;
	if (pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&s->changed, &attr) == 0) {
		if (pthread_create(&s->watchdog, NULL, watch, s) == 0)
			e = ERR_OK;
		else
			pthread_cond_destroy(&s->changed);
	}
	pthread_condattr_destroy(&attr);
	return e;
}

void watchdog_stop(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->watchdog, NULL);
	pthread_cond_destroy(&s->changed);
}

/* A handshake, or an idle connection where no request waits in the socket; and only by a move that
 * the I/O thread sees before it would begin one: what has begun is answered. */
static void close_unused(struct connection *c)
{
	uint64_t word = atomic_load(&c->word);
	int waiting = 0;

	if (phase_of(word) == PHASE_IDLE && (ioctl(c->fd, FIONREAD, &waiting) != 0 || waiting > 0))
		return;
	if ((phase_of(word) == PHASE_IDLE || phase_of(word) == PHASE_HANDSHAKE) &&
	    atomic_compare_exchange_strong(&c->word, &word, pack(PHASE_CUT, 0)))
		shutdown(c->fd, SHUT_RDWR);
}

size_t watchdog_drain(struct http_server *s)
{
	size_t left;

	pthread_mutex_lock(&s->lock);
	for (struct connection *c = s->connections; c; c = c->next) {
		const enum phase p = connection_phase(c);

		if (p == PHASE_PARKED)
			wake_stream(c);
		else
			close_unused(c);
	}
	left = s->n_connections;
	pthread_mutex_unlock(&s->lock);
	return left;
}

size_t watchdog_cut_all(struct http_server *s)
{
	size_t suspended = 0;

	pthread_mutex_lock(&s->lock);
	for (struct connection *c = s->connections; c; c = c->next) {
		const enum phase p = connection_phase(c);

		if (p == PHASE_PARKED)
			wake_stream(c);
		else if (p == PHASE_WAITING)
			suspended++;
		else
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
	return suspended;
}
