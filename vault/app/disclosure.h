/* disclosure.h: who received a person's data, out of the audit log (GDPR 15(1)(c), 19). */
#ifndef APP_DISCLOSURE_H
#define APP_DISCLOSURE_H

#include "codec/doc.h"
#include "db/connection.h"
#include "vault/app/rights_scope.h"

#define DISCLOSURE_SREF_LEN 16

/* One record that gave data: texts are borrowed for the call. */
struct disclosure {
	const char *id, *time, *actor, *purpose, *activity;
	const struct node *given; /* {"plain":[1,2],"masked:email":[3]}: numbers of fields and record kinds, by form */
	bool everything;          /* the archive of an export was fetched */
};
/* Does this form of a record's "given" hold values? Tokens and denials do not. */
bool disclosure_form(const char *form);
/* Newest first, from since_us on, in pages: memory stays flat. Records in which no value left are passed over. */
enum err disclosures_each(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], int64_t since_us,
                          enum err (*each)(void *ctx, const struct disclosure *d), void *ctx) MUST_CHECK;

struct disclosure_filter {
	const struct snapshot *snapshot;
	const struct rights_scope *scope; /* those who received something of it */
	int64_t since_us;
};
/* JSON array, members sorted, those who received something last first:
 * [{"audit_records":[],"disclosures":N,"everything":false,"fields":[],"last":TIME,"purposes":[],"recipient":SPIFFE ID}].
 * audit_records: the newest DISCLOSURE_RECORDS_MAX of N. everything: it fetched an archive. fields: names of fields and
 * record kinds of the scope that it read. */
#define DISCLOSURE_RECORDS_MAX 100
enum err disclosure_recipients(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], const struct disclosure_filter *filter,
                               struct buf *out) MUST_CHECK;

#endif
