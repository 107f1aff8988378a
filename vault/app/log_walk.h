/* log_walk.h: reads every segment of the audit log once, each stream in its order, from where it stood; checks
 * that no number is missing, and the MAC of what speaks of a customer's row. One thread. */
#ifndef APP_LOG_WALK_H
#define APP_LOG_WALK_H

#include "crypto/mac.h"
#include "db/connection.h"

struct log_position {
	int64_t stream;
	int64_t next_batch; /* as it was: the same means that nothing came */
	int64_t next_seq;
	uint8_t mac[MAC_LEN]; /* of the segment before */
};

/* What was found broken. */
enum log_break { LOG_GAP, LOG_CHANGED };

struct log_walk {
	struct log_position *list; /* ascending by stream */
	size_t n;
	struct mac *mac; /* borrowed; under KEYRING_AUDIT_MAC */
	/* of_row: the record says what became of a row (members row_sha256, row_before_sha256); of an authentic segment. */
	enum err (*record)(void *ctx, const char *record, size_t len, bool of_row);
	void (*broken)(void *ctx, int64_t stream, int64_t seq, enum log_break what);
	void *ctx;
};

/* One lot. *more: call again. An error leaves the walk where it was before the lot only if record() undoes what it
 * did: callers drop their state and start over. */
enum err log_walk_lot(struct log_walk *w, struct db *db, bool *more) MUST_CHECK;
void log_walk_fini(struct log_walk *w);

/* ---- members of a record, which is canonical JSON of the vault's own writing ---- */

/* Where the value of a string member begins and how long it is; NULL: no such member. Escapes stay. */
const char *record_text(const char *record, size_t len, const char *member, size_t *text_len);
/* A string member of exactly 2 * n hex digits. */
bool record_hex(const char *record, size_t len, const char *member, uint8_t *out, size_t n);
/* Exactly 2 * n hex digits; text may be NULL. */
bool record_bytes(const char *text, size_t text_len, uint8_t *out, size_t n);
/* A number; -1: no such member. */
int64_t record_int(const char *record, size_t len, const char *member);
/* The next string member of this name behind *at, which moves behind its value: members are sorted by name, so one pass
 * finds several. name: ,"member":" */
const char *record_next(const char **at, const char *end, const char *name, size_t *text_len);
/* A string member with this value? It must need no escape. */
bool record_is(const char *record, size_t len, const char *member, const char *text);

#endif
