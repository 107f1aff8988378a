/* audit_tree.h: the audit log's Merkle tree in the database: logs, how far each
 * stream is in the tree, spans (which entries are which records), tiles, and the
 * newest checkpoint. Only the sealer writes; see vault/ARCHITECTURE.md. */
#ifndef STORE_AUDIT_TREE_H
#define STORE_AUDIT_TREE_H

#include "crypto/mac.h"
#include "crypto/merkle.h"
#include "crypto/note.h"
#include "db/connection.h"

struct audit_log_row {
	int32_t log; /* 0: none */
	char origin[NOTE_NAME_MAX + 1];
	int64_t first_stream, size, checkpoint_size; /* checkpoint_size -1: none signed */
	bool ended;
};

/* The log in use, or the one of that number (0: in use); log 0 where there is none. checkpoint gets
 * the newest note; NULL: not wanted. */
enum err audit_log_get(struct db *db, int32_t log, struct audit_log_row *out, struct buf *checkpoint) MUST_CHECK;
/* The log of that origin; log 0: none. */
enum err audit_log_by_origin(struct db *db, const char *origin, struct audit_log_row *out) MUST_CHECK;
/* Opens the first log, unless there is one. */
enum err audit_log_first(struct db *db, const char *origin) MUST_CHECK;
/* Ends the log in use and opens another, in a transaction of the caller's. first_stream holds the record
 * that opens it. An origin that was used before breaks the transaction: look first. */
enum err audit_log_next(struct db *db, const char *origin, int64_t first_stream) MUST_CHECK;
/* Keeps a checkpoint unless a larger one is there. */
enum err audit_log_signed(struct db *db, int32_t log, int64_t size, const char *note, size_t note_len) MUST_CHECK;

#define AUDIT_LOT_SEGMENTS 1024
#define AUDIT_LOT_RECORDS 8192
/* Statements of the sealer's connection. */
extern const struct db_statement audit_tree_statements[];

/* Segments that follow each stream's seq, in the order of streams, at most so many and of so many records a stream
 * (one at least):
 * stream, first_seq, count, first_at, last_at, mac, bodies. Needs audit_tree_statements. */
enum err audit_tree_segments(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out) MUST_CHECK;
/* stream, next_seq, mac, fault of those that are not closed, ascending. */
enum err audit_tree_open_streams(struct db *db, struct db_result **out) MUST_CHECK;
/* Streams above after that have no position yet, ascending: stream. */
enum err audit_tree_new_streams(struct db *db, int64_t after, struct db_result **out) MUST_CHECK;
/* next_seq, mac, closed of one stream; no row where it has none. */
enum err audit_tree_position(struct db *db, int64_t stream, struct db_result **out) MUST_CHECK;
/* Those of the streams that no executor's session holds: stream. */
enum err audit_tree_unheld(struct db *db, struct db_array *streams, struct db_result **out) MUST_CHECK;
/* Takes those of the streams that no session holds away from their writers for good: stream. */
enum err audit_tree_end_streams(struct db *db, struct db_array *streams, struct db_result **out) MUST_CHECK;
/* Writes where a stream stands, outside a growth: closed, or stopped by a fault ("": none). */
enum err audit_tree_stand(struct db *db, int64_t stream, int64_t next_seq, const uint8_t mac[static MAC_LEN], bool closed,
                          const char *fault) MUST_CHECK;
/* Number of streams that a fault has stopped. */
enum err audit_tree_faults(struct db *db, int64_t *n) MUST_CHECK;

/* One growth of the tree: all of it or nothing. */
struct audit_growth {
	int32_t log;
	int64_t old_size, new_size;
	struct db_array span_index, span_stream, span_seq, span_count;
	struct db_array position_stream, position_seq, position_mac;
	struct db_array tile_level, tile_index, tile_hashes;
	struct db_array edge_level, edge_hashes;
};
void audit_growth_init(struct audit_growth *g);
void audit_growth_reset(struct audit_growth *g);
void audit_growth_fini(struct audit_growth *g);
/* One transaction and round trip. Where the log's size is not old_size any more, or it has ended,
 * the transaction fails as a whole. Errors of db; after a lost connection the outcome is unknown: read the size. */
enum err audit_growth_commit(struct audit_growth *g, struct db *db) MUST_CHECK;

/* The first width hashes of a tile. ERR_NOT_FOUND: the tree has not got that far. One row is read for
 * a full tile, two for one at the edge. */
enum err audit_tree_tile(struct db *db, int32_t log, unsigned level, uint64_t tile, unsigned width,
                         uint8_t hashes[static MERKLE_TILE_LEN]) MUST_CHECK;
/* merkle_tiles over a log: arg is a struct audit_tree_source. */
struct audit_tree_source {
	struct db *db;
	int32_t log;
};
enum err audit_tree_read(void *source, unsigned level, uint64_t tile, unsigned width, uint8_t hashes[static MERKLE_TILE_LEN]) MUST_CHECK;
/* Entries first to first + n - 1 as a bundle: two bytes of length and the record, back to back. n at most 256.
 * ERR_NOT_FOUND: not all are in the tree; ERR_SEAL: a segment is not what the span says. */
enum err audit_tree_entries(struct db *db, int32_t log, int64_t first, unsigned n, struct buf *out) MUST_CHECK;
/* Where a record stands. ERR_NOT_FOUND: in no tree (yet). */
enum err audit_tree_find(struct db *db, int64_t stream, int64_t seq, int32_t *log, int64_t *index) MUST_CHECK;

#endif
