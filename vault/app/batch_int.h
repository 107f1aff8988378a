/* batch_int.h: between batch.c (one batch) and batch_life.c (between batches). */
#ifndef APP_BATCH_INT_H
#define APP_BATCH_INT_H

#include "vault/app/batch.h"

/* Drops and wipes what was opened. */
void batch_forget_customers(struct batch *b);
/* Empties all that a batch collects. */
void batch_clear(struct batch *b);
/* The commit is known: counts it, moves the stream on, wakes followers. */
void batch_note_committed(struct batch *b);
/* Loads the configuration in force, outside a transaction, and publishes it. */
enum err batch_adopt_snapshot(struct batch *b, struct db *db, struct buf *why) MUST_CHECK;
/* executor_ops.run */
enum batch_end batch_run(void *state, struct db *db, struct executor_job **jobs, size_t n, enum err *e);

#endif
