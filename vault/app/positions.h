/* positions.h: how far each stream of the audit log has been read. */
#ifndef APP_POSITIONS_H
#define APP_POSITIONS_H

#include "db/connection.h"

struct position {
	int64_t stream, next_seq;
	int64_t next_batch; /* as it was when all up to next_seq had been read; LOOK_AGAIN: more is there */
	unsigned segments;  /* read in this look */
};
#define LOOK_AGAIN INT64_MIN

struct positions {
	struct position *list; /* ascending by stream */
	size_t n;
};

/* Where all streams end now. */
enum err positions_load(struct db *db, struct positions *out) MUST_CHECK;
/* NULL: no such stream. */
struct position *positions_find(const struct positions *p, int64_t stream);
/* rows of audit_query_streams: next gets each stream at the place where old has it, a new one
 * at its beginning; streams and seqs get those that have moved. */
enum err positions_merge(const struct positions *old, const struct db_result *rows, struct db_array *streams, struct db_array *seqs,
                         struct positions *next) MUST_CHECK;

#endif
