/* handshake.h: refused TLS handshakes in the audit log: counted, and one record
 * a reason every ten seconds. The first of a quiet time is recorded at once. */
#ifndef APP_HANDSHAKE_H
#define APP_HANDSHAKE_H

#include "vault/app/app_int.h"

struct handshakes;

enum err handshakes_new(struct app *app, struct handshakes **out) MUST_CHECK;
/* reason: a word of include/http/server.h; another one counts as "other". Any thread. */
void handshakes_count(struct handshakes *h, const char *reason);
/* Publishes what is counted and takes no more; before the queue closes. NULL is allowed. */
void handshakes_stop(struct handshakes *h);
/* When the executors have ended. NULL is allowed. */
void handshakes_free(struct handshakes *h);

#endif
