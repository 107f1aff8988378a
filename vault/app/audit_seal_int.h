/* audit_seal_int.h: the sealer's own parts: state of the leading node, checks of
 * segments, checkpoints and the file that remembers the last one. */
#ifndef APP_AUDIT_SEAL_INT_H
#define APP_AUDIT_SEAL_INT_H

#include "crypto/tlog.h"
#include "store/audit.h"
#include "store/audit_tree.h"
#include "vault/app/audit_seal.h"

#define SEAL_TILE_LEVELS 8 /* 256^8 entries are past MERKLE_SIZE_MAX */

struct sealed_stream {
	int64_t stream, next_seq; /* all before next_seq is in a tree */
	uint8_t mac[MAC_LEN];     /* of the segment that ends there */
	const char *fault;        /* why it is not sealed further; NULL: it is */
	bool fault_is_new;        /* to be written down */
	int64_t retry_us;         /* a fault is looked at again then (monotonic) */
	int64_t waits_us;         /* time of the oldest record that the fault keeps out; 0: unknown */
	bool unheld;              /* nobody held it when last looked */
	bool ended;               /* taken from its writers: what is there is all */
	bool asked, drained;      /* in this lot: it was asked for; nothing was left */
};

/* What the leading node knows. All of it is read anew after any error: the database decides. */
struct audit_seal {
	struct app *app;
	pthread_mutex_t lock; /* of trouble */
	char trouble[256];
	uint64_t term; /* of leadership, under which the rest was read; 0: not yet */
	bool refused;  /* what is signed and what is stored do not agree */
	struct mac *mac;
	struct hash *hash;
	uint8_t public_key[SIGN_PUBLIC_LEN];
	struct note_key key; /* of the log in use */
	struct audit_log_row log;
	struct merkle_range range;
	uint8_t edge[SEAL_TILE_LEVELS][MERKLE_TILE_LEN];
	unsigned edge_n[SEAL_TILE_LEVELS];
	bool edge_dirty[SEAL_TILE_LEVELS];
	struct audit_growth growth;
	struct sealed_stream *streams; /* open ones, ascending */
	size_t n, cap;
	int64_t newest, known; /* highest stream; all up to known have been found: a lower number may commit later */
	int64_t known_us, held_us, load_us; /* when each is due again (monotonic) */
	unsigned failures;     /* in a row */
	int64_t pause_us;      /* until then nothing is tried (monotonic) */
	int64_t behind_us;     /* since then it has not been possible to seal; 0: it is */
	int64_t oldest_us;     /* time of the oldest record since the last signature; INT64_MAX: none */
};

/* ---- audit_seal_lot.c: from segments to one growth of the tree ---- */

/* The open stream of that number; NULL: none. */
struct sealed_stream *audit_seal_stream(struct audit_seal *s, int64_t stream);
/* Adds one unless it is there. mac NULL: zeros. */
enum err audit_seal_add(struct audit_seal *s, int64_t stream, int64_t next_seq, const uint8_t *mac, const char *fault) MUST_CHECK;
/* Reads the next segments of all streams and appends what is right to the range and the growth, in memory. *records: how many;
 * *more: a stream had as much as is read at once, so there may be more. */
enum err audit_seal_lot(struct audit_seal *s, struct db *db, uint32_t *records, bool *more) MUST_CHECK;
/* Commits the growth of the lot. After an error memory is ahead of the database: read all anew. */
enum err audit_seal_commit(struct audit_seal *s, struct db *db) MUST_CHECK;

/* ---- audit_seal_check.c: one segment ---- */

/* Faults, by name. */
#define SEAL_GAP "gap"     /* a segment is missing in the middle */
#define SEAL_CHANGED "mac" /* a body, number or time was changed, or segments swapped */
#define SEAL_SHAPE "shape" /* lengths do not fit */
#define SEAL_LINK "link"   /* the stream before ended with another MAC than is named here */
#define SEAL_CUT "cut"     /* the end of a stream is missing that a later one names */

/* Checks a row of audit_tree_segments against what its stream has come to. *fault: NULL, or why not. */
enum err audit_seal_check(struct audit_seal *s, const struct sealed_stream *t, const struct db_result *rows, size_t row, const char **fault) MUST_CHECK;
/* The name of a fault as it was stored; NULL: none. */
const char *audit_seal_fault(const char *text);
/* What a stream's first record says of the one before; stream 0: nothing. */
enum err audit_seal_predecessor(const struct db_result *rows, size_t row, struct audit_predecessor *out) MUST_CHECK;

/* ---- audit_seal_sign.c: checkpoints ---- */

/* Compares the log in use with its checkpoint and with the file of the last one signed. ERR_CONFLICT, with a line in
 * why: they do not agree, and nothing may be signed. */
enum err audit_seal_agrees(struct audit_seal *s, struct db *db, const struct buf *checkpoint, struct buf *why) MUST_CHECK;
/* Signs the tree as it is committed: file first, then the database. */
enum err audit_seal_sign(struct audit_seal *s, struct db *db) MUST_CHECK;
/* Opens the file's note: ERR_NOT_FOUND: there is none. ERR_IO, ERR_SEAL, ERR_MALFORMED with a line in why. */
enum err audit_seal_last_signed(const struct config *c, const uint8_t public_key[static SIGN_PUBLIC_LEN], struct checkpoint *out, struct buf *why) MUST_CHECK;

#endif
