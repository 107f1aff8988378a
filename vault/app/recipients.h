/* recipients.h: those who received what was erased or corrected are listed with the request, and told
 * through the outbox where they have a webhook (GDPR 19; PIPL 47). */
#ifndef APP_RECIPIENTS_H
#define APP_RECIPIENTS_H

#include "base/json.h"
#include "vault/app/customer.h"
#include "vault/app/rights_job.h"
#include "vault/app/rights_scope.h"

/* Looks through the log for who received something of the scope within VAULT_RECIPIENT_DAYS, and keeps the list with the
 * request. On a worker's connection; an erasure calls it before it erases, since the link to the records goes too. */
enum err recipients_keep(struct app *app, struct db *db, const struct rights_job *job, const struct snapshot *s, const struct rights_scope *scope) MUST_CHECK;
/* Puts one message for each of the kept list into the outbox, in the batch's transaction. row: the customer's, for the
 * recipient's own token (NULL: none). subjects: what it is about (NULL: all), n in the snapshot. */
enum err recipients_tell(struct req *r, struct batch *b, int64_t request, const char *kind, const struct customer_row *row, const bool *subjects) MUST_CHECK;
/* "recipients":[...] of a request, each with what became of its message. */
enum err recipients_write(struct batch *b, int64_t request, struct json *j) MUST_CHECK;
/* A worker's task: rectifications that were completed and whose recipients are not told yet. */
enum err recipients_rectified(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
