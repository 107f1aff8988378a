/* connection.c: a connection from accept to close.
 *
 * MHD only requests a client certificate and knows one fixed trust store. So
 * the session gets credentials of ours, the demand for a certificate and a
 * verify function as soon as MHD has made it; that also swaps certificates on
 * a reload. Our own read function sees the first byte of each request, and a
 * handshake hook its end: MHD tells neither. */
#include "http_int.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A client's handshake message may not be larger: four certificates fit well. */
#define HANDSHAKE_MAX ((size_t)24 << 10)

struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *out, size_t room)
{
	struct connection *c = ptr;
	const enum phase phase = connection_phase(c);
	ssize_t got;

	/* MHD reads once after each resume, and where the client has closed its half meanwhile, it would
	 * drop the reply. Nothing needs to be read before the reply has left. */
	if (phase == PHASE_WAITING || phase == PHASE_REPLY) {
		errno = EAGAIN;
		return -1;
	}
	got = recv(c->fd, out, room, 0);
	if (got > 0) {
		c->spoke = true;
		if (phase == PHASE_IDLE)
			connection_move(c, PHASE_HEADER, c->server->header_ms);
	}
	return got;
}

/* GnuTLS asks only where it blocks, which MHD's sessions never do. */
static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ptr;
	(void)ms;
	return 1;
}

static int on_handshake(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	struct connection *c = connection_of(gnutls_session_get_ptr(session));

	(void)when;
	if (!c || !incoming)
		return 0;
	/* RFC 8446, 4.4.2: an empty context and an empty list say that there is no certificate. */
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && message->size <= 4) {
		c->refusal = "no_certificate";
		(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_REQUIRED);
	}
	if (type == GNUTLS_HANDSHAKE_FINISHED && c->verified && connection_phase(c) == PHASE_HANDSHAKE)
		connection_move(c, PHASE_IDLE, c->server->idle_ms);
	return 0;
}

static void set_session(struct connection *c)
{
	gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, credentials_x509(c->credentials));
	gnutls_certificate_server_set_request(c->session, GNUTLS_CERT_REQUIRE);
	gnutls_handshake_set_max_packet_length(c->session, HANDSHAKE_MAX);
	gnutls_transport_set_ptr2(c->session, c, (gnutls_transport_ptr_t)(intptr_t)c->fd);
	gnutls_transport_set_pull_function(c->session, pull);
	gnutls_transport_set_pull_timeout_function(c->session, pull_timeout);
	gnutls_handshake_set_hook_function(c->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, on_handshake);
}

static void insert(struct connection *c)
{
	struct http_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	c->next = s->connections;
	if (c->next)
		c->next->prev = c;
	s->connections = c;
	s->n_connections++;
	pthread_mutex_unlock(&s->lock);
	metric_add(METRIC_CONNECTIONS, 1);
}

static void take_out(struct connection *c)
{
	struct http_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_connections--;
	pthread_mutex_unlock(&s->lock);
	metric_add(METRIC_CONNECTIONS, -1);
}

static struct connection *started(struct http_server *s, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *tls = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct connection *c = calloc(1, sizeof *c);

	if (!c) {
		/* MHD has no way to refuse here; with its own credentials no handshake can succeed. */
		shutdown(fd->connect_fd, SHUT_RDWR);
		return NULL;
	}
	c->server = s;
	c->mhd = mhd;
	c->fd = fd->connect_fd;
	c->session = tls->tls_session;
	c->credentials = server_credentials(s);
	atomic_init(&c->word, PHASE_HANDSHAKE);
	buf_init(&c->request.problem, 0);
	set_session(c);
	insert(c);
	connection_move(c, PHASE_HANDSHAKE, s->handshake_ms);
	return c;
}

/* A handshake that did not end well is told once. Whoever connects and leaves without a byte is no client. */
static void tell_failure(struct connection *c)
{
	const char *reason = c->refusal ? c->refusal : "protocol";

	if (atomic_load(&c->timed_out))
		reason = "timeout";
	else if (!c->spoke)
		return;
	metric_add(METRIC_HANDSHAKE_FAILURES, 1);
	if (c->server->handler.handshake_failed)
		c->server->handler.handshake_failed(c->server->handler.ctx, reason);
}

static void closed(struct connection *c)
{
	const bool in_handshake = connection_phase(c) == PHASE_HANDSHAKE || atomic_load(&c->timed_out);

	if (in_handshake && !atomic_load(&c->server->draining))
		tell_failure(c);
	take_out(c);
	credentials_unref(c->credentials);
	buf_fini(&c->request.problem);
	free(c);
}

void connection_notify(void *server, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = started(server, mhd);
	} else if (*context) {
		closed(*context);
		*context = NULL;
	}
}

bool connection_allowed(struct connection *c)
{
	const uint64_t generation = atomic_load(&c->server->generation);
	struct credentials *now;

	if (c->deny_generation == generation)
		return !c->denied;
	now = server_credentials(c->server);
	c->denied = credentials_denied(now, c->serial, c->peer.spiffe_id);
	c->deny_generation = generation;
	credentials_unref(now);
	return !c->denied;
}
