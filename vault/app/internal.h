/* internal.h: what the vault does of its own accord, as requests like any other:
 * through a queue, in a batch, audited, under the same guarantees. No path leads
 * to such a route and policy is not asked: the code that calls has decided. */
#ifndef APP_INTERNAL_H
#define APP_INTERNAL_H

#include "vault/app/req_int.h"

/* Runs a route of the caller's own (flag ROUTE_INTERNAL; method and pattern "",
 * no plan; want, decide and reply as usual) and waits for its end. plan becomes
 * r->plan; a batch may run the steps more than once, so they must not add to it.
 * The audit record's actor is "vault:NODE". purpose: by name; NULL: none.
 * Never on an executor's or an I/O thread. ERR_STOPPING, ERR_BUSY, or what the
 * operation said. */
enum err internal_run(struct app *app, const struct route *route, void *plan, const char *purpose) MUST_CHECK;

#endif
