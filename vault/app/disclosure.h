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
	const struct node *given; /* {"plain":[1,2],"masked:email":[3]}: field numbers by form */
	int64_t kind;             /* of a record; 0: none */
};
/* Newest first, in pages: memory stays flat. Records in which no value left (tokens only, denials, writes) are passed over. */
enum err disclosures_each(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN],
                          enum err (*each)(void *ctx, const struct disclosure *d), void *ctx) MUST_CHECK;
/* JSON array of recipients: [{"recipient","purposes":[],"last"}], by recipient. */
enum err disclosure_recipients(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], struct buf *out) MUST_CHECK;
/* The same, of those who received some field or record kind of the scope. */
enum err disclosure_recipients_of(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], const struct snapshot *s,
                                  const struct rights_scope *scope, struct buf *out) MUST_CHECK;

#endif
