/* rights.h: what the operations on rights requests and holds share. */
#ifndef APP_RIGHTS_H
#define APP_RIGHTS_H

#include "base/json.h"
#include "store/rights.h"
#include "vault/app/audit_record.h"
#include "vault/app/rights_scope.h"
#include "vault/app/rights_state.h"
#include "vault/app/values.h"

#define RIGHTS_SUBJECT_REQUEST 0
#define RIGHTS_SUBJECT_HOLD 1
#define APPROVAL_LASTS_US ((int64_t)7 * 86400 * 1000000)

/* The id of a request or hold: as a JSON string; and back: ERR_NOT_FOUND with pointer "id". */
enum err rights_write_id(struct batch *b, int64_t number, uint16_t subject, struct buf *out) MUST_CHECK;
enum err rights_read_id(struct req *r, struct batch *b, const char *text, uint16_t subject, int64_t *number) MUST_CHECK;
/* Does the caller handle all requests? Else may he open some? Neither: r->err. */
enum err rights_caller(struct req *r, bool *officer) MUST_CHECK;
/* When a request of a jurisdiction that was received then is due, by today's calendar and configuration. The calendar was
 * right at the start; where its file no longer is, what can be read of it counts. */
void rights_due_at(const struct app *app, struct rights_row *row);
/* What an approval is bound to: kind, customer, scope. */
enum err rights_scope_hash(const struct rights_row *row, uint8_t out[static 32]) MUST_CHECK;
/* Officers who stand behind a request now: approvers of this scope, and the requester where he is one; those whom policy
 * no longer lets handle requests, or who are frozen, do not count. */
enum err rights_officers(struct batch *b, const struct rights_row *row, int64_t *n) MUST_CHECK;
int64_t rights_officers_needed(const struct config *c, int32_t kind);
/* The request as JSON (without its approvals and notes). */
enum err rights_write(struct req *r, struct batch *b, const struct rights_row *row, struct json *j) MUST_CHECK;
/* The request of the path's id, which the caller may see, or with lock may change. Owner of rows: caller. */
enum err rights_find(struct req *r, struct batch *b, bool lock, struct rights_row *row, struct db_result **rows, bool *officer) MUST_CHECK;
/* target_open for officers' operations: an officer is told ERR_ERASED where the customer has been erased; all others
 * ERR_NOT_FOUND, as for a token that never was. Sets r->about. */
enum err rights_target_open(struct req *r, struct batch *b, const struct target *t, struct customer **out) MUST_CHECK;
/* Pages go by descending numbers. The query's "cursor" (absent: from the newest), and one as a JSON string. */
enum err rights_read_cursor(struct req *r, struct batch *b, const char *context, size_t len, int64_t *before) MUST_CHECK;
enum err rights_put_cursor(struct batch *b, const char *context, size_t len, int64_t number, struct buf *out) MUST_CHECK;
/* Seals a note under the customer's key and writes it. */
enum err rights_note_write(struct req *r, struct batch *b, const struct rights_row *row, struct customer *c, const char *text, size_t len) MUST_CHECK;
/* One audit record: activity "rights", object "ACT:KIND". */
enum err rights_audit(struct req *r, struct batch *b, const char *act, int32_t kind, const struct customer *c) MUST_CHECK;

#endif
