/* request.c: a request between MHD and the handler.
 *
 * MHD calls once with the head, once for each piece of body, once at its end,
 * and once more after each resume. A connection is suspended before the
 * handler hears submit, or the resume would outrun the suspend. */
#include "http_int.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool id_valid(const char *id)
{
	size_t n = 0;

	for (; id[n]; n++) {
		const char lower = (char)(id[n] | 0x20);

		if (n == HTTP_REQUEST_ID_MAX || (!(lower >= 'a' && lower <= 'z') && !(id[n] >= '0' && id[n] <= '9') &&
						 id[n] != '.' && id[n] != '_' && id[n] != '-'))
			return false;
	}
	return n > 0;
}

/* The caller's X-Request-Id, or one of ours: a refusal must be findable in a log too. */
static void set_id(struct connection *c)
{
	struct request *r = &c->request;
	const char *given = r->head.header(c, "X-Request-Id");

	if (given && id_valid(given))
		snprintf(r->id, sizeof r->id, "%s", given);
	else
		snprintf(r->id, sizeof r->id, "h-%016llx-%llx", (unsigned long long)c->server->request_seed,
			 (unsigned long long)atomic_fetch_add(&c->server->request_number, 1));
}

static void refuse(struct connection *c, enum err e)
{
	if (c->request.refused != ERR_OK)
		return;
	c->request.refused = e;
	set_id(c);
}

static void start(struct connection *c, const char *method, const char *path)
{
	struct request *r = &c->request;
	struct buf problem = r->problem;

	*r = (struct request){.active = true, .problem = problem};
	head_init(&r->head, c, method, path);
	atomic_fetch_add(&c->server->in_flight, 1);
	metric_add(METRIC_IN_FLIGHT, 1);
}

/* The handler's say, where the head itself is in order. */
static void ask_handler(struct connection *c, uint64_t length)
{
	struct request *r = &c->request;
	const struct http_handler *h = &c->server->handler;
	enum err refused = ERR_INTERNAL;

	if (!connection_allowed(c)) {
		if (h->denied)
			h->denied(h->ctx, &c->peer);
		refuse(c, ERR_DENY_LISTED);
		return;
	}
	r->object = h->begin(h->ctx, &r->head, &r->body_limit, &refused);
	if (!r->object)
		refuse(c, refused);
	else if (length != UINT64_MAX && length > r->body_limit)
		refuse(c, ERR_BODY_TOO_LARGE);
}

static enum MHD_Result begin(struct connection *c, const char *url, const char *method, const char *version)
{
	struct request *r = &c->request;
	bool body, must_close;
	uint64_t length;
	enum err e;

	if (!c->verified || c->peer.expires_at_us <= clock_now_us())
		return MHD_NO;
	if (!connection_move(c, PHASE_BODY, c->server->body_ms))
		return MHD_NO;
	start(c, method, url);
	e = head_check(c->mhd, url, version, &body, &length, &must_close);
	r->must_close = must_close;
	if (e == ERR_OK)
		ask_handler(c, length);
	else
		refuse(c, e);
	if (r->refused == ERR_OK)
		return MHD_YES;
	/* A client that is still writing would lose the reply with the connection: read its body
	 * first. One that waits for our 100, or means to send more than that, is told at once;
	 * MHD closes after a reply that comes this early. */
	if (must_close ||
	    (body && (head_expects_continue(c->mhd) || (length != UINT64_MAX && length > HTTP_DROP_LIMIT))))
		return reply_problem(c);
	return MHD_YES;
}

static enum MHD_Result body(struct connection *c, const char *bytes, size_t len)
{
	struct request *r = &c->request;

	r->received += len;
	if (r->refused == ERR_OK) {
		enum err e = ERR_BODY_TOO_LARGE;

		if (r->received <= r->body_limit)
			e = c->server->handler.body(r->object, bytes, len);
		if (e != ERR_OK)
			refuse(c, e);
	}
	if (r->refused != ERR_OK && r->received > HTTP_DROP_LIMIT)
		return MHD_NO;
	return MHD_YES;
}

static void wake(void *token)
{
	connection_wake(token, PHASE_WAITING);
}

/* All of the request is here, or the handler has woken it. */
static enum MHD_Result answer(struct connection *c)
{
	struct request *r = &c->request;
	const struct http_handler *h = &c->server->handler;

	if (r->refused != ERR_OK)
		return reply_problem(c);
	if (r->submitted || h->ready(r->object))
		return reply_queue(c, h->reply(r->object));
	MHD_suspend_connection(c->mhd);
	if (!connection_move(c, PHASE_WAITING, 0)) {
		MHD_resume_connection(c->mhd); /* cut meanwhile: the next call closes it */
		return MHD_YES;
	}
	r->submitted = true;
	h->submit(r->object, wake, c);
	return MHD_YES;
}

enum MHD_Result request_handle(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_len, void **context)
{
	struct connection *c = connection_of(mhd);
	enum MHD_Result result;

	(void)server;
	if (!c || connection_phase(c) == PHASE_CUT)
		return MHD_NO;
	if (!*context) {
		assert(!c->request.active);
		*context = c;
		return begin(c, url, method, version);
	}
	if (*upload_len == 0)
		return answer(c);
	result = body(c, upload, *upload_len);
	*upload_len = 0;
	return result;
}

void request_completed(void *server, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	struct connection *c = connection_of(mhd);
	struct request *r = c ? &c->request : NULL;

	(void)server;
	*context = NULL;
	if (!r || !r->active)
		return;
	if (r->corked && why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		reply_flush(c);
	if (r->object)
		c->server->handler.end(r->object);
	buf_reset(&r->problem);
	*r = (struct request){.problem = r->problem};
	connection_move(c, PHASE_IDLE, c->server->idle_ms);
	metric_add(METRIC_IN_FLIGHT, -1);
	atomic_fetch_sub(&c->server->in_flight, 1);
}
