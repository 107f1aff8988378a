/* request.c: the life of a request on the I/O thread's side: head, body, plan,
 * submit, reply, end. */
#include "vault/app/req_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "vault/app/follow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From (row) to (column). */
static const bool allowed_moves[REQ_STATES][REQ_STATES] = {
    [REQ_HEADERS] = {[REQ_BODY] = true, [REQ_FAILED] = true},
    [REQ_BODY] = {[REQ_PLANNED] = true, [REQ_FAILED] = true},
    [REQ_PLANNED] = {[REQ_QUEUED] = true, [REQ_FAILED] = true},
    [REQ_QUEUED] = {[REQ_STORED] = true, [REQ_FAILED] = true},
    [REQ_STORED] = {[REQ_REPLIED] = true, [REQ_FAILED] = true},
};

void req_move(struct req *r, enum req_state to)
{
	if (!allowed_moves[r->state][to]) {
		log_event(LOG_ERROR, "request_state", "from=%d to=%d", (int)r->state, (int)to);
		abort();
	}
	r->state = to;
}

enum err req_fail(struct req *r, enum err e, const char *pointer_format, ...)
{
	char text[160];
	va_list args;

	r->err = e;
	r->pointer = NULL;
	if (pointer_format) {
		va_start(args, pointer_format);
		vsnprintf(text, sizeof text, pointer_format, args);
		va_end(args);
		for (char *at = text; *at; at++) /* a name that was cut must not become half a character */
			if (*at < 0x20 || *at > 0x7e)
				*at = '?';
		r->pointer = arena_copy(&r->arena, text, strlen(text));
	}
	return e;
}

const char *req_query(const struct req *r, const char *name)
{
	for (size_t i = 0; i < r->n_query; i++)
		if (!strcmp(r->query[i].name, name))
			return r->query[i].value;
	return NULL;
}

enum err req_query_number(struct req *r, const char *name, int64_t least, int64_t most, int64_t fallback, int64_t *out)
{
	const char *text = req_query(r, name);
	int64_t v = 0;

	*out = fallback;
	if (!text)
		return ERR_OK;
	if (!*text || strlen(text) > 15)
		return req_fail(r, ERR_BAD_PARAMETER, "%s", name);
	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9')
			return req_fail(r, ERR_BAD_PARAMETER, "%s", name);
		v = v * 10 + (*at - '0');
	}
	if (v > most)
		return req_fail(r, ERR_LIMIT, "%s", name);
	if (v < least)
		return req_fail(r, ERR_BAD_PARAMETER, "%s", name);
	*out = v;
	return ERR_OK;
}

enum err req_object(struct req *r, const char *const *allowed, const struct node **out)
{
	const struct node *root = r->doc ? doc_root(r->doc) : NULL;
	const char *unknown;

	if (node_type(root) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, "%s", "");
	unknown = node_unknown_key(root, allowed);
	if (unknown)
		return req_fail(r, ERR_MALFORMED, "/%.40s", unknown);
	*out = root;
	return ERR_OK;
}

/* RFC-free, narrow: what an id that we echo and audit may hold. */
static bool id_valid(const char *text)
{
	const size_t len = strlen(text);

	return len >= 1 && len <= 64 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static enum err take_id(struct req *r, const struct req_head *h, const char *header, char out[static 65])
{
	const char *value = h->header(h->connection, header);

	if (!value)
		return ERR_OK;
	if (!id_valid(value))
		return req_fail(r, ERR_BAD_HEADER, "%s", header);
	memcpy(out, value, strlen(value) + 1);
	return ERR_OK;
}

/* W3C Trace Context: version-traceid-parentid-flags; the trace id is kept. */
static enum err take_trace(struct req *r, const struct req_head *h)
{
	const char *value = h->header(h->connection, "traceparent");

	if (!value)
		return ERR_OK;
	for (size_t i = 0; i < 55; i++) /* a later version may have more */
		if (i == 2 || i == 35 || i == 52 ? value[i] != '-' : !value[i] || !strchr("0123456789abcdef", value[i]))
			return req_fail(r, ERR_BAD_HEADER, "traceparent");
	if (strspn(value + 3, "0") >= 32) /* "no trace" */
		return req_fail(r, ERR_BAD_HEADER, "traceparent");
	memcpy(r->trace_id, value + 3, 32);
	r->trace_id[32] = 0;
	return ERR_OK;
}

/* An id to find a line by, no secret: random once a process, then counted. */
static void make_request_id(struct req *r)
{
	static const char digits[] = "0123456789abcdef";
	const uint64_t count = atomic_fetch_add_explicit(&r->app->requests, 1, memory_order_relaxed) ^ r->app->request_seed[1];
	uint64_t bits = r->app->request_seed[0];

	for (size_t i = 0; i < 24; i++) {
		if (i == 8)
			bits = count;
		r->request_id[i] = digits[bits & 15];
		bits >>= 4;
	}
	r->request_id[24] = 0;
}

static enum err copy_header(struct req *r, const struct req_head *h, const char *header, size_t most, const char **out)
{
	const char *value = h->header(h->connection, header);

	*out = NULL;
	if (!value)
		return ERR_OK;
	if (!*value || strlen(value) > most)
		return req_fail(r, ERR_BAD_HEADER, "%s", header);
	for (const char *at = value; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return req_fail(r, ERR_BAD_HEADER, "%s", header);
	*out = arena_copy(&r->arena, value, strlen(value));
	return *out ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
}

static bool media_type_is(const char *text, const char *type)
{
	const size_t len = strlen(type);

	return !strncasecmp(text, type, len) && (!text[len] || strchr("; \t", text[len]));
}

static enum err take_headers(struct req *r, const struct req_head *h)
{
	const char *type;
	enum err e = take_id(r, h, "X-Request-Id", r->request_id);

	if (!e && !r->request_id[0])
		make_request_id(r);
	if (!e)
		e = take_id(r, h, "X-Ticket", r->ticket);
	if (!e)
		e = take_trace(r, h);
	if (!e)
		e = copy_header(r, h, "X-Purpose", 64, &r->purpose_name);
	if (!e)
		e = copy_header(r, h, "Idempotency-Key", 128, &r->idempotency_key);
	if (!e)
		e = copy_header(r, h, "If-Match", 128, &r->if_match);
	if (e || !r->route || !(r->route->flags & ROUTE_BODY))
		return e;
	type = h->header(h->connection, "Content-Type");
	if (type && !media_type_is(type, "application/json") && !media_type_is(type, "application/merge-patch+json"))
		return req_fail(r, ERR_MEDIA_TYPE, "Content-Type");
	return ERR_OK;
}

static void take_query(void *ctx, const char *name, const char *value)
{
	struct req *r = ctx;
	size_t i = 0;

	if (r->err)
		return;
	while (i < sizeof r->route->query / sizeof *r->route->query && r->route->query[i] && strcmp(r->route->query[i], name))
		i++;
	if (i == sizeof r->route->query / sizeof *r->route->query || !r->route->query[i] || req_query(r, name) || !value ||
	    strlen(value) > 1024) {
		req_fail(r, ERR_BAD_PARAMETER, "%.40s", name);
		return;
	}
	r->query[r->n_query].name = r->route->query[i];
	r->query[r->n_query].value = arena_copy(&r->arena, value, strlen(value));
	if (!r->query[r->n_query++].value)
		req_fail(r, ERR_MEMORY, NULL);
}

static void job_done(struct executor_job *job, enum err e);

#define BODY_DROPPED_MAX ((size_t)8 << 20) /* of a request to no route */

struct req *req_begin(struct app *app, const struct req_head *h, size_t *body_limit, enum err *refused)
{
	struct req *r = calloc(1, sizeof *r);

	if (!r) {
		*refused = ERR_MEMORY;
		return NULL;
	}
	r->app = app;
	r->began_us = clock_mono_us();
	r->purpose = -1;
	r->job.done = job_done;
	r->job.weight = 1;
	arena_init(&r->arena, 0);
	buf_init(&r->body, 0);
	buf_init(&r->out, 0);
	memcpy(r->certificate, h->certificate_sha256, sizeof r->certificate);
	r->identity = arena_copy(&r->arena, h->spiffe_id, strlen(h->spiffe_id));
	r->route = route_find(h->method, h->path, &r->arena, r->params, &r->allow);
	*body_limit = r->route ? r->route->body_limit : BODY_DROPPED_MAX;
	if (!r->identity)
		req_fail(r, ERR_MEMORY, NULL);
	else if (!take_headers(r, h) && !r->route)
		req_fail(r, r->allow ? ERR_METHOD : ERR_NO_ROUTE, NULL);
	if (r->route && !r->err)
		h->query_each(h->connection, take_query, r);
	if (!r->request_id[0])
		make_request_id(r);
	req_move(r, REQ_BODY);
	return r;
}

static void drop_body(struct req *r)
{
	buf_fini(&r->body);
	atomic_fetch_sub_explicit(&r->app->body_memory, r->body_charged, memory_order_relaxed);
	r->body_charged = 0;
}

/* The body's share of what all large bodies may take. */
static enum err charge_body(struct req *r)
{
	const size_t more = r->body.cap > BODY_SMALL ? r->body.cap - r->body_charged : 0;

	if (more == 0)
		return ERR_OK;
	r->body_charged += more;
	if (atomic_fetch_add_explicit(&r->app->body_memory, more, memory_order_relaxed) + more <= r->app->body_memory_max)
		return ERR_OK;
	drop_body(r);
	metric_add(METRIC_BODIES_REFUSED, 1);
	return req_fail(r, ERR_BUSY, NULL);
}

enum err req_body(struct req *r, const void *bytes, size_t len)
{
	if (r->err) /* the answer is known: what the client still sends is dropped */
		return ERR_OK;
	buf_append(&r->body, bytes, len);
	return buf_ok(&r->body) ? charge_body(r) : ERR_MEMORY;
}

enum err req_plan(struct req *r, struct snapshot *s)
{
	snapshot_drop(r->snapshot);
	r->snapshot = snapshot_take(s);
	policy_identify(s->policy, r->identity, &r->who);
	r->audience = r->who.roles ? &s->audiences[s->policy_audience[r->who.audience]] : NULL;
	r->frozen = snapshot_frozen(s, r->identity);
	r->purpose = r->purpose_name ? snapshot_purpose(s, r->purpose_name) : -1;
	if (r->purpose_name && r->purpose < 0)
		return req_fail(r, ERR_UNKNOWN_PURPOSE, "X-Purpose");
	if (!r->purpose_name && (r->route->flags & ROUTE_PURPOSE))
		return req_fail(r, ERR_PURPOSE_REQUIRED, "X-Purpose");
	if (!r->route->plan)
		return ERR_OK;
	if ((r->route->flags & ROUTE_BODY) && !r->doc) {
		enum err e = doc_parse(r->body.data, r->body.len, &r->doc);

		if (e)
			return req_fail(r, e, NULL);
	}
	return r->route->plan(r);
}

static enum err plan_first(struct req *r)
{
	struct snapshot *s;
	enum err e = r->err;

	if (!e && (r->route->flags & ROUTE_BODY))
		e = doc_parse(r->body.data, r->body.len, &r->doc);
	if (!e && !(r->route->flags & ROUTE_BODY) && r->body.len)
		e = ERR_MALFORMED;
	if (!e && atomic_load(&r->app->draining))
		e = ERR_STOPPING;
	if (e)
		return e;
	s = app_snapshot(r->app);
	if (!s)
		return ERR_UNAVAILABLE;
	e = req_plan(r, s);
	snapshot_drop(s);
	/* A parsed body takes many times its length: a plan keeps copies of what it
	 * needs, and a new plan parses again. Only a solo operation reads it later. */
	if (r->route->plan && !(r->route->flags & ROUTE_SOLO)) {
		doc_free(r->doc);
		r->doc = NULL;
	}
	return e;
}

static struct queue *queue_of(const struct req *r)
{
	return (r->route->flags & ROUTE_BULK) || r->job.weight > 128 ? r->app->bulk : r->app->single;
}

/* Refusals that another node's change of the dictionary may have made untrue
 * since this node read it. They are decided anew by a batch, which knows. */
static bool may_be_outdated(const struct req *r, enum err e)
{
	return r->snapshot && (e == ERR_UNKNOWN_FIELD || e == ERR_UNKNOWN_KIND || e == ERR_UNKNOWN_PURPOSE || e == ERR_UNKNOWN_NOTICE || e == ERR_NOT_INDEXED || e == ERR_CONSENT);
}

bool req_ready(struct req *r)
{
	enum err e = plan_first(r);

	if (may_be_outdated(r, e)) {
		r->plan_err = e;
		r->err = e = ERR_OK;
	}
	if (!e) {
		req_move(r, REQ_PLANNED);
		r->job.solo = r->job.solo || (r->route->flags & ROUTE_SOLO); /* a plan may ask for it, too */
		if (!queue_reserve(queue_of(r)))
			e = atomic_load(&r->app->draining) ? ERR_STOPPING : ERR_BUSY;
	}
	if (!e)
		return false;
	if (!r->err)
		r->err = e;
	req_move(r, REQ_FAILED);
	req_compose(r);
	return true;
}

void req_submit(struct req *r, void (*wake)(void *token), void *token)
{
	r->wake = wake;
	r->token = token;
	req_move(r, REQ_QUEUED);
	queue_publish(queue_of(r), &r->job);
}

/* On an executor's thread. After wake the request is no longer ours. */
static void job_done(struct executor_job *job, enum err e)
{
	struct req *r = (struct req *)job;

	if (e) {
		r->err = e;
		r->pointer = NULL;
		r->audit_count = 0;
		req_compose(r);
	}
	if (r->state == REQ_QUEUED && !e)
		req_move(r, REQ_STORED);
	req_move(r, r->err ? REQ_FAILED : REQ_REPLIED);
	r->wake(r->token);
}

static void add_header(struct req_reply *reply, const char *name, const char *value)
{
	assert(reply->n_headers < REQ_REPLY_HEADERS_MAX);
	reply->headers[reply->n_headers].name = name;
	reply->headers[reply->n_headers++].value = value;
}

static void compose_headers(struct req *r)
{
	add_header(&r->reply, "X-Request-Id", r->request_id);
	if (r->etag[0] && !r->err)
		add_header(&r->reply, "ETag", r->etag);
	if (r->cache_control && !r->err)
		add_header(&r->reply, "Cache-Control", r->cache_control);
	if (r->location && !r->err)
		add_header(&r->reply, "Location", r->location);
	if (r->audit_count == 1)
		snprintf(r->audit_record, sizeof r->audit_record, "%lld-%lld", (long long)r->audit_stream, (long long)r->audit_first);
	if (r->audit_count > 1)
		snprintf(r->audit_record, sizeof r->audit_record, "%lld-%lld+%u", (long long)r->audit_stream,
		         (long long)r->audit_first, r->audit_count - 1);
	if (r->audit_count)
		add_header(&r->reply, "Audit-Record", r->audit_record);
	if (r->err == ERR_METHOD && r->allow)
		add_header(&r->reply, "Allow", r->allow);
	if (err_status(r->err) == 503)
		add_header(&r->reply, "Retry-After", "1");
	if (r->err == ERR_BUDGET)
		add_header(&r->reply, "Retry-After", "600");
}

enum err req_public(enum err e)
{
	if (e == ERR_STREAM_LOST)
		return ERR_AUDIT;
	return err_status(e) == 500 ? ERR_INTERNAL : e;
}

void req_compose(struct req *r)
{
	r->reply = (struct req_reply){0};
	if (!r->err && buf_err(&r->out))
		r->err = ERR_MEMORY;
	r->err = req_public(r->err);
	if (r->err) {
		buf_fini(&r->out);
		problem_write(r->err, r->request_id, r->pointer, &r->out);
		r->reply.status = err_status(r->err);
		r->reply.content_type = "application/problem+json";
	} else {
		r->reply.status = r->status ? r->status : 200;
		r->reply.content_type = r->content_type ? r->content_type : "application/json";
		r->reply.stream = r->stream != NULL;
	}
	compose_headers(r);
	r->reply.body = r->out.data;
	r->reply.body_len = r->out.len;
}

const struct req_reply *req_reply(struct req *r)
{
	return &r->reply;
}

void req_end(struct req *r)
{
	if (!r)
		return;
	if (r->state == REQ_PLANNED) /* cut before it could be submitted: its slot was reserved */
		queue_unreserve(queue_of(r));
	if (r->reply.status)
		metric_request(r->route ? (size_t)(r->route - routes) : route_count(), r->reply.status, clock_mono_us() - r->began_us);
	follow_end(r->stream);
	snapshot_drop(r->snapshot);
	doc_free(r->doc);
	drop_body(r);
	buf_fini(&r->out);
	arena_fini(&r->arena);
	free(r);
}

void problem_write(enum err e, const char *request_id, const char *pointer, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key_string(&j, "type", "about:blank");
	json_key_string(&j, "title", err_text(e));
	json_key_int(&j, "status", err_status(e));
	json_key_string(&j, "code", err_code(e));
	if (request_id)
		json_key_string(&j, "request_id", request_id);
	if (pointer) {
		json_key(&j, "errors");
		json_array(&j);
		json_object(&j);
		json_key_string(&j, "pointer", pointer);
		json_key_string(&j, "code", err_code(e));
		json_object_end(&j);
		json_array_end(&j);
	}
	json_object_end(&j);
}
