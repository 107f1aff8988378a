/* follow.h: clients that follow the audit log: records go to each as they are
 * committed, here at once, on other nodes within half a second.
 *
 * One thread a process reads the segments, from its own database connection,
 * by a position in each stream: so a late commit is not skipped. It has a
 * connection only while somebody follows. */
#ifndef APP_FOLLOW_H
#define APP_FOLLOW_H

#include "vault/app/audit_filter.h"
#include "vault/app/req_int.h"

struct follow;
struct follower;

enum err follow_new(struct app *app, struct follow **out) MUST_CHECK;
/* After follow_stop, and when no request is left. NULL is allowed. */
void follow_free(struct follow *f);
/* A segment was committed; any thread. */
void follow_notify(struct follow *f);
/* Ends every stream and the thread: at stop. NULL is allowed. */
void follow_stop(struct follow *f);

/* On an executor, in the batch that records the start: makes r->stream, which gets every
 * record that matches and is committed from now on. db: to look where the streams end.
 * The filter's texts must live as long as r. ERR_BUSY: too many followers. */
enum err follow_begin(struct req *r, struct db *db, const struct audit_filter *filter) MUST_CHECK;
void follow_end(struct follower *w); /* NULL is allowed */

#endif
