/* outbox.h: sends what stands in the outbox (store/outbox.h) to its webhooks, in the
 * form of Standard Webhooks (standardwebhooks.com): headers webhook-id, webhook-timestamp (Unix time of the try)
 * and webhook-signature, "v1a," and base64 of the Ed25519 signature by the vault's signing key over
 * "ID.TIMESTAMP.BODY". The body: {"data":{...},"id":ID,"timestamp":when it was written,"type":KIND}. */
#ifndef APP_OUTBOX_H
#define APP_OUTBOX_H

#include "vault/app/worker.h"

#define OUTBOX_KEPT_DAYS 30

/* Tasks of a worker of their own: a slow receiver holds up nothing else. */
enum err outbox_send(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;
enum err outbox_clean(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
