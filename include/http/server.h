/* server.h: the mutual TLS listener: libmicrohttpd over GnuTLS, from accept to
 * reply. It knows nothing of customers: requests go through the function
 * pointers of struct http_handler, wired in main.c.
 *
 * TLS 1.3 only, no tickets, no 0-RTT. A client certificate is required in the
 * handshake and checked against the bundle of the trust domain that its one
 * SPIFFE ID names, for purpose client. Identity is read once a connection;
 * the deny list and the certificate's expiry are looked at on each request.
 * A watchdog cuts handshakes, headers and bodies at their deadline. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who is at the other end; alive as long as the connection, borrowed by its requests. */
struct http_peer {
	char spiffe_id[256];
	uint8_t certificate_sha256[32];
	int64_t expires_at_us;
};

/* One request's head. Strings are borrowed until the request ends. Lookup
 * functions return NULL where there is none. header: case-insensitive; a header
 * that the caller sent twice reads as "\x01" (no valid value), so that it is
 * refused. query: percent-decoded; a parameter given twice likewise. */
struct http_head {
	const struct http_peer *peer;
	const char *method;
	const char *path; /* percent-decoded once, without query; no NUL, no control characters */
	void *connection;
	const char *(*header)(void *connection, const char *name);
	const char *(*query)(void *connection, const char *name);
	/* Calls each for every query parameter, so that unknown ones can be refused. */
	void (*query_each)(void *connection, void (*each)(void *ctx, const char *name, const char *value), void *ctx);
};

#define HTTP_REPLY_HEADERS_MAX 8
struct http_reply {
	int status;
	const char *content_type; /* NULL: no body */
	struct { const char *name; const char *value; } headers[HTTP_REPLY_HEADERS_MAX];
	size_t n_headers;
	const uint8_t *body; /* borrowed until the request ends */
	size_t body_len;
	/* Set: the body is a stream instead. Fills up to room bytes and returns their
	 * number; 0: nothing now, the server suspends the connection until wake() is
	 * called; -1: the end. A newline is sent by the server after 15 s of nothing. */
	int64_t (*stream)(void *request, uint8_t *out, size_t room);
};

struct http_handler {
	void *ctx;
	/* A request's head is here. Returns the request's own object, or NULL with
	 * *refused set and nothing to end. *body_limit: most bytes of body. Called on an
	 * I/O thread; must not block. */
	void *(*begin)(void *ctx, const struct http_head *head, size_t *body_limit, enum err *refused);
	/* A piece of body; ERR_OK to go on. Never more than *body_limit in all. */
	enum err (*body)(void *request, const void *bytes, size_t len);
	/* All of the body is here. true: the reply is ready without the database.
	 * false: the server suspends the connection and then calls submit. */
	bool (*ready)(void *request);
	/* Called after the connection has been suspended. wake(token) must be called
	 * exactly once, from any thread, also from within submit. */
	void (*submit)(void *request, void (*wake)(void *token), void *token);
	/* The reply, once woken or ready; borrowed until end. */
	const struct http_reply *(*reply)(void *request);
	/* The stream's follower is parked: call wake(token) when there is more. Only after stream returned 0. */
	void (*park)(void *request, void (*wake)(void *token), void *token);
	/* Parked no longer (timeout of 15 s, or closing): the handler must not call that wake after this returns. */
	void (*unpark)(void *request);
	/* MHD says that the request is done or the client is gone; not while suspended. */
	void (*end)(void *request);
	/* A complete problem+json body for an error before begin, instead of it, or of the body. request_id is
	 * the caller's X-Request-Id where it is valid, else one that the server made; it is echoed. Any I/O thread. */
	void (*problem)(enum err e, const char *request_id, struct buf *out);
	/* A handshake failed: reason is a stable word (no_certificate, unknown_ca,
	 * expired, not_client, domain_mismatch, two_identities, no_identity, timeout, protocol). Any I/O
	 * thread, must not block; NULL: nobody asks. */
	void (*handshake_failed)(void *ctx, const char *reason);
	/* A request was refused because its peer is on the deny list; begin does not see it. As above. */
	void (*denied)(void *ctx, const struct http_peer *peer);
};

/* What stays MHD's own: its pages for a head that it can't parse or that is too
 * large (400, 413, 414, 431; 500 for a chunk whose size line is) are text/html, not problem+json, and close the
 * connection. A request's head may take about 7 KiB in all. Each loop of an I/O
 * thread costs time for each of its connections, idle ones too: 2,000 idle
 * connections beside 64 busy ones made a request cost 85 us of CPU where it
 * costs 27 without them (2 cores, busy machine). */
struct http_server;

/* Is what stands in the files of this key of any use: own certificate with its key, bundles, deny list; ERR_OK for other
 * keys. why gets one line that names the file. */
enum err http_check(const struct config *c, enum config_key key, struct buf *why) MUST_CHECK;

/* Loads certificates and listens. why gets one line on an error (ERR_CONFIG, ERR_IO). */
enum err http_server_start(const struct config *c, const struct http_handler *h, struct http_server **out, struct buf *why) MUST_CHECK;
/* Loads certificate, key, bundles and deny list anew; on an error the old stay in force. Any thread. */
enum err http_server_reload(struct http_server *s, struct buf *why) MUST_CHECK;
/* Ordered stop: closes the listener, lets idle connections go, ends streams,
 * waits at most drain_ms until requests in flight are answered, cuts the rest,
 * stops, frees. A request that its handler has not woken by then is waited for
 * (a minute at most, then the server is left as it is, to end with the process),
 * so the executors must run until this returns. */
void http_server_stop(struct http_server *s, int64_t drain_ms);
/* Port in use (a configured 0 picks a free one). */
int http_server_port(const struct http_server *s);

/* The operations listener: plain HTTP on 127.0.0.1: /livez, /readyz, /metrics. */
struct http_operations;
struct http_probe {
	void *ctx;
	/* true: ready. Else appends a JSON object of what is missing. */
	bool (*ready)(void *ctx, struct buf *json);
};
enum err http_operations_start(int port, const struct http_probe *probe, struct http_operations **out, struct buf *why) MUST_CHECK;
void http_operations_stop(struct http_operations *o);
int http_operations_port(const struct http_operations *o);

#endif
