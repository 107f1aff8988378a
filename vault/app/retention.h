/* retention.h: erases what has been kept for as long as its declaration says, in the background.
 *
 * Retention counts for a field's value from when it was sealed (a list: as a whole), for a record from when it was stored, for
 * consents and bases of a purpose from when neither stood any more. What is held, or belongs to a customer with a
 * restriction, stays until that ends. */
#ifndef APP_RETENTION_H
#define APP_RETENTION_H

#include "store/retention.h"
#include "vault/app/worker.h"

/* One that has a retention. */
struct retention_subject {
	enum retention_sort sort;
	uint16_t number;
	int64_t days;
	const char *name; /* borrowed from the snapshot */
};
/* The nth of a configuration; false: there are fewer. */
bool retention_subject(const struct snapshot *s, size_t n, struct retention_subject *out);
/* What is older than this is due. */
int64_t retention_before(const struct retention_subject *subject, int64_t now_us);

/* A task of a worker, half a second apart: a step of a pass, a page of the walk or a lot to erase (VAULT_RETENTION_RATE). A pass
 * begins each hour, and when the configuration has changed. */
enum err retention_sweep(struct app *app, struct worker *w, struct db *db, bool *more) MUST_CHECK;

#endif
