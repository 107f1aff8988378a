/* credentials_int.h: the server's certificate, the trust bundles and the deny
 * list, loaded together and never changed after: a reload makes new ones, and
 * a connection keeps those that its handshake used. */
#ifndef HTTP_CREDENTIALS_INT_H
#define HTTP_CREDENTIALS_INT_H

#include "base/buf.h"
#include "base/err.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREDENTIALS_SERIAL_MAX 64 /* hex digits and NUL; RFC 5280 allows 20 octets */
#define SPIFFE_ID_MAX	       255
#define SPIFFE_DOMAIN_MAX      255

struct credentials;

struct credentials_files {
	const char *certificate, *key, *bundles, *deny_list; /* deny_list "" or NULL: none */
};

/* Loads all or nothing: ERR_CONFIG or ERR_IO with one line in why that names
 * the file. verify is GnuTLS's hook for handshakes. One reference is the caller's. */
enum err credentials_load(const struct credentials_files *files, gnutls_certificate_verify_function *verify,
			  struct credentials **out, struct buf *why) MUST_CHECK;
/* Loads one part and lets it go again: what is wrong with it, as above. */
enum credentials_part { CREDENTIALS_OWN, CREDENTIALS_BUNDLES, CREDENTIALS_DENY };
enum err credentials_check(const struct credentials_files *files, enum credentials_part part, struct buf *why) MUST_CHECK;
struct credentials *credentials_ref(struct credentials *c);
void credentials_unref(struct credentials *c); /* NULL is allowed */
gnutls_certificate_credentials_t credentials_x509(const struct credentials *c);
/* The CAs of a trust domain, or NULL. */
gnutls_x509_trust_list_t credentials_bundle(const struct credentials *c, const char *domain, size_t domain_len);
/* Calls each for every bundle until it returns true; returns whether one did. */
bool credentials_any_bundle(const struct credentials *c, bool (*each)(void *ctx, gnutls_x509_trust_list_t bundle),
			    void *ctx);
bool credentials_denied(const struct credentials *c, const char *serial, const char *spiffe_id);

/* spiffe.c: the SPIFFE ID standard, section 2: spiffe://domain/segment/... with at least one segment.
 * Returns the length of the trust domain, which begins at text + 9, or 0. */
size_t spiffe_domain_len(const char *text, size_t len);
bool spiffe_domain_valid(const char *domain, size_t len);

/* deny.c: the deny list. */
struct deny_list {
	char **entries; /* sorted: serials in lower-case hex without leading zeros, and SPIFFE IDs */
	size_t n;
};
/* line_out: the first bad line, from 1. ERR_CONFIG or ERR_MEMORY. */
enum err deny_parse(struct deny_list *d, const char *text, size_t len, size_t *line_out) MUST_CHECK;
bool deny_has(const struct deny_list *d, const char *entry);
void deny_fini(struct deny_list *d);
/* Hex with or without colons into its one form; false if it is none. */
bool deny_serial(const char *text, size_t len, char out[static CREDENTIALS_SERIAL_MAX]);

#endif
