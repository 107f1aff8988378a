/* server.c: start, reload and ordered stop of the mutual TLS listener. */
#include "http_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG	      1024
#define DRAIN_STEP_US 5000
/* Past the drain, a handler that still owns a request has this long to wake it. */
#define WAKE_GRACE_MS 60000
#define PRIORITIES    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"

struct credentials *server_credentials(struct http_server *s)
{
	struct credentials *c;

	pthread_mutex_lock(&s->credentials_lock);
	c = credentials_ref(s->credentials);
	pthread_mutex_unlock(&s->credentials_lock);
	return c;
}

static enum err load(struct http_server *s, struct credentials **out, struct buf *why)
{
	const struct credentials_files files = {
	    .certificate = s->certificate_file,
	    .key = s->key_file,
	    .bundles = s->bundle_folder,
	    .deny_list = s->deny_file,
	};

	return credentials_load(&files, peer_verify, out, why);
}

enum err http_check(const struct config *c, enum config_key key, struct buf *why)
{
	const struct credentials_files files = {
	    .certificate = c->tls_certificate,
	    .key = c->tls_key,
	    .bundles = c->trust_bundles,
	    .deny_list = c->deny_list,
	};

	switch ((int)key) {
	case CONFIG_TLS_CERTIFICATE: return credentials_check(&files, CREDENTIALS_OWN, why);
	case CONFIG_TRUST_BUNDLES: return credentials_check(&files, CREDENTIALS_BUNDLES, why);
	case CONFIG_DENY_LIST: return credentials_check(&files, CREDENTIALS_DENY, why);
	default: return ERR_OK;
	}
}

enum err http_server_reload(struct http_server *s, struct buf *why)
{
	struct credentials *fresh, *old;
	struct buf reason;
	enum err e;

	buf_init(&reason, 0);
	e = load(s, &fresh, &reason);
	if (e != ERR_OK) {
		metric_add(METRIC_RELOAD_FAILURES, 1);
		log_event(LOG_ERROR, "reload_failed", "reason=\"%s\" state=\"the old stays in force\"",
			  buf_string(&reason));
		buf_append(why, reason.data, reason.len);
		buf_fini(&reason);
		return e;
	}
	buf_fini(&reason);
	pthread_mutex_lock(&s->credentials_lock);
	old = s->credentials;
	s->credentials = fresh;
	atomic_fetch_add(&s->generation, 1);
	pthread_mutex_unlock(&s->credentials_lock);
	credentials_unref(old);
	metric_add(METRIC_RELOADS, 1);
	log_event(LOG_INFO, "reloaded", "what=\"certificate, trust bundles, deny list\"");
	return ERR_OK;
}

static void on_panic(void *ctx, const char *file, unsigned line, const char *reason)
{
	(void)ctx;
	(void)file;
	log_event(LOG_ERROR, "mhd_panic", "line=%u reason=\"%s\"", line, reason ? reason : "");
	abort();
}

/* MHD tells of each client that leaves: nothing that an operator acts on. */
static void on_message(void *ctx, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_message(void *ctx, const char *format, va_list args)
{
	char text[512];

	(void)ctx;
	if (vsnprintf(text, sizeof text, format, args) > 0)
		log_event(LOG_DEBUG, "mhd", "text=\"%s\"", text);
}

/* MHD wants a source for its own credentials; every session gets ours before it asks. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *cas, int n_cas,
			  const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **pcert,
			  unsigned *pcert_len, gnutls_privkey_t *key)
{
	(void)session;
	(void)cas;
	(void)n_cas;
	(void)algorithms;
	(void)n_algorithms;
	(void)pcert;
	(void)pcert_len;
	(void)key;
	return -1;
}

static int try_listen(const struct addrinfo *a)
{
	const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static int port_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	char port[16];

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
		return -1;
	return (int)strtol(port, NULL, 10);
}

static enum err listen_at(struct http_server *s, const char *address, int64_t port, struct buf *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *at = NULL;
	char service[24];

	snprintf(service, sizeof service, "%lld", (long long)port);
	if (getaddrinfo(address, service, &hints, &at) != 0) {
		buf_printf(why, "VAULT_LISTEN_ADDRESS: %s is no IP address", address);
		return ERR_CONFIG;
	}
	s->listener = try_listen(at);
	if (s->listener < 0)
		buf_printf(why, "VAULT_LISTEN_PORT: can't listen at %s port %s: %s", address, service, strerror(errno));
	else
		s->port = port_of(s->listener);
	freeaddrinfo(at);
	return s->listener < 0 ? ERR_IO : ERR_OK;
}

static enum err start_daemon(struct http_server *s, const struct config *c, struct buf *why)
{
	const unsigned flags = MHD_USE_TLS | MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			       MHD_USE_ITC | MHD_USE_ERROR_LOG;

	MHD_set_panic_func(on_panic, NULL);
	/* clang-format off */
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_handle, s,
				     MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
				     MHD_OPTION_LISTEN_SOCKET, s->listener,
				     MHD_OPTION_THREAD_POOL_SIZE, (unsigned)c->io_threads,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->max_connections,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
				     MHD_OPTION_CONNECTION_TIMEOUT, 0u, /* the watchdog's business */
				     MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES,
				     MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate,
				     MHD_OPTION_STRICT_FOR_CLIENT, 0, /* 1 sends the head of its own error page twice */
				     MHD_OPTION_NOTIFY_CONNECTION, connection_notify, s,
				     MHD_OPTION_NOTIFY_COMPLETED, request_completed, s,
				     MHD_OPTION_UNESCAPE_CALLBACK, head_unescape, NULL,
				     MHD_OPTION_END);
	/* clang-format on */
	if (s->daemon)
		return ERR_OK;
	s->listener = -1; /* MHD closes it where it fails */
	buf_text(why, "the TLS listener could not be started");
	return ERR_IO;
}

static void server_free(struct http_server *s)
{
	if (!s)
		return;
	if (s->listener >= 0)
		close(s->listener);
	credentials_unref(s->credentials);
	free(s->certificate_file);
	free(s->key_file);
	free(s->bundle_folder);
	free(s->deny_file);
	pthread_mutex_destroy(&s->credentials_lock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct http_server *server_new(const struct config *c, const struct http_handler *h)
{
	struct http_server *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->handler = *h;
	s->listener = -1;
	s->handshake_ms = c->handshake_timeout_ms;
	s->header_ms = c->header_timeout_ms;
	s->body_ms = c->body_timeout_ms;
	s->idle_ms = c->idle_timeout_ms;
	s->certificate_file = strdup(c->tls_certificate);
	s->key_file = strdup(c->tls_key);
	s->bundle_folder = strdup(c->trust_bundles);
	s->deny_file = strdup(c->deny_list ? c->deny_list : "");
	atomic_init(&s->generation, 1);
	pthread_mutex_init(&s->credentials_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	if (!s->certificate_file || !s->key_file || !s->bundle_folder || !s->deny_file ||
	    getrandom(&s->request_seed, sizeof s->request_seed, 0) != (ssize_t)sizeof s->request_seed) {
		server_free(s);
		return NULL;
	}
	return s;
}

enum err http_server_start(const struct config *c, const struct http_handler *h, struct http_server **out,
			   struct buf *why)
{
	struct http_server *s = server_new(c, h);
	enum err e = ERR_MEMORY;

	*out = NULL;
	if (!s) {
		buf_text(why, "out of memory");
		return e;
	}
	e = load(s, &s->credentials, why);
	if (e == ERR_OK)
		e = listen_at(s, c->listen_address, c->listen_port, why);
	if (e != ERR_OK)
		goto out;
	e = watchdog_start(s);
	if (e != ERR_OK) {
		buf_text(why, "no thread for the deadlines");
		goto out;
	}
	e = start_daemon(s, c, why);
	if (e != ERR_OK) {
		watchdog_stop(s);
		goto out;
	}
	*out = s;
	s = NULL;
out:
	server_free(s);
	return e;
}

/* Waits until no connection is left, or until the time is over. */
static void drain(struct http_server *s, int64_t until_us)
{
	while (watchdog_drain(s) > 0 && clock_mono_us() < until_us)
		usleep(DRAIN_STEP_US);
}

/* After the drain: everything is cut but what a handler still owns, and that is waited for. */
static bool cut_rest(struct http_server *s)
{
	const int64_t until_us = clock_mono_us() + (int64_t)WAKE_GRACE_MS * 1000;
	size_t suspended;

	for (;;) {
		suspended = watchdog_cut_all(s);
		if (suspended == 0 && atomic_load(&s->in_flight) == 0)
			return true;
		if (clock_mono_us() > until_us)
			break;
		usleep(DRAIN_STEP_US);
	}
	log_event(LOG_ERROR, "requests_not_woken", "count=%zu", suspended);
	return false;
}

void http_server_stop(struct http_server *s, int64_t drain_ms)
{
	if (!s)
		return;
	atomic_store(&s->draining, true);
	/* The workers may still poll the descriptor: it is closed when they are gone. */
	(void)MHD_quiesce_daemon(s->daemon);
	shutdown(s->listener, SHUT_RDWR);
	drain(s, clock_mono_us() + drain_ms * 1000);
	if (!cut_rest(s))
		return; /* MHD can't be stopped with suspended connections; the process ends with them */
	while (atomic_load(&s->waking) > 0)
		usleep(DRAIN_STEP_US);
	watchdog_stop(s);
	MHD_stop_daemon(s->daemon);
	server_free(s);
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}
