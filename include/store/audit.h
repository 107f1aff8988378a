/* audit.h: an executor's audit stream: segments in sequence, chained by HMAC.
 *
 * The batch number of the stream's row is advanced first in each transaction,
 * so a second writer stops, and after a lost connection the row says whether
 * the transaction was committed. The segment itself is inserted last, just
 * before COMMIT. A struct audit_stream belongs to one executor. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "crypto/mac.h"
#include "db/connection.h"

struct audit_stream {
	int64_t stream;     /* 0: none is open */
	int64_t next_batch; /* as in the database before the batch under way */
	int64_t next_seq;   /* of the next record; the first has 1 */
	int64_t last_at_us; /* time of the last record: times never go back */
	uint8_t last_mac[MAC_LEN];
};

/* Where the node's executor's previous stream ended; stream 0: there was none. */
struct audit_predecessor {
	int64_t stream, last_seq;
	uint8_t mac[MAC_LEN];
};

/* Opens a new stream (its own transaction). */
enum err audit_stream_open(struct db *db, const char *node, unsigned executor, struct audit_stream *s,
                           struct audit_predecessor *before) MUST_CHECK;
/* After a reconnect: waits for the old transaction's end and reads the row.
 * *moved: 0 the batch in doubt was not committed, 1 it was, -1 another writer has the stream.
 * *ended: the sealer took the stream away, as nobody held it; it makes next_batch negative. */
enum err audit_stream_look(struct db *db, const struct audit_stream *s, int *moved, bool *ended) MUST_CHECK;

/* One segment: records as two bytes of length and a body, back to back. */
struct audit_segment {
	struct buf bodies;
	struct db_array keys; /* search keys, each once */
	uint32_t count;
	int64_t first_at_us, last_at_us;
	uint8_t mac[MAC_LEN];
};
void audit_segment_init(struct audit_segment *g);
void audit_segment_reset(struct audit_segment *g);
void audit_segment_fini(struct audit_segment *g);
/* Adds a search key unless the segment has it. */
void audit_segment_key(struct audit_segment *g, int64_t key);

/* Queues the first statement of a batch: takes the stream and, shared, the barrier. */
void audit_send_advance(const struct audit_stream *s, struct db *db);
/* ERR_STREAM_LOST: another writer was here. */
enum err audit_receive_advance(struct db *db) MUST_CHECK;
/* Computes the MAC and queues the segment's insert (nothing for an empty one). */
enum err audit_send_segment(const struct audit_stream *s, struct audit_segment *g, struct mac *mac, struct db *db) MUST_CHECK;
/* After the commit is known: moves the stream on. */
void audit_stream_committed(struct audit_stream *s, const struct audit_segment *g);

/* A stream of one record, without an executor and ended from the start: its row, and then its segment. In the caller's transaction. */
enum err audit_stream_single(struct db *db, const char *node, int64_t *stream) MUST_CHECK;
enum err audit_segment_single(struct db *db, struct mac *mac, int64_t stream, int64_t at_us, const struct buf *bodies) MUST_CHECK;

/* What the MAC covers; also for verifiers. */
enum err audit_segment_mac(struct mac *mac, int64_t stream, int64_t first_seq, uint32_t count, int64_t first_at_us,
                           int64_t last_at_us, const void *bodies, size_t bodies_len, const uint8_t previous[static MAC_LEN],
                           uint8_t out[static MAC_LEN]) MUST_CHECK;

/* The search key of a value: FNV-1a over kind and value. Keys only narrow a
 * search; the filter reads the record. Kinds: 's' sref, 'a' actor, 'o' operation
 * (activity), 'u' outcome, 'p' purpose, 'f' actor of a failure. */
int64_t audit_key(char kind, const void *value, size_t len);

#endif
