/* conn.c: one keep-alive HTTP/1.1 connection over mutual TLS 1.3. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REPLY_LIMIT ((size_t)64 << 20)

SSL_CTX *target_context(const struct target *t)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_load_verify_file(ctx, t->ca) || SSL_CTX_use_certificate_chain_file(ctx, t->cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A head and a body in two records cost one system call, not four. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, 20480);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static int dial(const struct target *t)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
	struct timeval patience = {.tv_sec = 10};
	int one = 1, fd;
	if (inet_pton(AF_INET, t->host, &at.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -1;
	}
	return fd;
}

bool conn_open(struct conn *c, const struct target *t, SSL_CTX *context)
{
	*c = (struct conn){.fd = dial(t)};
	if (c->fd < 0) {
		fprintf(stderr, "load: %s:%d: %s\n", t->host, t->port, strerror(errno));
		return false;
	}
	c->ssl = SSL_new(context);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
		fprintf(stderr, "load: no TLS session with %s:%d\n", t->host, t->port);
		ERR_print_errors_fp(stderr);
		conn_close(c);
		return false;
	}
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK)) {
		conn_close(c);
		return false;
	}
	c->events = EPOLLIN;
	return true;
}

void conn_close(struct conn *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		close(c->fd);
	text_free(&c->out);
	text_free(&c->in);
	c->ssl = NULL;
	c->fd = -1;
}

const char *conn_body(const struct conn *c)
{
	return c->in.data ? c->in.data + c->head_len : "";
}

/* True when the call only has to be made again once epoll says so. */
static bool would_block(struct conn *c, int result)
{
	int why = SSL_get_error(c->ssl, result);
	if (why == SSL_ERROR_WANT_READ)
		c->events = EPOLLIN;
	else if (why == SSL_ERROR_WANT_WRITE)
		c->events = EPOLLIN | EPOLLOUT;
	else
		ERR_clear_error();
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Reads status and Content-Length once the head is there. False: a head that
 * this client does not take. */
static bool parse_head(struct conn *c)
{
	if (!c->in.data)
		return true;
	const char *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
	if (!end)
		return c->in.len < 65536;
	const char *length = strcasestr(c->in.data, "\r\ncontent-length:");
	if (strncmp(c->in.data, "HTTP/1.1 ", 9) != 0 || !length || length > end)
		return false;
	c->status = atoi(c->in.data + 9);
	c->body_len = strtoul(length + 17, NULL, 10);
	c->head_len = (size_t)(end - c->in.data) + 4;
	return c->status >= 100 && c->status < 600 && c->body_len < REPLY_LIMIT;
}

static enum conn_result receive(struct conn *c)
{
	for (;;) {
		if (c->head_len == 0 && !parse_head(c))
			return CONN_LOST;
		if (c->head_len && c->in.len >= c->head_len + c->body_len)
			return c->in.len == c->head_len + c->body_len ? CONN_REPLY : CONN_LOST;
		text_room(&c->in, 16384);
		int got = SSL_read(c->ssl, c->in.data + c->in.len, (int)(c->in.cap - c->in.len - 1));
		if (got <= 0)
			return would_block(c, got) ? CONN_WAIT : CONN_LOST;
		c->in.len += (size_t)got;
		c->in.data[c->in.len] = '\0';
	}
}

enum conn_result conn_step(struct conn *c)
{
	while (c->sent < c->out.len) {
		int put = SSL_write(c->ssl, c->out.data + c->sent, (int)(c->out.len - c->sent));
		if (put > 0) {
			c->sent += (size_t)put;
			if (c->sent < c->out.len)
				continue;
			/* The answer can't be here yet: asking for it now is a wasted system call. */
			c->events = EPOLLIN;
			c->in.len = c->head_len = 0;
			return CONN_WAIT;
		}
		/* A server that refuses early answers while we still write. */
		if (!would_block(c, put))
			return CONN_LOST;
		return CONN_WAIT;
	}
	return receive(c);
}

enum conn_result conn_wait(struct conn *c, int timeout_ms)
{
	uint64_t deadline = now_us() + (uint64_t)timeout_ms * 1000u;
	for (;;) {
		enum conn_result result = conn_step(c);
		if (result != CONN_WAIT)
			return result;
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		if (c->events & EPOLLOUT)
			p.events |= POLLOUT;
		if (now_us() > deadline || poll(&p, 1, 1000) < 0)
			return CONN_LOST;
	}
}
