/* executor.h: threads with a database connection each, which take everything
 * that gathered in a queue during their last batch and run it as one batch.
 *
 * No timer gathers a batch: an idle executor starts at once. A job is owned by
 * whoever publishes it, except from queue_publish until its done() is called.
 * The executor knows nothing of requests: what a batch does stands in struct
 * executor_ops, and each job carries its own done().
 *
 *   QUEUED -> RUNNING -> done(ERR_OK)         the commit is known
 *      ^         |-----> QUEUED               run() set again (it must wait for the next batch;
 *      |         |                            after three times it gets one of its own)
 *      |         |-----> RUNNING, alone       the batch failed on data: one job at a time
 *      |         |-----> IN_DOUBT             the connection was lost after COMMIT was sent
 *      |---------|                            reconnect says: not committed (four times at most)
 *   any -> done(error)                        deadline, stop, or a failure of its own
 */
#ifndef DB_EXECUTOR_H
#define DB_EXECUTOR_H

#include "db/connection.h"

struct executor_job {
	struct executor_job *next;
	int64_t queued_us; /* monotonic; set by queue_publish */
	uint32_t weight;   /* customers it touches, at least 1 */
	bool solo;         /* runs in a batch of its own */
	bool again;        /* set by run(): not part of this batch after all */
	uint8_t attempts;  /* batches it was part of */
	uint8_t deferrals; /* how often run() has set again since it was published */
	/* Called once, on an executor's thread. */
	void (*done)(struct executor_job *job, enum err e);
};

struct queue;
/* limit: jobs that may be reserved at once. ERR_MEMORY. */
enum err queue_new(size_t limit, struct queue **out) MUST_CHECK;
void queue_free(struct queue *q);
/* Takes a slot; false: full or closed. Reserve, then suspend, then publish. */
bool queue_reserve(struct queue *q);
void queue_unreserve(struct queue *q);
void queue_publish(struct queue *q, struct executor_job *job);
/* No new reservations; executors end when the queue is empty. */
void queue_close(struct queue *q);
size_t queue_depth(struct queue *q);

enum batch_end {
	BATCH_COMMITTED,
	BATCH_FAILED,  /* nothing was committed, for sure */
	BATCH_IN_DOUBT /* the connection was lost between COMMIT and its answer */
};

struct executor_ops {
	const struct db_statement *statements;
	/* On the executor's thread, at its start. ERR_*: the executor never runs. */
	enum err (*start)(void *ctx, unsigned index, void **state);
	void (*stop)(void *state);
	/* After each connect. *committed: whether the batch in doubt was committed
	 * (meaningless when there is none). why gets a line. */
	enum err (*connected)(void *state, struct db *db, bool *committed, struct buf *why);
	/* Runs jobs as one transaction. May be called again with the same jobs. */
	enum batch_end (*run)(void *state, struct db *db, struct executor_job **jobs, size_t n, enum err *e);
};

struct executor;
struct executor_options {
	const char *conninfo; /* borrowed */
	struct queue *queue;  /* borrowed; executors of one kind share one */
	const struct executor_ops *ops;
	void *ctx;
	unsigned index;          /* of this executor in the process */
	uint32_t weight_max;     /* of one batch (a single heavier job runs alone) */
	int64_t job_timeout_us;  /* a job that waited longer gets ERR_BUSY or ERR_UNAVAILABLE */
	int64_t batch_timeout_us; /* the database must answer within this time */
};
enum err executor_start(const struct executor_options *options, struct executor **out) MUST_CHECK;
/* After queue_close: waits for the end of its thread; frees. */
void executor_join(struct executor *x);
/* true: connected and not in trouble now. */
bool executor_ready(const struct executor *x);
/* Why not, as a line without secrets; copies into room. */
void executor_trouble(struct executor *x, char *room, size_t len);

#endif
