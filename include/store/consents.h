/* consents.h: notices and consent events, read back; notices written. Plain queries. */
#ifndef STORE_CONSENTS_H
#define STORE_CONSENTS_H

#include "db/connection.h"

/* name, version, renew, revision; the newest of each name and the newest of each that renews. */
enum err notices_in_force(struct db *db, struct db_result **out) MUST_CHECK;
/* version, renew, texts, hash, published_at, published_by; newest first. */
enum err notice_versions(struct db *db, const char *name, struct db_result **out) MUST_CHECK;
/* texts, hash, published_at of one version; no row: there is none. */
enum err notice_version(struct db *db, const char *name, int32_t version, struct db_result **out) MUST_CHECK;
struct notice_entry {
	const char *name;
	uint32_t version;
	bool renew;
	int64_t revision;
	const char *texts;
	const uint8_t *hash; /* 32 bytes */
	int64_t at_us;
	const char *by;
};
enum err notice_add(struct db *db, const struct notice_entry *n) MUST_CHECK;

/* Events of a customer, oldest first: purpose, item, kind, dek_generation, at, valid_until,
 * notice_version, detail, sealed. */
enum err consent_events(struct db *db, int64_t customer, struct db_result **out) MUST_CHECK;
/* Those of one purpose, newest first, items below before. The same columns. */
enum err consent_history(struct db *db, int64_t customer, int32_t purpose, int64_t before, int32_t most, struct db_result **out) MUST_CHECK;
/* The newest consent that was given, refused, withdrawn or has expired; the same columns. */
enum err consent_last(struct db *db, int64_t customer, int32_t purpose, struct db_result **out) MUST_CHECK;
/* Takes evidence and guardian out of the events of these purposes (bit number - 1; all bits: of every one). The events stay. */
enum err consent_erase_personal(struct db *db, int64_t customer, uint64_t purposes) MUST_CHECK;
/* customer_id of at most `most` customers with a consent that has expired by then. */
enum err consent_expired(struct db *db, int64_t by_us, int32_t most, struct db_result **out) MUST_CHECK;

#endif
