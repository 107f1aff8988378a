/* rights.h: rights requests, approvals, notes, holds and erasures in the database. Plain queries, in the
 * transaction of a batch or on a worker's connection. */
#ifndef STORE_RIGHTS_H
#define STORE_RIGHTS_H

#include "db/connection.h"

struct rights_row {
	int64_t request, customer;
	int32_t kind, state;
	const char *scope, *jurisdiction, *channel, *requester, *assignee, *reason, *extension_reason;
	const char *recipient; /* PEM; "": none */
	const uint8_t *sref;
	size_t sref_len;
	bool officer, extended;
	int64_t created_at_us, due_at_us;
	int64_t approved_at_us, ended_at_us, held_at_us; /* 0: not yet */
	int64_t done, total;
};
/* Row i of a result of one of these; texts are borrowed from it. */
void rights_row_read(const struct db_result *rows, size_t i, struct rights_row *out);

/* Gives the new number. */
enum err rights_insert(struct db *db, const struct rights_row *r, int64_t *request) MUST_CHECK;
/* One row or none; lock: FOR UPDATE. */
enum err rights_get(struct db *db, int64_t request, bool lock, struct db_result **out) MUST_CHECK;
struct rights_filter {
	int64_t before, customer; /* requests below; 0: of any customer */
	int32_t state, kind;      /* -1: any */
	const char *requester;    /* NULL: anybody's */
	bool overdue;
	int32_t most;
};
enum err rights_list(struct db *db, const struct rights_filter *f, struct db_result **out) MUST_CHECK;
/* Is a request of this kind and scope for the customer still open? */
enum err rights_open_like(struct db *db, int64_t customer, int32_t kind, const char *scope, bool *found) MUST_CHECK;
/* The row must be locked. Sets state, reason, assignee, scope, due_at, extended and why, approved_at, ended_at, held_at. */
enum err rights_update(struct db *db, const struct rights_row *r) MUST_CHECK;
enum err rights_progress_set(struct db *db, int64_t request, int64_t done, int64_t total) MUST_CHECK;
/* What a job can go on with: approved (but of the kind that people carry out), running (also from before a crash), or held
 * and a hold of the customer has ended since; oldest first. */
struct rights_due {
	int32_t approved, running, held; /* states */
	int32_t by_people;               /* kind */
};
enum err rights_due_jobs(struct db *db, const struct rights_due *d, struct db_result **out) MUST_CHECK;
/* The customer's other requests that no job has begun end in that state: there is nobody left to answer to. */
enum err rights_end_others(struct db *db, int64_t customer, int64_t but, int32_t running, int32_t to, const char *reason, int64_t at_us) MUST_CHECK;
/* state, overdue, due in 72 h: counts of those not ended, a kind a row: kind, open, overdue, soon. */
enum err rights_counts(struct db *db, struct db_result **out) MUST_CHECK;

/* recipients of a request as they were listed, a JSON array; empty: not yet. */
enum err rights_recipients(struct db *db, int64_t request, struct db_result **out) MUST_CHECK;
enum err rights_recipients_set(struct db *db, int64_t request, const struct buf *list) MUST_CHECK;
/* The same where none were listed before; *found false: there were. */
enum err rights_recipients_first(struct db *db, int64_t request, const struct buf *list, bool *found) MUST_CHECK;
/* Requests of that kind and state whose recipients were not listed; oldest first. */
enum err rights_untold(struct db *db, int32_t kind, int32_t state, struct db_result **out) MUST_CHECK;

enum err rights_approve(struct db *db, int64_t request, const char *approver, const uint8_t hash[static 32], int64_t at_us) MUST_CHECK;
/* approver, scope_hash, at; those after since. */
enum err rights_approvals(struct db *db, int64_t request, int64_t since_us, struct db_result **out) MUST_CHECK;
enum err rights_note_add(struct db *db, int64_t customer, int64_t request, const char *author, int64_t at_us, uint32_t generation,
                         const uint8_t *sealed, size_t len) MUST_CHECK;
/* item, author, at, dek_generation, sealed; oldest first. */
enum err rights_notes(struct db *db, int64_t customer, int64_t request, struct db_result **out) MUST_CHECK;

struct hold_entry {
	int64_t customer, until_us, at_us;
	const char *scope, *reason, *law, *by;
	bool may_be_told; /* to the person */
};
enum err hold_insert(struct db *db, const struct hold_entry *h, int64_t *hold) MUST_CHECK;
/* hold, customer_id, scope, reason, law, until, proposed_by, proposed_at, confirmed_by, released_by, may_be_told, newest first, those below before; hold 0: all. */
enum err hold_list(struct db *db, int64_t before, int64_t hold, int32_t most, struct db_result **out) MUST_CHECK;
/* Locks the customer's requests of a kind that have not ended, so that none changes its state before this transaction ends;
 * is one in that state? */
enum err rights_lock_open(struct db *db, int64_t customer, int32_t kind, int32_t state, bool *found) MUST_CHECK;
enum err hold_confirm(struct db *db, int64_t hold, const char *by, int64_t at_us) MUST_CHECK;
enum err hold_release(struct db *db, int64_t hold, const char *by, int64_t at_us) MUST_CHECK;
/* Those that may be told to the person, once confirmed, also after their end, oldest first: scope, reason, law, confirmed_at, until, released_at. */
enum err holds_to_tell(struct db *db, int64_t customer, struct db_result **out) MUST_CHECK;
/* scope of each hold that counts now. */
enum err holds_in_force(struct db *db, int64_t customer, int64_t now_us, struct db_result **out) MUST_CHECK;

/* Everything of the customer but what the log and the list of erasures hold. */
enum err erase_customer(struct db *db, int64_t customer, const char *keep_requests_reason) MUST_CHECK;
struct erasure_entry {
	int64_t position, request, at_us;
	const uint8_t *customer_mac, *hash; /* 32 bytes */
	uint32_t key_epoch; /* of the key that was deleted; 0: not known */
};
enum err erasure_insert(struct db *db, const struct erasure_entry *e) MUST_CHECK;
/* The highest position and its hash (empty: none). */
enum err erasure_last(struct db *db, int64_t *position, uint8_t hash[static 32]) MUST_CHECK;
/* position, at, hash, request of the customer; no row: not erased. */
enum err erasure_of(struct db *db, const uint8_t mac[static 32], struct db_result **out) MUST_CHECK;
/* The same by request, and its recipients. */
enum err erasure_by_request(struct db *db, int64_t request, struct db_result **out) MUST_CHECK;

#endif
