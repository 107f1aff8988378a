/* key_worker.h: what a node does about key epochs of its own accord. */
#ifndef APP_KEY_WORKER_H
#define APP_KEY_WORKER_H

#include "vault/app/worker.h"

/* Does the keyring in force hold this very KEK? Remembers for app_ready that it lacks it. Any thread. */
bool key_held(struct app *app, uint32_t epoch, uint64_t check);
/* Is the database's active epoch behind the keyring's? So where none is recorded (0), and after a restore from before a
 * rotation: a keyring has an epoch active only once the database had. */
bool key_ahead(struct app *app, uint32_t active);
/* Puts the keyring's active epoch in force in the place of `active`; outside a transaction. */
enum err key_adopt(struct app *app, struct db *db, uint32_t active) MUST_CHECK;

/* Tasks. key_report, on every node: that it lives, and which epochs it holds; looks whether it lacks the active one. */
enum err key_report(struct app *app, struct worker *w, struct db *db, bool *more);
/* On one node: wraps keys that are under another epoch anew under the active one, VAULT_KEY_REWRAP_RATE a second. */
enum err key_rewrap(struct app *app, struct worker *w, struct db *db, bool *more);
/* At stop: this node is not waited for any more. */
void key_leave(struct app *app);

#endif
