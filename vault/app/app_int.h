/* app_int.h: the app's own parts; seen by the app floor only. */
#ifndef APP_APP_INT_H
#define APP_APP_INT_H

#include "app/app.h"
#include "app/snapshot.h"
#include "crypto/keyring.h"
#include "db/executor.h"

#include <pthread.h>

#define EXECUTORS_MAX 17
#define WORKERS_MAX 12
/* Bodies up to BODY_SMALL are bounded by the number of connections; larger ones share BODY_MEMORY_MAX, so that no caller,
 * whatever its rights, fills the memory of a node with bodies that it does not end. */
#define BODY_SMALL ((size_t)64 << 10)
#define BODY_MEMORY_MAX ((size_t)256 << 20)

/* How far a pass of retention.c is; of the worker that runs it. */
struct retention_pass {
	int64_t revision;      /* of the configuration that it goes by; 0: none yet */
	int64_t walked;        /* customers up to this one have their ages noted; INT64_MAX: all */
	size_t subject;        /* which has its turn */
	int64_t at_us, tie;    /* what was due of it up to here has been looked at */
	int64_t next_us;       /* monotonic: the pass has ended, and then the next begins; 0: it is under way */
};

struct app {
	const struct config *config;
	struct keyring *keyring; /* its keys but for KEKs, for the life of the process */
	struct keyring *epochs;  /* the keyring in force, under snapshot_lock; replaced by a reload */
	char node[65];
	char key_node[80];               /* its name in key_node */
	bool workers_ran;
	_Atomic uint32_t lacks_epoch;    /* active, and not in the keyring; 0: none */
	pthread_mutex_t snapshot_lock;
	struct snapshot *snapshot; /* NULL until the first executor has connected */
	struct queue *single, *bulk;
	struct executor *executors[EXECUTORS_MAX];
	size_t n_executors;
	_Atomic bool draining;
	uint64_t request_seed[2]; /* random; see make_request_id */
	_Atomic uint64_t requests;
	size_t body_memory_max;      /* most that all large bodies in flight may take together */
	_Atomic size_t body_memory;  /* what they take now */
	enum err (*reload)(void *ctx, struct buf *why);
	void *reload_ctx;
	struct follow *follow;
	struct handshakes *handshakes;
	struct audit_seal *seal;
	struct alarms *alarms;
	struct watch *watch;
	struct retention_pass retention;
	struct worker *workers[WORKERS_MAX]; /* by enum background */
};

/* The newest snapshot, taken; NULL: none yet. */
struct snapshot *app_snapshot(struct app *app);
/* The keyring in force, taken (keyring_free). Any thread. */
struct keyring *app_keyring(struct app *app);
/* Publishes s (takes a reference) if it is newer than the one in force. */
void app_publish(struct app *app, struct snapshot *s);

#endif
