/* plain.c: libmicrohttpd, polled by the caller. So no connection is looked at
 * from two threads, and the deadlines that MHD does not have (it only knows
 * silence) are a walk over a list between two polls. */
#include "http/plain.h"

#include "http_int.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define HEAD_MAX ((size_t)4096)

/* A connection, from accept to close. */
struct open_connection {
	struct open_connection *next, **place;
	int fd;
	int64_t since_us; /* when its request began, or could have */
};

struct plain_request {
	struct buf body;
	bool too_large;
};

struct plain {
	void (*handle)(void *ctx, const char *method, const char *path, const void *body, size_t len, struct plain_reply *reply);
	void *ctx;
	size_t body_max;
	struct MHD_Daemon *daemon;
	struct open_connection *lines;
	int port;
};

static void on_connection(void *plain, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct plain *p = plain;
	struct open_connection *l = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (l && l->place)
			*l->place = l->next;
		if (l && l->next)
			l->next->place = l->place;
		free(l);
		return;
	}
	l = calloc(1, sizeof *l); /* without one MHD's own timer is all that watches it */
	*context = l;
	if (!l || !info)
		return;
	*l = (struct open_connection){p->lines, &p->lines, info->connect_fd, clock_mono_us()};
	if (p->lines)
		p->lines->place = &l->next;
	p->lines = l;
}

static enum MHD_Result send_reply(struct MHD_Connection *mhd, const struct plain_reply *r)
{
	struct MHD_Response *m;
	enum MHD_Result result = MHD_NO;

	if (!buf_ok(&r->body))
		return MHD_NO;
	m = MHD_create_response_from_buffer(r->body.len, r->body.data, MHD_RESPMEM_MUST_COPY);
	if (m && MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, r->type) == MHD_YES &&
	    MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
	    MHD_add_response_header(m, "X-Content-Type-Options", "nosniff") == MHD_YES)
		result = MHD_queue_response(mhd, r->status, m);
	if (m)
		MHD_destroy_response(m);
	return result;
}

static enum MHD_Result take_body(const struct plain *p, struct plain_request *q, const char *bytes, size_t *len)
{
	if (*len > p->body_max - q->body.len)
		q->too_large = true;
	else if (!q->too_large)
		buf_append(&q->body, bytes, *len);
	*len = 0;
	/* What is too large is read to its end, within the deadline, so that the answer is not lost. */
	return buf_ok(&q->body) ? MHD_YES : MHD_NO;
}

static void restart_clock(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info && info->socket_context)
		((struct open_connection *)info->socket_context)->since_us = clock_mono_us();
}

static enum MHD_Result on_request(void *plain, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_len, void **context)
{
	const struct plain *p = plain;
	struct plain_request *q = *context;
	struct plain_reply reply = {.status = MHD_HTTP_CONTENT_TOO_LARGE, .type = "text/plain; charset=utf-8"};
	enum MHD_Result result;

	(void)version;
	if (!q) {
		q = calloc(1, sizeof *q);
		if (!q)
			return MHD_NO;
		buf_init(&q->body, p->body_max + 1);
		*context = q;
		return MHD_YES;
	}
	if (*upload_len)
		return take_body(p, q, upload, upload_len);
	buf_init(&reply.body, 0);
	if (q->too_large)
		buf_text(&reply.body, "the body is too large\n");
	else
		p->handle(p->ctx, method, url, q->body.data, q->body.len, &reply);
	result = send_reply(mhd, &reply);
	buf_fini(&reply.body);
	restart_clock(mhd);
	return result;
}

static void on_completed(void *plain, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct plain_request *q = *context;

	(void)plain;
	(void)mhd;
	(void)how;
	if (!q)
		return;
	buf_fini(&q->body);
	free(q);
	*context = NULL;
}

static void on_message(void *ctx, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_message(void *ctx, const char *format, va_list args)
{
	(void)ctx;
	(void)format;
	(void)args; /* clients that leave; nothing that an operator acts on */
}

enum err plain_start(int port, size_t body_max,
                     void (*handle)(void *ctx, const char *method, const char *path, const void *body, size_t len,
                                    struct plain_reply *reply),
                     void *ctx, struct plain **out, struct buf *why)
{
	struct plain *p = calloc(1, sizeof *p);
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;
	int fd;

	*out = NULL;
	if (!p)
		return ERR_MEMORY;
	fd = http_listen_loopback(port, "the listener", why);
	if (fd < 0) {
		free(p);
		return ERR_IO;
	}
	*p = (struct plain){.handle = handle, .ctx = ctx, .body_max = body_max};
	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		p->port = ntohs(at.sin_port);
	/* From here MHD owns the descriptor. */
	/* clang-format off */
	p->daemon = MHD_start_daemon(MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, p,
	                             MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
	                             MHD_OPTION_LISTEN_SOCKET, fd,
	                             MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
	                             MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PLAIN_DEADLINE_S,
	                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_MAX,
	                             MHD_OPTION_NOTIFY_CONNECTION, on_connection, p,
	                             MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	                             MHD_OPTION_END);
	/* clang-format on */
	if (!p->daemon) {
		buf_text(why, "the listener could not be started");
		free(p);
		return ERR_IO;
	}
	*out = p;
	return ERR_OK;
}

bool plain_run(struct plain *p, int timeout_ms)
{
	const enum MHD_Result result = MHD_run_wait(p->daemon, timeout_ms);
	const int64_t now = clock_mono_us();

	for (const struct open_connection *l = p->lines; l; l = l->next)
		if (now - l->since_us > PLAIN_DEADLINE_S * INT64_C(1000000))
			shutdown(l->fd, SHUT_RDWR); /* MHD sees the end at its next poll and closes it */
	return result == MHD_YES;
}

void plain_stop(struct plain *p)
{
	if (!p)
		return;
	MHD_stop_daemon(p->daemon);
	free(p);
}

int plain_port(const struct plain *p)
{
	return p->port;
}
