/* envelope.h: encrypts a stream to one X.509 certificate: CMS EnvelopedData (RFC 5652), AES-256-CBC
 * content, the key by RSA-OAEP with SHA-256 (RFC 3560) or ephemeral ECDH with SHA-256 (RFC 5753). `openssl cms -decrypt -inform DER`
 * opens it. EnvelopedData says nothing of who wrote it: sign what is inside. One thread. */
#ifndef CRYPTO_ENVELOPE_H
#define CRYPTO_ENVELOPE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_PEM_MAX 8192

struct envelope;

/* Is this one PEM certificate, valid now, to which can be encrypted: RSA of 2,048 to 8,192 bits or EC of 256 or more, and a key usage
 * (RFC 5280 4.2.1.3), where it names any, of key encipherment or key agreement? Gives the SHA-256 of its DER. ERR_MALFORMED. */
enum err envelope_check(const char *pem, size_t len, uint8_t sha256[static 32]) MUST_CHECK;

/* The same SHA-256, of any certificate: it may have ended since it was checked. */
enum err envelope_fingerprint(const char *pem, size_t len, uint8_t sha256[static 32]) MUST_CHECK;

/* sink takes the CMS bytes (DER with indefinite lengths) in order; its error ends all. Also ERR_MALFORMED, ERR_MEMORY, ERR_CRYPTO. */
enum err envelope_new(const char *pem, size_t len, enum err (*sink)(void *ctx, const void *bytes, size_t len), void *ctx, struct envelope **out) MUST_CHECK;
enum err envelope_write(struct envelope *v, const void *bytes, size_t len) MUST_CHECK;
/* The last bytes reach the sink; without it what was written is no CMS. */
enum err envelope_end(struct envelope *v) MUST_CHECK;
void envelope_free(struct envelope *v); /* NULL is allowed */

#endif
