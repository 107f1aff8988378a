/* consent_expiry.h: consents that end by their time. */
#ifndef APP_CONSENT_EXPIRY_H
#define APP_CONSENT_EXPIRY_H

#include "vault/app/consent_state.h"
#include "vault/app/worker.h"

/* The state that all events (rows of store/consents.h, oldest first) make at a time, and the purposes
 * whose consent has ended by then and is not written as ended yet; their number. */
size_t consent_derive(const struct snapshot *s, const struct db_result *rows, int64_t now_us, struct consent_state *out,
                      uint16_t expired[static POLICY_PURPOSES_MAX]);
/* A worker's task. */
enum err consent_expire(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
