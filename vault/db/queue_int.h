/* queue_int.h: what executors, and only they, do with a queue. */
#ifndef DB_QUEUE_INT_H
#define DB_QUEUE_INT_H

#include "db/executor.h"

#include <pthread.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct executor_job *head, **tail;
	size_t depth;    /* jobs that wait */
	size_t reserved; /* slots taken: waiting, running, or about to be published */
	size_t limit;
	bool closed;
};

/* Waits until there is a job, the queue is closed, or until_us (monotonic).
 * Returns the number of jobs taken; *closed: closed and empty. */
size_t queue_take(struct queue *q, uint32_t weight_max, int64_t until_us, struct executor_job **jobs, size_t room,
                  bool *closed);
/* Puts a chain of n jobs back, ahead of all others. */
void queue_push_front(struct queue *q, struct executor_job *first, struct executor_job *last, size_t n);
/* Takes the jobs at the front that were queued before than_us (monotonic), as a chain. */
struct executor_job *queue_take_older(struct queue *q, int64_t than_us);
bool queue_closed(struct queue *q);

#endif
