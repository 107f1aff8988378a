/* watch_int.h: what the watcher knows; shared by watch.c, watch_state.c and the files of the scrub. The worker's thread. */
#ifndef APP_WATCH_INT_H
#define APP_WATCH_INT_H

#include "vault/app/budget.h"
#include "vault/app/log_walk.h"
#include "vault/app/slice.h"
#include "vault/app/watch.h"

#define OVER_MAX 16

struct watch {
	struct app *app;
	struct mac *mac;
	struct sealer *sealer;
	struct budget *budget;
	struct log_walk walk;
	struct slice_sum sums[SLICES]; /* as the log has them */
	bool loaded;
	int64_t saved_us; /* monotonic */
	bool news;        /* since it was saved */
	char hour[16];    /* "2026-01-31T12": records of another one are not counted */
	char *over[OVER_MAX]; /* identities to be frozen */
	size_t n_over;
	struct buf alarms; /* messages of alarms that webhooks have not been told of: length 4 and JSON each */
	int64_t lag_us;  /* when the sealer was looked at; monotonic */
	bool lags;
	int64_t next_us; /* when the scrub's next lot of slices is due; monotonic */
};

/* Reads to the end of what db shows. */
enum err watch_read(struct watch *w, struct db *db) MUST_CHECK;
/* Forgets all that was read: it begins with what was saved. */
void watch_forget(struct watch *w);

/* watch_state.c */
enum err watch_state_write(struct watch *w, struct buf *out) MUST_CHECK;
/* ERR_SEAL: not what was written; w is as if nothing was read. */
enum err watch_state_read(struct watch *w, const uint8_t *bytes, size_t len) MUST_CHECK;

/* ---- scrub ---- */

#define SCRUB_SLICES_MAX 256 /* that are held against the log in one transaction */

/* scrub_rows.c: rows of the slices [first, first + n), as the database shows them now. */
struct scrub_rows {
	/* One that opened (sref; its slice is its id's), or that did not (sref NULL). */
	enum err (*row)(void *ctx, uint32_t slice, const uint8_t *sref, uint32_t version, const uint8_t sha256[static 32]);
	/* A large value that the row names is not there, or is another version's. */
	enum err (*no_large)(void *ctx, uint32_t slice, const uint8_t *sref);
	void *ctx;
	int64_t customers;
};
enum err scrub_rows_read(struct watch *w, struct db *db, uint32_t first, uint32_t n, struct scrub_rows *out) MUST_CHECK;

/* scrub_name.c: names what is wrong in those of [first, first + n) that are marked, raises the alarms, keeps the findings. */
enum err scrub_name(struct watch *w, struct db *db, uint32_t first, uint32_t n, const bool *marked) MUST_CHECK;

#endif
