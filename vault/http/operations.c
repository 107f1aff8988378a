/* operations.c: the plain listener on 127.0.0.1 for probes and Prometheus.
 *
 * It tells no identifiers and changes nothing, so it asks for no certificate;
 * the loopback address is its fence. One thread: a probe is cheap. */
#include "http/server.h"

#include "http_int.h"

#include "base/metrics.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define SILENCE_S	10u

struct http_operations {
	struct http_probe probe;
	struct MHD_Daemon *daemon;
	int port;
};

struct page {
	const char *path;
	const char *type;
	/* Fills body and returns the status. */
	unsigned (*render)(const struct http_operations *o, struct buf *body);
};

static unsigned livez(const struct http_operations *o, struct buf *body)
{
	(void)o;
	buf_text(body, "ok\n");
	return MHD_HTTP_OK;
}

static unsigned readyz(const struct http_operations *o, struct buf *body)
{
	const bool ready = o->probe.ready(o->probe.ctx, body);

	if (ready && body->len == 0)
		buf_text(body, "{\"ready\":true}");
	buf_byte(body, '\n');
	return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned metrics(const struct http_operations *o, struct buf *body)
{
	(void)o;
	metrics_render(body);
	return MHD_HTTP_OK;
}

static const struct page pages[] = {
    {"/livez", "text/plain; charset=utf-8", livez},
    {"/readyz", "application/json", readyz},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics},
};

static void problem(enum err e, struct buf *body)
{
	buf_printf(body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"}\n", err_text(e),
		   err_status(e), err_code(e));
}

static enum MHD_Result send_page(struct MHD_Connection *mhd, unsigned status, const char *type, const struct buf *body)
{
	struct MHD_Response *m = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_NO;

	if (m && MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
	    MHD_add_response_header(m, "X-Content-Type-Options", "nosniff") == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
		result = MHD_queue_response(mhd, status, m);
	if (m)
		MHD_destroy_response(m);
	return result;
}

static enum MHD_Result handle(void *operations, struct MHD_Connection *mhd, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_len, void **context)
{
	const struct http_operations *o = operations;
	const char *type = "application/problem+json";
	const struct page *page = NULL;
	enum MHD_Result result;
	enum err e = ERR_OK;
	unsigned status;
	struct buf body;

	(void)version;
	(void)upload;
	(void)context;
	*upload_len = 0;
	buf_init(&body, 0);
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (strcmp(url, pages[i].path) == 0)
			page = &pages[i];
	if (!page)
		e = ERR_NO_ROUTE;
	else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		e = ERR_METHOD;
	if (e == ERR_OK) {
		status = page->render(o, &body);
		type = page->type;
	} else {
		status = (unsigned)err_status(e);
		problem(e, &body);
	}
	result = buf_ok(&body) ? send_page(mhd, status, type, &body) : MHD_NO;
	buf_fini(&body);
	return result;
}

static void on_message(void *ctx, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_message(void *ctx, const char *format, va_list args)
{
	(void)ctx;
	(void)format;
	(void)args; /* clients that leave; nothing that an operator acts on */
}

enum err http_operations_start(int port, const struct http_probe *probe, struct http_operations **out, struct buf *why)
{
	struct http_operations *o;
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;
	int fd;

	*out = NULL;
	fd = http_listen_loopback(port, "VAULT_OPERATIONS_PORT", why);
	if (fd < 0)
		return ERR_IO;
	o = calloc(1, sizeof *o);
	if (!o || getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		goto fail;
	o->probe = *probe;
	o->port = ntohs(at.sin_port);
	/* From here MHD owns the descriptor where it starts. */
	/* clang-format off */
	o->daemon = MHD_start_daemon(MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG,
				     0, NULL, NULL, handle, o,
				     MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
				     MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)4096,
				     MHD_OPTION_END);
	/* clang-format on */
	if (!o->daemon) {
		fd = -1; /* MHD closes it where it fails */
		goto fail;
	}
	*out = o;
	return ERR_OK;
fail:
	buf_text(why, "the operations listener could not be started");
	if (fd >= 0)
		close(fd);
	free(o);
	return ERR_IO;
}

void http_operations_stop(struct http_operations *o)
{
	if (!o)
		return;
	MHD_stop_daemon(o->daemon);
	free(o);
}

int http_operations_port(const struct http_operations *o)
{
	return o->port;
}
