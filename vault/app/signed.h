/* signed.h: documents that the vault signs, to be checked without it: consent
 * receipts, erasure certificates, manifests of exports.
 *
 * {"document":{...},"signature":{"algorithm":"Ed25519","key":HEX,"value":HEX}}. What is signed is
 * SIGNED_PREFIX and the bytes of document as they stand: compact JSON, members sorted (RFC 8785). */
#ifndef APP_SIGNED_H
#define APP_SIGNED_H

#include "vault/app/app_int.h"

#define SIGNED_PREFIX "vault signed document 1\n" /* no checkpoint of the log begins so */

/* Appends the signed form of document, canonical JSON, to out. */
enum err signed_write(struct app *app, const struct buf *document, struct buf *out) MUST_CHECK;

#endif
