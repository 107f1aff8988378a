/* outbox.h: messages to others, and the webhooks that take them.
 *
 * Whoever has something to tell calls outbox_add in the transaction in which it
 * becomes true: then it is told once that has committed, and never otherwise. A
 * worker (app/outbox.c) signs and sends it, at least once, until it is taken or
 * has failed too often. Plain queries, in the transaction of a solo batch or on
 * a worker's connection. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "db/connection.h"

/*    name in the database and on the wire, does it concern one recipient? */
#define OUTBOX_KINDS(X)                                                                                                \
	X("erasure", true)        /* data that the recipient received was erased */                                   \
	X("rectification", true)  /* ... was corrected */                                                              \
	X("alarm", false)         /* something that security should look at */

/* Adds one message for each webhook that takes this kind; where recipient is not NULL (a SPIFFE ID), only for
 * those of this recipient. request: the rights request that it is about; 0: none. data: a JSON object, which
 * must hold nothing personal: it leaves the vault. *n (may be NULL): how many were added; 0 is no error. */
enum err outbox_add(struct db *db, const char *kind, const char *recipient, int64_t request, const struct buf *data, int64_t *n) MUST_CHECK;

enum outbox_state { OUTBOX_WAITING, OUTBOX_SENT, OUTBOX_DEAD };

/* Those that are due, at most most, at most 4 a webhook, oldest first. url: empty where the webhook is gone. */
enum outbox_column { OUTBOX_NUMBER, OUTBOX_MESSAGE, OUTBOX_KIND, OUTBOX_WEBHOOK, OUTBOX_URL, OUTBOX_DATA, OUTBOX_CREATED_AT, OUTBOX_TRIES };
enum err outbox_due(struct db *db, int32_t most, struct db_result **out) MUST_CHECK;
/* A failed try: the next one after delay_us. */
enum err outbox_delay(struct db *db, int64_t number, const char *trouble, int64_t delay_us) MUST_CHECK;
/* The last try of a message that still waits. *found false: another has ended it. */
enum err outbox_end(struct db *db, int64_t number, enum outbox_state state, const char *trouble, bool *found) MUST_CHECK;
/* Dead messages of a webhook wait again, with all their tries; how many. */
enum err outbox_revive(struct db *db, const char *webhook, int64_t *n) MUST_CHECK;
/* Deletes what ended more than days ago. */
enum err outbox_sweep(struct db *db, int32_t days) MUST_CHECK;
enum err outbox_counts(struct db *db, int64_t *waiting, int64_t *dead) MUST_CHECK;
/* recipient, state of each message about a rights request: 0 waiting, 1 sent, 2 dead. */
enum err outbox_of_request(struct db *db, int64_t request, struct db_result **out) MUST_CHECK;

/* ---- webhooks ---- */

struct webhook_entry {
	const char *name, *url, *recipient, *by; /* url "": removed; recipient "": none */
	struct db_array *kinds;                  /* of DB_TEXT */
	int64_t at_us;
};
/* Appends a version; its number. */
enum err webhook_add(struct db *db, const struct webhook_entry *w, int32_t *version) MUST_CHECK;
/* Newest versions, by name; name NULL: of all that are not removed. kinds: a JSON array as text; messages that wait and that are dead. */
enum webhook_column { WEBHOOK_NAME, WEBHOOK_VERSION, WEBHOOK_URL, WEBHOOK_RECIPIENT, WEBHOOK_KINDS, WEBHOOK_CHANGED_AT, WEBHOOK_CHANGED_BY, WEBHOOK_WAITING, WEBHOOK_DEAD };
enum err webhook_list(struct db *db, const char *name, struct db_result **out) MUST_CHECK;

#endif
