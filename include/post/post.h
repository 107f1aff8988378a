/* post.h: sends small JSON bodies to URLs of others by HTTPS (RFC 9110, TLS 1.2 or
 * newer, the certificate checked against host and CA). The only place of vaultd
 * that sees libcurl. No redirect is followed, no proxy, cookie or .netrc is used,
 * and the reply's body is read and dropped: only its status counts. */
#ifndef POST_POST_H
#define POST_POST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define POST_URL_MAX 500

/* Once, at start, before threads. ERR_MEMORY. */
enum err post_start(void) MUST_CHECK;
void post_stop(void);

/* May a message go there? https://, a host, no user or password, no fragment, printable ASCII, at most POST_URL_MAX
 * bytes; with loopback also http:// to 127.0.0.1 or [::1]. Any thread. */
bool post_url_valid(const char *url, bool loopback);

struct post_settings {
	const char *ca_file; /* PEM; "": the CAs that the system trusts */
	bool loopback;       /* as above: for tests */
	long timeout_ms;     /* of each, from its beginning */
};

#define POST_HEADERS_MAX 4
struct post_message {
	const char *url;
	const char *headers[POST_HEADERS_MAX]; /* "Name: value" */
	const void *body;                      /* JSON */
	size_t len;
	char trouble[24]; /* out. "": taken (a status of 2xx); else a code: "status_503", "timeout", "certificate", ... */
};
/* Sends all at once and waits for the last; stopping ends it early, with the trouble "stopping". ERR_MEMORY: none was sent. */
enum err post_all(const struct post_settings *s, struct post_message *list, size_t n, bool (*stopping)(void *ctx), void *ctx) MUST_CHECK;

#endif
