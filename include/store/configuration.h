/* configuration.h: the rows that make a configuration: dictionary, purposes,
 * audiences, policy, frozen identities, and the revision that binds them. */
#ifndef STORE_CONFIGURATION_H
#define STORE_CONFIGURATION_H

#include "db/connection.h"

/* Each gives rows with the columns named; the caller frees the result. */
enum err configuration_revision(struct db *db, int64_t *revision) MUST_CHECK;
enum err configuration_fields(struct db *db, struct db_result **out) MUST_CHECK;    /* number, name, record, version, definition */
enum err configuration_purposes(struct db *db, struct db_result **out) MUST_CHECK;  /* number, name, version, definition */
enum err configuration_audiences(struct db *db, struct db_result **out) MUST_CHECK; /* number, name, token_epoch */
enum err configuration_policy(struct db *db, struct db_result **out) MUST_CHECK;    /* version, hash, text, activated_at, activated_by; newest */
enum err configuration_frozen(struct db *db, struct db_result **out) MUST_CHECK;    /* identity */
/* Gives the name a number and token epoch 1, where it has none. Where another took the
 * number meanwhile it does nothing: read the audiences again, and try again. */
enum err configuration_add_audience(struct db *db, const char *name) MUST_CHECK;
/* Adds one to the revision, in the transaction under way. */
enum err configuration_bump(struct db *db) MUST_CHECK;

#endif
