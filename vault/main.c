/* main.c: vaultd: reads its configuration, wires app and listeners, handles signals. */
#include "app/app.h"
#include "app/req.h"
#include "base/config.h"
#include "base/log.h"
#include "codec/doc.h"
#include "crypto/secret.h"
#include "http/server.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the http floor's pointers, down into the app ---- */

static void *begin(void *ctx, const struct http_head *h, size_t *body_limit, enum err *refused)
{
	const struct req_head head = {.spiffe_id = h->peer->spiffe_id,
	                              .certificate_sha256 = h->peer->certificate_sha256,
	                              .method = h->method,
	                              .path = h->path,
	                              .connection = h->connection,
	                              .header = h->header,
	                              .query_each = h->query_each};

	return req_begin(ctx, &head, body_limit, refused);
}

static enum err body(void *request, const void *bytes, size_t len)
{
	return req_body(request, bytes, len);
}

static bool ready(void *request)
{
	return req_ready(request);
}

static void submit(void *request, void (*wake)(void *token), void *token)
{
	req_submit(request, wake, token);
}

static int64_t stream(void *request, uint8_t *out, size_t room)
{
	return req_stream(request, out, room);
}

/* One reply a thread at a time: MHD has copied what it needs when it returns. */
static const struct http_reply *reply(void *request)
{
	static _Thread_local struct http_reply to;
	const struct req_reply *from = req_reply(request);

	to = (struct http_reply){.status = from->status,
	                         .content_type = from->content_type,
	                         .n_headers = from->n_headers,
	                         .body = from->body,
	                         .body_len = from->body_len,
	                         .stream = from->stream ? stream : NULL};
	for (size_t i = 0; i < from->n_headers; i++) {
		to.headers[i].name = from->headers[i].name;
		to.headers[i].value = from->headers[i].value;
	}
	return &to;
}

static void park(void *request, void (*wake)(void *token), void *token)
{
	req_stream_park(request, wake, token);
}

static void unpark(void *request)
{
	req_stream_unpark(request);
}

static void end(void *request)
{
	req_end(request);
}

static void problem(enum err e, const char *request_id, struct buf *out)
{
	problem_write(e, request_id, NULL, out);
}

static void handshake_failed(void *ctx, const char *reason)
{
	app_handshake_failed(ctx, reason);
}

static void denied(void *ctx, const struct http_peer *peer)
{
	app_denied(ctx, peer->spiffe_id);
}

static bool probe_ready(void *ctx, struct buf *json)
{
	return app_ready(ctx, json);
}

struct service {
	struct http_server *server;
	struct app *app;
};

static enum err reload(void *ctx, struct buf *why)
{
	struct service *s = ctx;
	enum err e = http_server_reload(s->server, why);

	return e ? e : app_reload_keyring(s->app, why);
}

/* ---- life ---- */

static int serve(const struct config *c, struct buf *why)
{
	struct http_handler handler = {.begin = begin, .body = body, .ready = ready, .submit = submit, .reply = reply,
	                               .park = park, .unpark = unpark, .end = end, .problem = problem, .handshake_failed = handshake_failed, .denied = denied};
	struct http_probe probe = {.ready = probe_ready};
	struct http_operations *operations = NULL;
	struct http_server *server = NULL;
	struct app *app = NULL;
	struct service service;
	sigset_t signals;
	int signal_number = 0;
	enum err e;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
	signal(SIGPIPE, SIG_IGN);
	e = app_start(c, &app, why);
	handler.ctx = app;
	probe.ctx = app;
	if (!e)
		e = http_operations_start((int)c->operations_port, &probe, &operations, why);
	if (!e)
		e = http_server_start(c, &handler, &server, why);
	if (e)
		goto out;
	service = (struct service){server, app};
	app_set_reload(app, reload, &service);
	log_event(LOG_INFO, "listening", "address=%s port=%d operations_port=%d", c->listen_address, http_server_port(server),
	          http_operations_port(operations));
	while (!sigwait(&signals, &signal_number) && signal_number == SIGHUP) {
		struct buf line;

		buf_init(&line, 4096);
		if (reload(&service, &line))
			log_event(LOG_ERROR, "reload_failed", "%s; what was in force stays", buf_string(&line));
		else
			log_event(LOG_INFO, "reloaded", "certificates, trust bundles, deny list and keyring");
		buf_fini(&line);
	}
	log_event(LOG_INFO, "stopping", "signal=%d", signal_number);
	app_drain(app);
out:
	http_server_stop(server, c->drain_timeout_ms);
	app_stop(app);
	http_operations_stop(operations);
	return e ? 1 : 0;
}

static int help(void)
{
	struct buf help;

	buf_init(&help, 0);
	config_help(&help);
	printf("vaultd %s: the Customer Data Vault.\n\n"
	       "  vaultd [--config FILE]           serve; SIGTERM drains and stops, SIGHUP reloads certificates, deny list and keyring\n"
	       "  vaultd [--config FILE] --check   say what is wrong with the configuration, one line an error\n"
	       "  vaultd --help | --version\n\n"
	       "Configuration: environment variables, or the same names in FILE as KEY=VALUE:\n\n%s",
	       VAULT_VERSION, buf_string(&help));
	buf_fini(&help);
	return fflush(stdout) ? 1 : 0;
}

static int wrong(const char *word, const char *what)
{
	fprintf(stderr, "vaultd: %.40s %s; vaultd --help lists what there is\n", word, what);
	return 2;
}

static enum log_level level_of(const char *name)
{
	return !strcmp(name, "debug") ? LOG_DEBUG : !strcmp(name, "warn") ? LOG_WARN : !strcmp(name, "error") ? LOG_ERROR : LOG_INFO;
}

/* What one large request took goes back to the system: glibc would raise its
 * threshold for mappings and keep it, in an arena a thread. */
static void bound_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_ARENA_MAX, 4);
}

/* What stands in the files, once they can be read: a line an error, with the key that names it. */
static enum err check_contents(const struct config *c, struct buf *report)
{
	const size_t before = report->len;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const enum config_key key = (enum config_key)i;
		struct buf why;
		enum err e;

		buf_init(&why, 0);
		e = http_check(c, key, &why);
		if (!e)
			e = app_check(c, key, &why);
		if (e) {
			config_origin(c, key, report);
			buf_printf(report, "%s\n", why.len ? buf_string(&why) : err_text(e));
		}
		buf_fini(&why);
	}
	return report->len > before ? ERR_CONFIG : buf_err(report);
}

/* All that can be known of a configuration without a database. */
static enum err configure(struct config *c, const char *file, struct buf *report)
{
	const enum err loaded = config_load(c, file, report);
	const enum err checked = loaded == ERR_MEMORY ? loaded : config_check(c, report);

	return loaded ? loaded : checked ? checked : check_contents(c, report);
}

static int run(const char *file, bool check)
{
	struct config c = {0};
	struct buf report;
	int code = 1;
	enum err e;

	buf_init(&report, 0);
	e = secret_start();
	if (e)
		buf_printf(&report, "%s\n", err_text(e));
	else
		e = configure(&c, file, &report);
	if (e) {
		fprintf(stderr, "%s", buf_string(&report));
	} else if (check) {
		printf("the configuration is complete\n");
		code = 0;
	} else {
		log_set_level(level_of(c.log_level));
		bound_memory();
		doc_start();
		code = serve(&c, &report);
		if (report.len)
			log_event(LOG_ERROR, "start_failed", "%s", buf_string(&report));
	}
	secret_stop();
	config_fini(&c);
	buf_fini(&report);
	return code;
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	bool check = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return help();
		if (!strcmp(argv[i], "--version"))
			return printf("vaultd %s\n", VAULT_VERSION) < 0;
		if (!strcmp(argv[i], "--check"))
			check = true;
		else if (strcmp(argv[i], "--config") != 0)
			return wrong(argv[i], "is no option");
		else if (i + 1 == argc)
			return wrong(argv[i], "needs a file");
		else
			file = argv[++i];
	}
	return run(file, check);
}
