/* follow.h: clients that follow the audit log: wakes them when a segment is
 * committed here, and every half second for those of other nodes. */
#ifndef APP_FOLLOW_H
#define APP_FOLLOW_H

#include "vault/app/req_int.h"

struct follow;
struct follower;

enum err follow_new(struct app *app, struct follow **out) MUST_CHECK;
void follow_free(struct follow *f); /* NULL is allowed */
/* A segment was committed; any thread. */
void follow_notify(struct follow *f);
/* Ends every stream: at stop. */
void follow_stop(struct follow *f);
void follow_end(struct follower *w); /* NULL is allowed */

#endif
