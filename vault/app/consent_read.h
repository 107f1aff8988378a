/* consent_read.h: consent events as they come from the database. */
#ifndef APP_CONSENT_READ_H
#define APP_CONSENT_READ_H

#include "vault/app/consent_state.h"
#include "vault/app/values.h"

/* The columns of store/consents.h, in their order. */
enum { CONSENT_PURPOSE, CONSENT_ITEM, CONSENT_KIND, CONSENT_GENERATION, CONSENT_AT, CONSENT_VALID_UNTIL, CONSENT_NOTICE_VERSION, CONSENT_DETAIL, CONSENT_SEALED };

/* The customer and purpose of a request that was planned by consents_list_plan. */
enum err consent_read_target(struct req *r, struct batch *b, struct customer **c, const struct purpose **purpose) MUST_CHECK;
/* Row i; texts are borrowed from rows. */
void consent_event_read(const struct db_result *rows, size_t i, struct consent_event *out);
/* Row i as {"event","at",...}, its personal part opened. */
enum err consent_event_write(struct batch *b, struct customer *c, const struct db_result *rows, size_t i, struct json *j) MUST_CHECK;

#endif
