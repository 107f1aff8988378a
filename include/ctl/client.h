/* client.h: one HTTPS request to the vault over mutual TLS. The only place that
 * sees libcurl.
 *
 * TLS 1.3, the vault's certificate checked against the given CA file alone,
 * https only, no redirects, no proxy, no .netrc. A connection is kept for the
 * next request. One thread. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct client_settings {
	const char *url; /* "https://HOST:PORT", a path after it is kept as a prefix */
	const char *cert, *key, *ca;
	const char *purpose, *ticket; /* or NULL */
	long timeout_s; /* for all of a request; of a stream: for its silence */
};

struct client_request {
	const char *method;
	const char *path;     /* with query, percent-encoded */
	const void *body;     /* JSON, or NULL */
	size_t body_len;
	const char *idempotency_key; /* or NULL */
	const char *accept;   /* media types; NULL: JSON, or of a stream lines of it */
	/* Set: the reply's body is a stream; each line that is not
	 * empty goes here as it comes, NUL behind it. False ends the request. */
	bool (*line)(void *ctx, const char *line, size_t len);
	void *ctx;
};

struct client_reply {
	int status;          /* HTTP status; 0: none arrived */
	struct buf body;     /* empty where lines were taken */
	long retry_after_s;  /* 0: not said */
	char audit_record[128]; /* Audit-Record, or "" */
};

#define CLIENT_BODY_MAX ((size_t)64 << 20)

/* Once, at start. */
bool client_start(void);
void client_stop(void);
/* True when a whole reply arrived, whatever its status. Else one line in why,
 * which holds no part of the request's body. reply is the caller's storage, to
 * be ended with client_reply_fini in any case. */
bool client_send(const struct client_settings *s, const struct client_request *r, struct client_reply *reply, struct buf *why);
void client_reply_fini(struct client_reply *reply);

#endif
