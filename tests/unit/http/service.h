/* service.h: a server under test: a handler with a few routes and one thread that answers later.
 *
 *   /now      ready at once            /later    answered by the other thread
 *   /echo     the body (up to 1 MiB)   /big?n=   n bytes, later
 *   /busy     refused by begin         /slow?ms= later, after that time
 *   /stream   lines that service_emit() sends, until service_end_stream()
 *   /head?q=  what the head's look-ups say */
#ifndef TESTS_HTTP_SERVICE_H
#define TESTS_HTTP_SERVICE_H

#include "client.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct job {
	struct job *next;
	void (*wake)(void *token);
	void *token;
	int64_t at_us;
};

struct service {
	struct pki pki;
	struct config config;
	struct http_server *server;
	int port;
	pthread_t worker;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *jobs;
	bool worker_ends;
	/* streams: one follower at a time */
	int64_t lines, sent;
	bool stream_ends;
	void (*follower_wake)(void *token);
	void *follower;
	char reason[64]; /* of the last failed handshake */
	_Atomic int failures, denials;
	_Atomic int begun, ended, unparked;
};

struct call {
	struct service *s;
	enum { NOW, LATER, ECHO, BIG, SLOW, STREAM, HEAD } what;
	int64_t n;
	struct buf body;
	struct http_reply reply;
	char note[600];
};

static inline void *service_begin(void *ctx, const struct http_head *head, size_t *body_limit, enum err *refused)
{
	static const char *const paths[] = {"/now", "/later", "/echo", "/big", "/slow", "/stream", "/head"};
	struct call *c = NULL;
	const char *n = head->query(head->connection, "n");

	*refused = strcmp(head->path, "/busy") == 0 ? ERR_BUSY : ERR_NO_ROUTE;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(head->path, paths[i]) == 0) {
			c = calloc(1, sizeof *c);
			if (!c)
				abort();
			c->what = i;
		}
	if (!c)
		return NULL;
	c->s = ctx;
	c->n = n ? strtoll(n, NULL, 10) : 0;
	buf_init(&c->body, 0);
	*body_limit = c->what == ECHO ? (size_t)1 << 20 : 0;
	if (c->what == HEAD) {
		const char *q = head->query(head->connection, "q"), *x = head->header(head->connection, "x-test");

		snprintf(c->note, sizeof c->note, "%s|%s|%s|%s", head->peer->spiffe_id, q ? q : "-", x ? x : "-",
			 head->method);
	}
	atomic_fetch_add(&c->s->begun, 1);
	return c;
}

static inline enum err service_body(void *request, const void *bytes, size_t len)
{
	struct call *c = request;

	buf_append(&c->body, bytes, len);
	return buf_err(&c->body);
}

static inline bool service_ready(void *request)
{
	const struct call *c = request;

	return c->what == NOW || c->what == HEAD || c->what == STREAM;
}

static inline void service_submit(void *request, void (*wake)(void *token), void *token)
{
	const struct call *c = request;
	struct service *s = c->s;
	struct job *j = calloc(1, sizeof *j);

	if (!j)
		abort();
	*j = (struct job){.wake = wake, .token = token, .at_us = clock_mono_us() + (c->what == SLOW ? c->n * 1000 : 0)};
	pthread_mutex_lock(&s->lock);
	j->next = s->jobs;
	s->jobs = j;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Wakes what is due; returns how long nothing will be. The lock is held. */
static inline int64_t service_pass(struct service *s)
{
	int64_t left = 1000000;
	struct job **at = &s->jobs;

	while (*at) {
		struct job *j = *at;
		const int64_t more = j->at_us - clock_mono_us();

		if (more > 0) {
			left = more < left ? more : left;
			at = &j->next;
			continue;
		}
		*at = j->next;
		j->wake(j->token);
		free(j);
	}
	return left;
}

static inline void *service_work(void *ctx)
{
	struct service *s = ctx;

	pthread_mutex_lock(&s->lock);
	while (!s->worker_ends || s->jobs) {
		const int64_t until = clock_now_us() + service_pass(s);
		const struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

		pthread_cond_timedwait(&s->changed, &s->lock, &at);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static inline int64_t service_stream(void *request, uint8_t *out, size_t room)
{
	struct service *s = ((struct call *)request)->s;
	int64_t n = 0;

	pthread_mutex_lock(&s->lock);
	if (s->sent < s->lines) {
		n = snprintf((char *)out, room, "line %lld\n", (long long)++s->sent);
	} else if (s->stream_ends) {
		n = -1;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

static inline const struct http_reply *service_reply(void *request)
{
	struct call *c = request;

	c->reply = (struct http_reply){.status = 200, .content_type = "text/plain", .body = (const uint8_t *)c->note};
	if (c->what == STREAM) {
		c->reply.stream = service_stream;
		return &c->reply;
	}
	if (c->what == BIG) {
		uint8_t *at = buf_reserve(&c->body, (size_t)c->n);

		for (int64_t i = 0; at && i < c->n; i++)
			at[i] = (uint8_t)('a' + i % 26);
		c->body.len = (size_t)c->n;
	}
	if (c->what == ECHO || c->what == BIG) {
		c->reply.body = c->body.data;
		c->reply.body_len = c->body.len;
		return &c->reply;
	}
	if (c->what != HEAD)
		snprintf(c->note, sizeof c->note, "%s", c->what == NOW ? "now" : "later");
	c->reply.body_len = strlen(c->note);
	return &c->reply;
}

static inline void service_park(void *request, void (*wake)(void *token), void *token)
{
	struct service *s = ((struct call *)request)->s;

	pthread_mutex_lock(&s->lock);
	if (s->sent < s->lines || s->stream_ends) {
		wake(token); /* it came between stream and park */
	} else {
		s->follower_wake = wake;
		s->follower = token;
	}
	pthread_mutex_unlock(&s->lock);
}

static inline void service_unpark(void *request)
{
	struct service *s = ((struct call *)request)->s;

	pthread_mutex_lock(&s->lock);
	s->follower_wake = NULL;
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->unparked, 1);
}

static inline void service_tell(struct service *s, int64_t lines, bool ends)
{
	pthread_mutex_lock(&s->lock);
	s->lines += lines;
	s->stream_ends = ends;
	if (s->follower_wake)
		s->follower_wake(s->follower);
	s->follower_wake = NULL;
	pthread_mutex_unlock(&s->lock);
}

static UNUSED_HERE void service_emit(struct service *s)
{
	service_tell(s, 1, false);
}

static UNUSED_HERE void service_end_stream(struct service *s)
{
	service_tell(s, 0, true);
}

static inline void service_end(void *request)
{
	struct call *c = request;

	atomic_fetch_add(&c->s->ended, 1);
	buf_fini(&c->body);
	free(c);
}

static inline void service_problem(enum err e, const char *request_id, struct buf *out)
{
	buf_printf(out, "{\"code\":\"%s\",\"status\":%d,\"request_id\":\"%s\"}", err_code(e), err_status(e),
		   request_id);
}

static inline void service_failed(void *ctx, const char *reason)
{
	struct service *s = ctx;

	pthread_mutex_lock(&s->lock);
	snprintf(s->reason, sizeof s->reason, "%s", reason);
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->failures, 1);
}

static inline void service_denied(void *ctx, const struct http_peer *peer)
{
	struct service *s = ctx;

	if (strcmp(peer->spiffe_id, "spiffe://crm.example/svc/crm-core") == 0)
		atomic_fetch_add(&s->denials, 1);
}

static UNUSED_HERE void service_prepare(struct service *s)
{
	*s = (struct service){.pki = pki_new()};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->config = (struct config){
	    .listen_address = strdup("127.0.0.1"),
	    .tls_certificate = strdup(file_in(&s->pki, "server.pem")),
	    .tls_key = strdup(file_in(&s->pki, "server.key")),
	    .trust_bundles = strdup(file_in(&s->pki, "bundles")),
	    .deny_list = strdup(file_in(&s->pki, "deny")),
	    .io_threads = 2,
	    .max_connections = 2048,
	    .handshake_timeout_ms = 10000,
	    .header_timeout_ms = 10000,
	    .body_timeout_ms = 20000,
	    .idle_timeout_ms = 60000,
	};
	write_file(s->pki.folder, "deny", "", 0, 0644);
}

static UNUSED_HERE void service_start(struct service *s)
{
	const struct http_handler h = {
	    .ctx = s,
	    .begin = service_begin,
	    .body = service_body,
	    .ready = service_ready,
	    .submit = service_submit,
	    .reply = service_reply,
	    .park = service_park,
	    .unpark = service_unpark,
	    .end = service_end,
	    .problem = service_problem,
	    .handshake_failed = service_failed,
	    .denied = service_denied,
	};
	struct buf why;

	buf_init(&why, 0);
	if (http_server_start(&s->config, &h, &s->server, &why) != ERR_OK)
		fail_msg("%s", buf_string(&why));
	buf_fini(&why);
	s->port = http_server_port(s->server);
	pthread_create(&s->worker, NULL, service_work, s);
}

static UNUSED_HERE void service_stop(struct service *s)
{
	http_server_stop(s->server, 5000);
	pthread_mutex_lock(&s->lock);
	s->worker_ends = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->worker, NULL);
	free(s->config.listen_address);
	free(s->config.tls_certificate);
	free(s->config.tls_key);
	free(s->config.trust_bundles);
	free(s->config.deny_list);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	pki_free(&s->pki);
	assert_int_equal(atomic_load(&s->begun), atomic_load(&s->ended));
	assert_int_equal(metric_get(METRIC_IN_FLIGHT), 0);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 0);
}

/* cmocka fixtures: one service a group. */
static UNUSED_HERE int service_setup(void **state)
{
	struct service *s = malloc(sizeof *s);

	if (!s)
		return -1;
	service_prepare(s);
	service_start(s);
	*state = s;
	return 0;
}

static UNUSED_HERE int service_teardown(void **state)
{
	service_stop(*state);
	free(*state);
	return 0;
}

/* Waits up to two seconds for a count to reach what is expected. */
static UNUSED_HERE void wait_for(const _Atomic int *count, int expected)
{
	for (int i = 0; i < 2000 && atomic_load(count) < expected; i++)
		usleep(1000);
	assert_int_equal(atomic_load(count), expected);
}

#endif
