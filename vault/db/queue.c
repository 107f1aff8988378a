/* queue.c: the bounded queue between connections and executors. */
#include "vault/db/queue_int.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <stdlib.h>

enum err queue_new(size_t limit, struct queue **out)
{
	struct queue *q = calloc(1, sizeof *q);
	pthread_condattr_t attr;

	*out = NULL;
	if (!q)
		return ERR_MEMORY;
	q->limit = limit;
	q->tail = &q->head;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->filled, &attr);
	pthread_condattr_destroy(&attr);
	*out = q;
	return ERR_OK;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->filled);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

bool queue_reserve(struct queue *q)
{
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = !q->closed && q->reserved < q->limit;
	if (ok)
		q->reserved++;
	pthread_mutex_unlock(&q->lock);
	if (!ok)
		metric_add(METRIC_QUEUE_REFUSED, 1);
	return ok;
}

void queue_unreserve(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->reserved--;
	pthread_mutex_unlock(&q->lock);
}

void queue_publish(struct queue *q, struct executor_job *job)
{
	job->next = NULL;
	job->again = false;
	job->attempts = 0;
	job->deferrals = 0;
	job->queued_us = clock_mono_us();
	pthread_mutex_lock(&q->lock);
	*q->tail = job;
	q->tail = &job->next;
	q->depth++;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
	metric_add(METRIC_QUEUE_DEPTH, 1);
}

void queue_push_front(struct queue *q, struct executor_job *first, struct executor_job *last, size_t n)
{
	pthread_mutex_lock(&q->lock);
	last->next = q->head;
	if (!q->head)
		q->tail = &last->next;
	q->head = first;
	q->depth += n;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
	metric_add(METRIC_QUEUE_DEPTH, (int64_t)n);
}

/* The jobs at the front that make one batch: up to weight_max, or one solo or heavy job alone. */
static size_t cut_batch(struct queue *q, uint32_t weight_max, struct executor_job **jobs, size_t room)
{
	size_t n = 0;
	uint64_t weight = 0;

	while (q->head && n < room) {
		struct executor_job *job = q->head;

		if (n > 0 && (job->solo || weight + job->weight > weight_max))
			break;
		q->head = job->next;
		job->next = NULL;
		jobs[n++] = job;
		weight += job->weight;
		if (job->solo)
			break;
	}
	if (!q->head)
		q->tail = &q->head;
	q->depth -= n;
	return n;
}

size_t queue_take(struct queue *q, uint32_t weight_max, int64_t until_us, struct executor_job **jobs, size_t room, bool *closed)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	while (!q->head && !q->closed) {
		const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

		if (until_us == INT64_MAX)
			pthread_cond_wait(&q->filled, &q->lock);
		else if (pthread_cond_timedwait(&q->filled, &q->lock, &until))
			break;
	}
	n = cut_batch(q, weight_max, jobs, room);
	*closed = q->closed && !q->head && n == 0;
	pthread_mutex_unlock(&q->lock);
	metric_add(METRIC_QUEUE_DEPTH, -(int64_t)n);
	return n;
}

struct executor_job *queue_take_older(struct queue *q, int64_t than_us)
{
	struct executor_job *first = NULL, **last = &first;
	int64_t n = 0;

	pthread_mutex_lock(&q->lock);
	while (q->head && q->head->queued_us < than_us) {
		*last = q->head;
		last = &q->head->next;
		q->head = q->head->next;
		n++;
	}
	*last = NULL;
	if (!q->head)
		q->tail = &q->head;
	q->depth -= (size_t)n;
	pthread_mutex_unlock(&q->lock);
	metric_add(METRIC_QUEUE_DEPTH, -n);
	return first;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

bool queue_closed(struct queue *q)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}

size_t queue_depth(struct queue *q)
{
	size_t depth;

	pthread_mutex_lock(&q->lock);
	depth = q->depth;
	pthread_mutex_unlock(&q->lock);
	return depth;
}
