/* audit_seal.h: the sealer: on one node at a time, it checks what the executors have
 * committed to the audit log, appends it to the Merkle tree, and signs the tree's
 * size and root: a checkpoint. vault/ARCHITECTURE.md tells how. */
#ifndef APP_AUDIT_SEAL_H
#define APP_AUDIT_SEAL_H

#include "vault/app/worker.h"

struct audit_seal;

enum err audit_seal_new(struct app *app, struct audit_seal **out) MUST_CHECK;
void audit_seal_free(struct audit_seal *s); /* NULL is allowed */
/* The task of its worker, whose connection has audit_tree_statements. */
enum err audit_seal_run(struct app *app, struct worker *w, struct db *db, bool *more);
/* Why this node does not sign, where it should: one line. false: nothing is wrong. Any thread. */
bool audit_seal_trouble(struct audit_seal *s, char room[static 256]);

#endif
