/* client.h: a small TLS client that does what it is told, also what no client should. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include "pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

struct client {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	char data[1 << 20]; /* what came and was not taken yet */
	size_t len;
};

struct reply {
	int status;
	char head[4096];
	char *body; /* NUL behind it */
	size_t body_len;
	bool closed; /* the connection ended before the reply did */
};

static inline int connect_plain(int port)
{
	const struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 20};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* name NULL: no certificate. priorities NULL: GnuTLS's. Does not check the server. */
static inline struct client *client_new(const struct pki *k, int port, const char *name, const char *priorities)
{
	struct client *c = calloc(1, sizeof *c);
	char pem[128], key[128];

	if (!c)
		abort();
	must(gnutls_certificate_allocate_credentials(&c->credentials));
	if (name) {
		snprintf(pem, sizeof pem, "%s/%s.pem", k->folder, name);
		snprintf(key, sizeof key, "%s/%s.key", k->folder, name);
		must(gnutls_certificate_set_x509_key_file(c->credentials, pem, key, GNUTLS_X509_FMT_PEM));
	}
	must(gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL));
	must(gnutls_priority_set_direct(c->session, priorities ? priorities : "NORMAL", NULL));
	must(gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials));
	c->fd = connect_plain(port);
	if (c->fd >= 0)
		gnutls_transport_set_int(c->session, c->fd);
	return c;
}

static inline int client_handshake(struct client *c)
{
	int rc;

	do
		rc = gnutls_handshake(c->session);
	while (rc < 0 && !gnutls_error_is_fatal(rc) && rc != GNUTLS_E_AGAIN);
	return rc;
}

static UNUSED_HERE struct client *client_open(const struct pki *k, int port, const char *name)
{
	struct client *c = client_new(k, port, name, NULL);

	if (c->fd >= 0)
		(void)client_handshake(c);
	return c;
}

static UNUSED_HERE void client_free(struct client *c)
{
	if (!c)
		return;
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->credentials);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static inline bool client_send_len(struct client *c, const char *data, size_t len)
{
	while (len > 0) {
		const ssize_t sent = gnutls_record_send(c->session, data, len);

		if (sent < 0 && !gnutls_error_is_fatal((int)sent))
			continue;
		if (sent <= 0)
			return false;
		data += sent;
		len -= (size_t)sent;
	}
	return true;
}

static UNUSED_HERE bool client_send(struct client *c, const char *text)
{
	return client_send_len(c, text, strlen(text));
}

/* More bytes; false at the end of the connection, or after 20 s of nothing. */
static inline bool client_more(struct client *c)
{
	ssize_t got;

	if (c->len == sizeof c->data)
		return false;
	do
		got = gnutls_record_recv(c->session, c->data + c->len, sizeof c->data - c->len);
	while (got < 0 && !gnutls_error_is_fatal((int)got) && got != GNUTLS_E_AGAIN);
	if (got <= 0)
		return false;
	c->len += (size_t)got;
	return true;
}

static inline void client_take(struct client *c, size_t len)
{
	memmove(c->data, c->data + len, c->len - len);
	c->len -= len;
}

static inline const char *header_in(const char *head, const char *name)
{
	static _Thread_local char value[512];
	const char *line = strstr(head, "\r\n");
	const size_t name_len = strlen(name);

	for (; line && *line; line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2;

		if (strncasecmp(at, name, name_len) != 0 || at[name_len] != ':')
			continue;
		snprintf(value, sizeof value, "%.*s", (int)strcspn(at + name_len + 2, "\r"), at + name_len + 2);
		return value;
	}
	return NULL;
}

static UNUSED_HERE void reply_free(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

/* One reply with a Content-Length, skipping 100 Continue. */
static UNUSED_HERE struct reply client_read(struct client *c)
{
	struct reply r = {0};
	const char *end, *length;
	size_t head_len;

	for (;;) {
		while ((end = memmem(c->data, c->len, "\r\n\r\n", 4)) == NULL)
			if (!client_more(c)) {
				r.closed = true;
				return r;
			}
		head_len = (size_t)(end - c->data) + 4;
		snprintf(r.head, sizeof r.head, "%.*s", (int)head_len, c->data);
		sscanf(r.head, "HTTP/1.%*c %d", &r.status);
		client_take(c, head_len);
		if (r.status != 100)
			break;
	}
	length = header_in(r.head, "Content-Length");
	r.body_len = length ? strtoul(length, NULL, 10) : 0;
	while (c->len < r.body_len)
		if (!client_more(c)) {
			r.closed = true;
			return r;
		}
	r.body = calloc(1, r.body_len + 1);
	memcpy(r.body, c->data, r.body_len);
	client_take(c, r.body_len);
	return r;
}

static UNUSED_HERE struct reply client_get(struct client *c, const char *path)
{
	char request[1024];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	if (!client_send(c, request))
		return (struct reply){.closed = true};
	return client_read(c);
}

/* All bytes until the end: for connections that must bring none. */
static UNUSED_HERE size_t client_drain(struct client *c)
{
	while (client_more(c))
		;
	return c->len;
}

#endif
