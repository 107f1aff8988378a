/* watch.c: the watcher of watch.h. */
#include "vault/app/watch_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/configuration_write.h"
#include "store/outbox.h"
#include "store/watch.h"
#include "vault/app/alarm.h"
#include "vault/app/audit_filter.h"
#include "vault/app/internal.h"
#include "vault/app/manage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_US ((int64_t)60 * 1000000)
#define LAG_EVERY_US ((int64_t)5 * 1000000)
#define LAG_MOST_US ((int64_t)15 * 1000000) /* a checkpoint is signed within a second; a takeover takes five */
#define HOUR_US ((int64_t)3600 * 1000000)
#define ALARMS_BYTES_MAX ((size_t)4 << 20)
#define HOUR_TEXT 13 /* of "2026-01-31T12" */

/* ---- one record ---- */

static enum err take_row(struct watch *w, const char *record, size_t len)
{
	const int64_t version = record_int(record, len, "row_version");
	uint8_t sref[SREF_LEN], sha256[32];
	const bool after = record_hex(record, len, "row_sha256", sha256, sizeof sha256);
	struct slice_sum *sum;
	uint32_t slice = 0, before_version;
	enum err e;

	if (version <= 0 || !record_hex(record, len, "sref", sref, sizeof sref))
		return ERR_OK;
	e = slice_of(w->mac, sref, &slice);
	sum = &w->sums[slice];
	if (!e && after)
		e = slice_add(w->mac, sum, sref, (uint32_t)version, sha256);
	before_version = (uint32_t)version - after; /* a deletion names the version that it deleted */
	if (!e && record_hex(record, len, "row_before_sha256", sha256, sizeof sha256))
		e = slice_take(w->mac, sum, sref, before_version, sha256);
	return e;
}

/* {"activity":"read","actor":"...": the first two members */
static bool starts_with(const char *record, size_t len, const char *activity)
{
	static const char head[] = "{\"activity\":\"";
	const size_t n = strlen(activity);

	return len > sizeof head - 1 + n + 1 && !memcmp(record, head, sizeof head - 1) && !memcmp(record + sizeof head - 1, activity, n) &&
	       record[sizeof head - 1 + n] == '"';
}

static bool of_this_hour(const struct watch *w, const char *record, size_t len)
{
	size_t n = 0;
	const char *time = record_text(record, len, "time", &n);

	return time && n > HOUR_TEXT && !memcmp(time, w->hour, HOUR_TEXT);
}

static void note_over(struct watch *w, const char *identity, size_t len)
{
	if (w->n_over < OVER_MAX)
		w->over[w->n_over] = strndup(identity, len);
	if (w->n_over < OVER_MAX && w->over[w->n_over])
		w->n_over++;
}

/* It was told of in this hour already: when the hour is counted anew, its reads come first. */
static enum err note_told(struct watch *w, const char *record, size_t record_len)
{
	size_t len = 0;
	const char *identity = record_text(record, record_len, "object", &len);

	for (size_t i = 0; identity && i < w->n_over; i++)
		if (strlen(w->over[i]) == len && !memcmp(w->over[i], identity, len)) {
			free(w->over[i]);
			w->over[i--] = w->over[--w->n_over];
		}
	return identity ? budget_told(w->budget, identity, len) : ERR_OK;
}

/* Of records that say that somebody got something of a customer; their members in order: activity, actor, ..., outcome,
 * ..., sref, ..., time. */
static enum err count_customer(struct watch *w, const char *record, size_t len)
{
	static const char *const got[] = {"read", "search", "translate", "export", NULL};
	const char *at = record, *end = record + len, *actor, *text;
	uint8_t sref[SREF_LEN];
	size_t i = 0, actor_len = 0, n = 0;
	bool over = false;
	enum err e;

	while (got[i] && !starts_with(record, len, got[i]))
		i++;
	if (!got[i])
		return starts_with(record, len, "alarm") && record_is(record, len, "operation", "alarm.customer_budget") && of_this_hour(w, record, len)
		           ? note_told(w, record, len)
		           : ERR_OK;
	actor = record_next(&at, end, ",\"actor\":\"", &actor_len);
	if (!actor || !strncmp(actor, "vault:", 6))
		return ERR_OK;
	text = record_next(&at, end, ",\"outcome\":\"", &n);
	if (!text || n != 7 || memcmp(text, "success", 7) != 0)
		return ERR_OK;
	text = record_next(&at, end, ",\"sref\":\"", &n);
	if (!record_bytes(text, n, sref, sizeof sref))
		return ERR_OK;
	text = record_next(&at, end, ",\"time\":\"", &n);
	if (!text || n < HOUR_TEXT || memcmp(text, w->hour, HOUR_TEXT) != 0)
		return ERR_OK;
	e = budget_add(w->budget, actor, actor_len, sref, w->app->config->customer_budget, &over);
	if (over)
		note_over(w, actor, actor_len);
	return e;
}

/* ---- webhooks ---- */

static void put_member(struct json *j, const char *record, size_t record_len, const char *member, const char *key)
{
	size_t len = 0;
	const char *text = record_text(record, record_len, member, &len);

	if (!text)
		return;
	json_key(j, key); /* the text is JSON already, with its escapes */
	buf_byte(j->out, '"');
	buf_append(j->out, text, len);
	buf_byte(j->out, '"');
	j->comma = true;
}

/* Old ones are read anew where the state was lost: these have been told of. */
static bool is_fresh(const char *record, size_t record_len)
{
	size_t len = 0;
	const char *time = record_text(record, record_len, "time", &len);
	int64_t at_us;

	return time && !clock_parse(time, len, &at_us) && clock_now_us() - at_us < HOUR_US;
}

static void note_message(struct watch *w, const char *record, size_t len)
{
	static const char prefix[] = "alarm.";
	const size_t start = w->alarms.len;
	const int64_t count = record_int(record, len, "count");
	size_t n = 0, size;
	const char *operation = record_text(record, len, "operation", &n);
	struct json j;

	if (!operation || n < sizeof prefix || !is_fresh(record, len))
		return;
	buf_u32(&w->alarms, 0);
	json_init(&j, &w->alarms);
	json_object(&j);
	put_member(&j, record, len, "object", "about");
	json_key(&j, "alarm");
	json_string_len(&j, operation + sizeof prefix - 1, n - (sizeof prefix - 1));
	if (count > 0)
		json_key_int(&j, "count", count);
	put_member(&j, record, len, "id", "record");
	put_member(&j, record, len, "request_id", "request_id");
	put_member(&j, record, len, "sref", "sref");
	put_member(&j, record, len, "time", "time");
	json_object_end(&j);
	size = w->alarms.len - start - 4;
	for (int i = 0; i < 4 && buf_ok(&w->alarms); i++)
		w->alarms.data[start + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
}

static enum err tell_webhooks(struct watch *w, struct db *db)
{
	struct reader in = reader_of(w->alarms.data, buf_ok(&w->alarms) ? w->alarms.len : 0);
	enum err e = ERR_OK;

	if (!buf_ok(&w->alarms))
		log_event(LOG_ERROR, "alarms_untold", "too many alarms at once: webhooks are not told of them; the audit log has them");
	while (!e && in.left) {
		struct buf message;
		const size_t len = reader_u32(&in);
		const uint8_t *bytes = reader_bytes(&in, len);

		buf_init(&message, 0);
		buf_append(&message, bytes, bytes ? len : 0);
		e = buf_err(&message);
		if (!e)
			e = outbox_add(db, "alarm", NULL, 0, &message, NULL);
		buf_fini(&message);
	}
	if (!e)
		buf_reset(&w->alarms);
	return e;
}

static enum err take_record(void *ctx, const char *record, size_t len, bool of_row)
{
	struct watch *w = ctx;
	enum err e = of_row ? take_row(w, record, len) : ERR_OK;

	w->news = true;
	metric_add(METRIC_WATCH_RECORDS, 1);
	if (starts_with(record, len, "alarm"))
		note_message(w, record, len);
	return e ? e : count_customer(w, record, len);
}

static void broken(void *ctx, int64_t stream, int64_t seq, enum log_break what)
{
	struct watch *w = ctx;
	char about[48];

	snprintf(about, sizeof about, "%lld-%lld", (long long)stream, (long long)seq);
	alarm_note(w->app->alarms, what == LOG_GAP ? ALARM_LOG_GAP : ALARM_LOG_CHANGED, about);
}

/* ---- life ---- */

enum err watch_new(struct app *app, struct watch **out)
{
	struct watch *w = calloc(1, sizeof *w);
	enum err e;

	*out = w;
	if (!w)
		return ERR_MEMORY;
	w->app = app;
	w->walk.record = take_record;
	w->walk.broken = broken;
	w->walk.ctx = w;
	buf_init(&w->alarms, ALARMS_BYTES_MAX);
	e = mac_new(keyring_key(app->keyring, KEYRING_AUDIT_MAC), &w->mac);
	w->walk.mac = w->mac;
	if (!e)
		e = sealer_new(&w->sealer);
	return e ? e : budget_new(&w->budget);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	watch_forget(w);
	for (size_t i = 0; i < w->n_over; i++)
		free(w->over[i]);
	buf_fini(&w->alarms);
	budget_free(w->budget);
	sealer_free(w->sealer);
	mac_free(w->mac);
	free(w);
}

void watch_forget(struct watch *w)
{
	log_walk_fini(&w->walk);
	memset(w->sums, 0, sizeof w->sums);
	w->loaded = w->news = false;
}

/* The records of this hour that were read before: by this node in another life, or by another one. */
static enum err count_hour(struct watch *w, struct db *db, int64_t hour_us)
{
	int64_t at = hour_us, stream = 0, seq = 0;
	size_t rows = WATCH_LOT;
	enum err e = ERR_OK;

	while (!e && rows == WATCH_LOT) {
		struct db_result *r = NULL;

		e = watch_since(db, at, stream, seq, &r);
		rows = e ? 0 : db_rows(r);
		for (size_t i = 0; i < rows && !e; i++) {
			struct audit_walk walk = audit_walk_of(r, i);
			const char *record;
			size_t len;
			int64_t record_seq;

			stream = db_int8(r, i, 0);
			seq = db_int8(r, i, 1);
			at = db_time_us(r, i, 3);
			while (!e && audit_walk_next(&walk, &record, &len, &record_seq))
				e = count_customer(w, record, len);
		}
		db_result_free(r);
	}
	return e;
}

static void turn_hour(struct watch *w, int64_t now_us)
{
	char text[CLOCK_TEXT_LEN];

	clock_format(now_us, text);
	memcpy(w->hour, text, HOUR_TEXT);
	budget_hour(w->budget, now_us / HOUR_US * HOUR_US);
}

static enum err load(struct watch *w, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = watch_load(db, &r);

	watch_forget(w);
	if (!e && db_rows(r)) {
		size_t len;
		const uint8_t *bytes = db_bytes(r, 0, 0, &len);

		e = watch_state_read(w, bytes, len);
		if (e == ERR_SEAL) { /* it is read anew, from the first record */
			alarm_note(w->app->alarms, ALARM_LOG_STATE, "watch_state");
			e = ERR_OK;
		}
	}
	db_result_free(r);
	if (!e)
		e = count_hour(w, db, clock_now_us() / HOUR_US * HOUR_US);
	w->loaded = !e;
	return e;
}

static enum err save(struct watch *w, struct db *db)
{
	struct buf state;
	enum err e;

	buf_init(&state, 0);
	e = watch_state_write(w, &state);
	if (!e)
		e = watch_save(db, state.data, state.len);
	buf_fini(&state);
	w->saved_us = clock_mono_us();
	w->news = w->news && e;
	return e;
}

/* ---- freeze ---- */

static enum step freeze_decide(struct req *r, struct batch *b)
{
	const char *identity = r->plan;
	const struct alarm alarm = {.kind = ALARM_CUSTOMER_BUDGET, .about = identity};
	enum step step;

	if (snapshot_frozen(r->snapshot, identity)) {
		r->err = alarm_record(r, b, &alarm);
		return r->err ? STEP_FAIL : STEP_DONE;
	}
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = configuration_freeze(b->db, identity, "it has got something of more customers than its budget for an hour", b->now_us, r->identity);
	if (!r->err)
		r->err = alarm_record(r, b, &alarm);
	return r->err ? STEP_FAIL : manage_done(r, b, "identity", identity);
}

static const struct route freeze_route = {.method = "", .pattern = "", .operation = "identity.freeze", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                          .decide = freeze_decide};

static enum err freeze_all(struct watch *w)
{
	enum err e = ERR_OK;

	while (w->n_over && !e) {
		e = internal_run(w->app, &freeze_route, w->over[w->n_over - 1], NULL);
		if (!e)
			free(w->over[--w->n_over]);
	}
	return e;
}

/* ---- tasks ---- */

enum err watch_read(struct watch *w, struct db *db)
{
	bool more = true;
	enum err e = ERR_OK;

	while (!e && more)
		e = log_walk_lot(&w->walk, db, &more);
	if (e)
		watch_forget(w); /* half a lot may have been counted */
	return e;
}

/* By another worker than the sealer's own, and so also where no node seals at all. Told once a time. */
static enum err look_at_sealer(struct watch *w, struct db *db)
{
	const bool lagged = w->lags;
	enum err e;

	if (clock_mono_us() - w->lag_us < LAG_EVERY_US)
		return ERR_OK;
	w->lag_us = clock_mono_us();
	e = watch_seal_lags(db, LAG_MOST_US, &w->lags);
	if (!e && w->lags && !lagged)
		alarm_note(w->app->alarms, ALARM_SEAL_LAG, "sealer");
	return e;
}

enum err watch_run(struct app *app, struct worker *worker, struct db *db, bool *more)
{
	struct watch *w = app->watch;
	bool told;
	enum err e;

	(void)worker;
	*more = false;
	turn_hour(w, clock_now_us());
	e = w->loaded ? ERR_OK : load(w, db);
	if (!e) {
		e = log_walk_lot(&w->walk, db, more);
		if (e)
			watch_forget(w);
	}
	told = !e && w->alarms.len > 0;
	if (!e)
		e = tell_webhooks(w, db);
	if (!e && w->news && (told || clock_mono_us() - w->saved_us > SAVE_US))
		e = save(w, db); /* so that a node that takes over tells of few again */
	if (!e && !*more)
		e = look_at_sealer(w, db);
	return e ? e : freeze_all(w);
}
