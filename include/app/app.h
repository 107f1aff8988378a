/* app.h: the vault as a whole: keyring, configuration snapshot, queues and
 * executors, wired together. One a process. */
#ifndef APP_APP_H
#define APP_APP_H

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"

struct app;

/* Is what stands under this key of any use: connection strings, keyring and root key, folder of the ledger, holidays,
 * country; ERR_OK for other keys. Reads files only. why gets one line, without a newline and without a secret.
 * Needs secret_start. */
enum err app_check(const struct config *c, enum config_key key, struct buf *why) MUST_CHECK;

/* Opens the keyring and starts the executors; does not wait for the database.
 * config is borrowed. why gets a line. */
enum err app_start(const struct config *config, struct app **out, struct buf *why) MUST_CHECK;
/* No more requests: finishes what is queued, joins the executors, frees. */
void app_stop(struct app *app);
/* Ready to serve? Else appends {"component":"reason",...}. Any thread. */
bool app_ready(struct app *app, struct buf *json);
/* New requests get ERR_STOPPING from now on; streams end. Any thread. */
void app_drain(struct app *app);
/* Reads keyring and root key anew; one that does not follow the one in force is refused, and that stays. Requests go on.
 * Any thread. */
enum err app_reload_keyring(struct app *app, struct buf *why) MUST_CHECK;
/* Reloads certificates, deny list and keyring; set by main. NULL where there is none. */
void app_set_reload(struct app *app, enum err (*reload)(void *ctx, struct buf *why), void *ctx);
/* A refused handshake, to be counted into one audit record per 10 s. Any thread. */
void app_handshake_failed(struct app *app, const char *reason);

/* A request refused by the deny list; counted likewise, and logged. Any thread. */
void app_denied(struct app *app, const char *identity);

#endif
