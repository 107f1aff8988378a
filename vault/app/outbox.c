/* outbox.c: a round: what is due is signed and sent at once; each that was taken is ended, each that failed
 * waits twice as long as before, or is given up. A crash between sending and ending sends again: receivers tell
 * repeats by the id. */
#include "vault/app/outbox.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "crypto/secret.h"
#include "crypto/sign.h"
#include "post/post.h"
#include "store/outbox.h"
#include "vault/app/audit_record.h"
#include "vault/app/internal.h"

#include <stdio.h>
#include <string.h>

#define ROUND_MAX 16
#define DELAY_MAX_US ((int64_t)6 * 3600 * 1000000)

/* ---- the end of a message, recorded ---- */

struct ending {
	int64_t number;
	enum outbox_state state;
	const char *kind, *webhook, *trouble;
};

static enum step end_decide(struct req *r, struct batch *b)
{
	const struct ending *x = r->plan;
	char object[200];
	const struct audit_entry entry = {.activity = "notify", .object = object, .code = x->state == OUTBOX_SENT ? ERR_OK : ERR_UNDELIVERED, .state = -1};
	bool found = false;

	snprintf(object, sizeof object, "%s:%s", x->kind, x->webhook);
	r->err = outbox_end(b->db, x->number, x->state, x->trouble, &found);
	if (!r->err && found)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route end_route = {.method = "", .pattern = "", .operation = "outbox.end", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                       .decide = end_decide};

/* ---- a round ---- */

struct letter {
	char id[48], header_id[64], header_time[48], header_signature[128];
	struct buf body;
};

static enum err sign_letter(const struct app *app, struct letter *l)
{
	char value[SIGN_BASE64_LEN + 1];
	struct buf text;
	enum err e;

	buf_init(&text, 0);
	buf_printf(&text, "%s.%lld.", l->id, (long long)(clock_now_us() / 1000000));
	snprintf(l->header_time, sizeof l->header_time, "webhook-timestamp: %lld", (long long)(clock_now_us() / 1000000));
	buf_append(&text, l->body.data, l->body.len);
	e = buf_err(&text);
	if (!e)
		e = sign_base64(keyring_key(app->keyring, KEYRING_SIGN), text.data, text.len, value);
	if (!e) {
		snprintf(l->header_id, sizeof l->header_id, "webhook-id: %s", l->id);
		snprintf(l->header_signature, sizeof l->header_signature, "webhook-signature: v1a,%s", value);
	}
	buf_fini(&text);
	return e;
}

/* The same bytes at each try: only the time of the try, in the header, differs. */
static enum err write_letter(const struct app *app, const struct db_result *rows, size_t i, struct letter *l)
{
	struct json j;
	enum err e;

	snprintf(l->id, sizeof l->id, "msg_%s", db_text(rows, i, OUTBOX_MESSAGE));
	buf_init(&l->body, 0);
	json_init(&j, &l->body);
	json_object(&j);
	json_key(&j, "data");
	json_raw(&j, db_text(rows, i, OUTBOX_DATA), strlen(db_text(rows, i, OUTBOX_DATA)));
	json_key_string(&j, "id", l->id);
	json_key(&j, "timestamp");
	json_time(&j, db_time_us(rows, i, OUTBOX_CREATED_AT));
	json_key_string(&j, "type", db_text(rows, i, OUTBOX_KIND));
	json_object_end(&j);
	e = buf_err(&l->body);
	return e ? e : sign_letter(app, l);
}

/* first * 2^tries, at most six hours; a fifth more or less, so that what failed together does not come back together. */
static int64_t delay_us(const struct app *app, int32_t tries)
{
	int64_t delay = app->config->webhook_retry_ms * 1000;
	uint32_t chance = 0;

	while (tries-- > 0 && delay < DELAY_MAX_US)
		delay *= 2;
	if (delay > DELAY_MAX_US)
		delay = DELAY_MAX_US;
	if (secret_random(&chance, sizeof chance))
		chance = 0;
	return delay - delay / 5 + (int64_t)(chance % 1024) * (2 * delay / 5) / 1024;
}

static enum err settle(struct app *app, struct db *db, const struct db_result *rows, size_t i, const char *trouble)
{
	struct ending x = {.number = db_int8(rows, i, OUTBOX_NUMBER), .state = *trouble ? OUTBOX_DEAD : OUTBOX_SENT,
	                   .kind = db_text(rows, i, OUTBOX_KIND), .webhook = db_text(rows, i, OUTBOX_WEBHOOK), .trouble = trouble};
	const int32_t tries = db_int4(rows, i, OUTBOX_TRIES);

	if (!strcmp(trouble, "stopping"))
		return ERR_OK; /* no try: it is due still */
	metric_add(*trouble ? METRIC_OUTBOX_FAILURES : METRIC_OUTBOX_SENT, 1);
	if (*trouble)
		log_event(LOG_WARN, "webhook_failed", "webhook=%s kind=%s try=%d code=%s", x.webhook, x.kind, tries + 1, trouble);
	if (*trouble && tries + 1 < app->config->webhook_tries && *db_text(rows, i, OUTBOX_URL))
		return outbox_delay(db, x.number, trouble, delay_us(app, tries));
	return internal_run(app, &end_route, &x, NULL);
}

static bool stopping(void *worker)
{
	return worker_stopping(worker);
}

static enum err send_round(struct app *app, struct worker *w, struct db *db, const struct db_result *rows)
{
	const struct post_settings settings = {app->config->webhook_ca, app->config->webhook_loopback != 0, (long)app->config->webhook_timeout_ms};
	struct letter letters[ROUND_MAX] = {0};
	struct post_message messages[ROUND_MAX] = {0};
	const char *troubles[ROUND_MAX];
	size_t n = 0;
	enum err e = ERR_OK, failed = ERR_OK;

	for (size_t i = 0; i < db_rows(rows) && !e; i++) {
		const char *url = db_text(rows, i, OUTBOX_URL);
		struct letter *l = &letters[i];

		troubles[i] = *url ? "url" : "removed";
		if (!post_url_valid(url, settings.loopback)) /* looked at again: the configuration may have changed, and the table is not sealed */
			continue;
		e = write_letter(app, rows, i, l);
		messages[n] = (struct post_message){.url = url, .headers = {l->header_id, l->header_time, l->header_signature}, .body = l->body.data, .len = l->body.len};
		troubles[i] = messages[n++].trouble;
	}
	if (!e)
		e = post_all(&settings, messages, n, stopping, w);
	for (size_t i = 0; i < db_rows(rows); i++) {
		if (!e) {
			const enum err one = settle(app, db, rows, i, troubles[i]);

			failed = failed ? failed : one;
		}
		buf_fini(&letters[i].body);
	}
	return e ? e : failed;
}

enum err outbox_send(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct db_result *rows = NULL;
	int64_t waiting = 0, dead = 0;
	enum err e = outbox_due(db, ROUND_MAX, &rows);

	*more = !e && db_rows(rows) == ROUND_MAX;
	if (!e && db_rows(rows))
		e = send_round(app, w, db, rows);
	db_result_free(rows);
	if (!e)
		e = outbox_counts(db, &waiting, &dead);
	if (!e) {
		metric_set(METRIC_OUTBOX_WAITING, waiting);
		metric_set(METRIC_OUTBOX_DEAD, dead);
	}
	return e;
}

enum err outbox_clean(struct app *app, struct worker *w, struct db *db, bool *more)
{
	(void)app;
	(void)w;
	*more = false;
	return outbox_sweep(db, OUTBOX_KEPT_DAYS);
}
