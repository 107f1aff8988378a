/* reply.c: a reply onto the wire.
 *
 * MHD writes header and body as two TLS records and three system calls. A
 * complete reply of at most one record is corked in GnuTLS and leaves in one
 * when MHD says that it is done. Streams are never corked: the cork would hold
 * back all of them. */
#include "http_int.h"

#include "base/log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A reply must be taken within the time of a body, and a second for each of these. */
#define REPLY_BYTES_PER_S ((size_t)1 << 20)
#define STREAM_BLOCK	  4096

static int64_t reply_ms(const struct connection *c, size_t len)
{
	return c->server->body_ms + (int64_t)(len / REPLY_BYTES_PER_S) * 1000;
}

static bool add_header(struct MHD_Response *m, const char *name, const char *value)
{
	return MHD_add_response_header(m, name, value) == MHD_YES;
}

static bool may_be_cached(const struct http_reply *reply)
{
	for (size_t i = 0; i < reply->n_headers; i++)
		if (strcasecmp(reply->headers[i].name, MHD_HTTP_HEADER_CACHE_CONTROL) == 0)
			return true;
	return false;
}

static bool add_common(const struct connection *c, const struct http_reply *reply, struct MHD_Response *m)
{
	const bool last = c->request.must_close || atomic_load_explicit(&c->server->draining, memory_order_relaxed);

	return (may_be_cached(reply) || add_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store")) &&
	       add_header(m, "X-Content-Type-Options", "nosniff") &&
	       (!last || add_header(m, MHD_HTTP_HEADER_CONNECTION, "close"));
}

static void wake_parked(void *token)
{
	connection_wake(token, PHASE_PARKED);
}

/* MHD asks for more of a stream. To return 0 and stay awake would spin. */
static ssize_t read_stream(void *connection, uint64_t at, char *out, size_t room)
{
	struct connection *c = connection;
	struct request *r = &c->request;
	const struct http_handler *h = &c->server->handler;
	const bool timer = r->parked && atomic_exchange(&c->timer_woke, false);
	int64_t got;

	(void)at;
	if (timer && h->unpark)
		h->unpark(r->object);
	r->parked = false;
	if (atomic_load(&c->server->draining))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!connection_move(c, PHASE_REPLY, c->server->body_ms))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	got = r->stream(r->object, (uint8_t *)out, room);
	if (got < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (got > 0)
		return (ssize_t)got;
	if (timer && room > 0) {
		*out = '\n';
		return 1;
	}
	MHD_suspend_connection(c->mhd);
	r->parked = true;
	if (!connection_move(c, PHASE_PARKED, HTTP_STREAM_SILENCE_MS))
		MHD_resume_connection(c->mhd);
	else
		h->park(r->object, wake_parked, c);
	return 0;
}

static struct MHD_Response *make_response(struct connection *c, const struct http_reply *reply)
{
	struct request *r = &c->request;
	/* MHD takes the bytes as void * and only reads them in this mode. */
	union {
		const uint8_t *in;
		void *out;
	} bytes = {.in = reply->body};

	r->stream = reply->stream;
	if (reply->stream)
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, c, NULL);
	return MHD_create_response_from_buffer(reply->content_type ? reply->body_len : 0, bytes.out,
					       MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result reply_queue(struct connection *c, const struct http_reply *reply)
{
	struct request *r = &c->request;
	struct MHD_Response *m = make_response(c, reply);
	enum MHD_Result result = MHD_NO;
	bool ok;

	if (!m)
		return MHD_NO;
	ok = add_common(c, reply, m) &&
	     (!reply->content_type || add_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type));
	for (size_t i = 0; ok && i < reply->n_headers; i++)
		ok = add_header(m, reply->headers[i].name, reply->headers[i].value);
	if (ok && connection_move(c, PHASE_REPLY, reply_ms(c, reply->stream ? 0 : reply->body_len))) {
		if (!reply->stream && reply->body_len <= HTTP_CORK_LIMIT) {
			gnutls_record_cork(c->session);
			r->corked = true;
		}
		result = MHD_queue_response(c->mhd, (unsigned)reply->status, m);
	}
	MHD_destroy_response(m);
	return result;
}

enum MHD_Result reply_problem(struct connection *c)
{
	struct request *r = &c->request;
	struct http_reply reply = {
	    .status = err_status(r->refused),
	    .content_type = "application/problem+json",
	    .headers = {{"X-Request-Id", r->id}, {MHD_HTTP_HEADER_RETRY_AFTER, "1"}},
	    .n_headers = 1,
	};

	c->server->handler.problem(r->refused, r->id, &r->problem);
	reply.body = r->problem.data;
	reply.body_len = r->problem.len;
	if (reply.status == MHD_HTTP_SERVICE_UNAVAILABLE)
		reply.n_headers++;
	return reply_queue(c, &reply);
}

/* MHD corks the socket at the first reply that it means to send in two pieces, believes it corked ever
 * after, and pushes by setting TCP_NODELAY, before our bytes are there: the kernel would hold each reply
 * for 200 ms. The cork is taken off once, and MHD never sets it again. */
static void take_off_cork(struct connection *c)
{
	socklen_t len = sizeof(int);
	int cork = 0;
	const int off = 0;

	if (c->uncorked || getsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &cork, &len) != 0 || !cork)
		return;
	c->uncorked = setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off) == 0;
}

void reply_flush(struct connection *c)
{
	c->request.corked = false;
	/* A full socket here means a client that sends requests and reads no replies. */
	if (gnutls_record_uncork(c->session, 0) < 0)
		connection_cut(c);
	else
		take_off_cork(c);
}
