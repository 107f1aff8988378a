/* batch.c: one transaction for many requests (DESIGN: two round trips).
 *
 *   want    every request asks for its reads
 *   (a)     BEGIN, stream row and barrier, revision, reads          one round trip
 *   decide  outcomes are known, writes and audit records composed   (further reads: another round trip)
 *   (c)     writes, one segment, COMMIT                             one round trip
 *   reply   while the commit runs: values are opened, replies composed
 */
#include "vault/app/batch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/configuration.h"
#include "store/migrate.h"
#include "store/statements.h"
#include "vault/app/audit_record.h"
#include "vault/app/follow.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8
#define SWEEP_US ((int64_t)600 * 1000000)
#define REVISIONS_MAX 4 /* attempts to meet a configuration that keeps changing */

struct claim {
	const struct req *by;
	uint64_t space;
	int64_t thing;
};

bool batch_claim(struct batch *b, const struct req *r, uint64_t space, int64_t thing)
{
	for (size_t i = 0; i < b->n_claims; i++)
		if (b->claims[i].thing == thing && b->claims[i].space == space)
			return b->claims[i].by == r;
	if (b->n_claims == b->claims_cap) {
		const size_t cap = b->claims_cap ? b->claims_cap * 2 : 256;
		struct claim *moved = realloc(b->claims, cap * sizeof *moved);

		if (!moved)
			return false;
		b->claims = moved;
		b->claims_cap = cap;
	}
	b->claims[b->n_claims++] = (struct claim){r, space, thing};
	return true;
}

static void forget_customers(struct batch *b)
{
	arena_fini(&b->arena);
	seal_forget(b->sealer);
	b->in_use = NULL;
}

static void batch_clear(struct batch *b)
{
	reads_reset(b->reads);
	writes_reset(b->writes);
	audit_segment_reset(&b->segment);
	forget_customers(b);
	b->n_claims = 0;
	b->change = false;
	b->forger = NULL;
}

/* A clean slate for each request; also when a batch is run again. */
static void req_restart(struct req *r)
{
	buf_reset(&r->out);
	r->job.again = false;
	r->err = ERR_OK;
	r->decided = false;
	r->rounds = 0;
	r->audit_count = 0;
	r->status = 0;
	r->content_type = NULL;
	r->about = NULL;
	if (!r->plan_err) /* else it says where the plan failed */
		r->pointer = NULL;
	r->etag[0] = 0;
	r->location = NULL;
}

static void settle(struct req *r, struct batch *b, enum step step)
{
	switch (step) {
	case STEP_DONE: r->decided = true; break;
	case STEP_MORE: break;
	case STEP_AGAIN:
		r->decided = true;
		r->job.again = true;
		break;
	case STEP_FAIL:
		r->decided = true;
		if (!r->err)
			r->err = ERR_INTERNAL;
		audit_failure(r, b);
		break;
	}
}

static void want_one(struct req *r, struct batch *b)
{
	req_restart(r);
	if (r->plan_err) /* refused by a plan made under a newer configuration */
		r->err = r->plan_err;
	else if (r->frozen)
		r->err = ERR_FROZEN;
	else if (!r->who.roles && r->route->want)
		r->err = ERR_POLICY_DENIED;
	if (r->err)
		settle(r, b, STEP_FAIL);
	else if (r->route->want)
		settle(r, b, r->route->want(r, b));
}

static void decide_one(struct req *r, struct batch *b)
{
	struct writes_mark writes;
	struct audit_mark audit;
	enum step step;

	writes_mark(b->writes, &writes);
	audit_mark(r, b, &audit);
	step = r->route->decide(r, b);
	if (step == STEP_MORE && r->rounds++ >= ROUNDS_MAX)
		step = (req_fail(r, ERR_INTERNAL, NULL), STEP_FAIL);
	if (step == STEP_FAIL || step == STEP_AGAIN) {
		writes_cut(b->writes, &writes);
		audit_cut(r, b, &audit);
	}
	settle(r, b, step);
}

static enum err first_round(struct batch *b, struct db *db, int64_t *revision)
{
	struct db_result *res = NULL;
	enum err e;

	db_send(db, ST_BEGIN, NULL, 0);
	audit_send_advance(&b->stream, db);
	db_send(db, ST_REVISION, NULL, 0);
	reads_send(b->reads, db);
	e = db_sync(db);
	if (!e)
		e = db_next_done(db, NULL);
	if (!e)
		e = audit_receive_advance(db);
	if (!e)
		e = db_next(db, &res);
	if (!e)
		*revision = db_int8(res, 0, 0);
	db_result_free(res);
	if (!e)
		e = reads_receive(b->reads, db);
	return e ? e : db_synced(db);
}

static enum err further_round(struct batch *b, struct db *db)
{
	enum err e;

	reads_send(b->reads, db);
	e = db_sync(db);
	if (!e)
		e = reads_receive(b->reads, db);
	return e ? e : db_synced(db);
}

static bool undecided(struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((struct req *)jobs[i])->decided)
			return true;
	return false;
}

static enum err decide_all(struct batch *b, struct db *db, struct executor_job **jobs, size_t n)
{
	enum err e = ERR_OK;

	while (!e && undecided(jobs, n)) {
		for (size_t i = 0; i < n; i++) {
			struct req *r = (struct req *)jobs[i];

			if (!r->decided)
				decide_one(r, b);
			if (db_cause(db) != DB_FINE) /* a solo operation's statement failed */
				return r->err ? r->err : ERR_DATABASE;
		}
		if (reads_pending(b->reads))
			e = further_round(b, db);
	}
	return e;
}

static void reply_all(struct batch *b, struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct req *r = (struct req *)jobs[i];

		if (r->job.again)
			continue;
		if (!r->err && r->route->reply) {
			enum err e = r->route->reply(r, b);

			if (e && !r->err)
				r->err = e;
		}
		req_compose(r);
	}
}

/* Everything up to and with COMMIT's answer. *sent: COMMIT has left. */
static enum err finish(struct batch *b, struct db *db, struct executor_job **jobs, size_t n, bool *sent)
{
	struct db_result *res = NULL;
	enum err e = writes_send(b->writes, db, b->now_us);

	if (!e)
		e = audit_send_segment(&b->stream, &b->segment, b->audit_mac, db);
	if (e)
		return e;
	db_send(db, ST_COMMIT, NULL, 0);
	*sent = true;
	e = db_sync(db);
	/* Also where the connection broke meanwhile: COMMIT may have arrived, and then these are the replies. */
	reply_all(b, jobs, n);
	if (!e)
		e = writes_receive(b->writes, db);
	if (!e && b->segment.count)
		e = db_next_done(db, NULL);
	if (!e)
		e = db_next(db, &res);
	if (!e && !db_result_tag(res, "COMMIT"))
		e = ERR_DATABASE; /* the transaction was aborted: COMMIT rolled it back */
	db_result_free(res);
	return e ? e : db_synced(db);
}

static void note_committed(struct batch *b)
{
	metric_add(METRIC_AUDIT_RECORDS, b->segment.count);
	metric_add(METRIC_AUDIT_SEGMENTS, b->segment.count > 0);
	metric_set(METRIC_AUDIT_LAST_US, b->now_us);
	audit_stream_committed(&b->stream, &b->segment);
	if (b->segment.count)
		follow_notify(b->app->follow);
}

/* Loads the configuration in force, outside a transaction, and publishes it. */
static enum err adopt_snapshot(struct batch *b, struct db *db, struct buf *why)
{
	struct snapshot *s;
	enum err e = snapshot_load(db, &s, why);

	if (e)
		return e;
	app_publish(b->app, s);
	snapshot_drop(b->snapshot);
	b->snapshot = s;
	return ERR_OK;
}

static enum err change_revision(struct batch *b, struct db *db, struct executor_job **jobs, size_t n)
{
	struct buf why;
	enum err e;

	if (db_rollback(db))
		return ERR_UNAVAILABLE;
	buf_init(&why, 4096);
	e = adopt_snapshot(b, db, &why);
	if (e)
		log_event(LOG_ERROR, "configuration", "reason=\"%s\"", buf_string(&why));
	buf_fini(&why);
	for (size_t i = 0; i < n && !e; i++) {
		struct req *r = (struct req *)jobs[i];

		r->plan_err = req_plan(r, b->snapshot);
	}
	return e && err_status(e) < 500 ? ERR_INTERNAL : e; /* a policy that does not compile is no caller's fault */
}

/* Those whose plan was made under another snapshot than the batch's. */
static void replan_stale(struct batch *b, struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct req *r = (struct req *)jobs[i];

		if (r->snapshot->revision != b->snapshot->revision)
			r->plan_err = req_plan(r, b->snapshot);
	}
}

static void want_all(struct batch *b, struct executor_job **jobs, size_t n)
{
	batch_clear(b);
	b->now_us = clock_now_us();
	if (b->now_us <= b->stream.last_at_us)
		b->now_us = b->stream.last_at_us;
	if (b->stream.next_seq == 1)
		audit_stream_opened(b);
	for (size_t i = 0; i < n; i++)
		want_one((struct req *)jobs[i], b);
}

static enum batch_end run_batch(struct batch *b, struct db *db, struct executor_job **jobs, size_t n, enum err *e)
{
	int64_t revision = 0;
	bool sent = false;

	replan_stale(b, jobs, n);
	for (int attempt = 0;; attempt++) {
		want_all(b, jobs, n);
		*e = first_round(b, db, &revision);
		if (*e || revision == b->snapshot->revision)
			break;
		*e = attempt < REVISIONS_MAX ? change_revision(b, db, jobs, n) : ERR_BUSY;
		if (*e)
			break;
	}
	if (!*e)
		*e = decide_all(b, db, jobs, n);
	if (!*e)
		*e = finish(b, db, jobs, n, &sent);
	if (!*e && b->change) {
		*e = store_barrier(db);
		b->barrier_due = *e != ERR_OK;
		if (*e)
			return BATCH_IN_DOUBT;
	}
	if (*e)
		return sent && db_cause(db) == DB_LOST ? BATCH_IN_DOUBT : BATCH_FAILED;
	note_committed(b);
	return BATCH_COMMITTED;
}

static enum batch_end run(void *state, struct db *db, struct executor_job **jobs, size_t n, enum err *e)
{
	struct batch *b = state;
	enum batch_end end;

	b->db = db;
	b->in_doubt = b->resolved = false;
	end = run_batch(b, db, jobs, n, e);
	b->in_doubt = end == BATCH_IN_DOUBT;
	/* Keys and rows go now, not when the next batch comes; the segment may be needed to resolve a doubt. */
	reads_reset(b->reads);
	writes_reset(b->writes);
	forget_customers(b);
	b->n_claims = 0;
	return end;
}

/* May be called for several connections in a row before one holds. */
static enum err resume_stream(struct batch *b, struct db *db, bool *committed)
{
	int moved = -1;
	enum err e = ERR_OK;

	*committed = b->resolved;
	if (b->stream.stream)
		e = audit_stream_look(db, &b->stream, &moved);
	if (e)
		return e;
	if (b->in_doubt && moved == 1) {
		note_committed(b);
		b->in_doubt = false;
		b->resolved = *committed = true;
		moved = 0;
	}
	if (b->barrier_due) {
		e = store_barrier(db);
		b->barrier_due = e != ERR_OK;
	}
	if (!e && moved) /* none yet, or another writer has it */
		e = audit_stream_open(db, b->app->node, b->executor, &b->stream, &b->predecessor);
	return e;
}

static enum err connected(void *state, struct db *db, bool *committed, struct buf *why)
{
	struct batch *b = state;
	enum err e = migrate_verify(db, why);

	b->db = db;
	if (!e)
		e = adopt_snapshot(b, db, why);
	if (!e) {
		e = resume_stream(b, db, committed);
		if (e)
			buf_printf(why, "audit stream: %s", db_error(db));
	}
	return e;
}

/* The bulk executor, the last one, sweeps: single requests never wait for it. */
static void idle(void *state, struct db *db)
{
	struct batch *b = state;
	const int64_t now = clock_mono_us();

	if (b->executor != (unsigned)b->app->config->executors || now < b->next_sweep_us)
		return;
	b->next_sweep_us = now + SWEEP_US;
	if (store_sweep(db)) {
		log_event(LOG_WARN, "sweep_failed", "reason=\"%s\"", db_error(db));
		if (db_rollback(db))
			return; /* lost: the executor sees it */
	}
}

static void stop(void *state)
{
	struct batch *b = state;

	if (!b)
		return;
	batch_clear(b);
	snapshot_drop(b->snapshot);
	sealer_free(b->sealer);
	tokens_free(b->tokens);
	blind_free(b->blind);
	mac_free(b->audit_mac);
	mac_free(b->tag_mac);
	reads_free(b->reads);
	writes_free(b->writes);
	audit_segment_fini(&b->segment);
	buf_fini(&b->scratch);
	free(b->claims);
	free(b);
}

static enum err start(void *ctx, unsigned index, void **state)
{
	struct app *app = ctx;
	const struct keyring *k = app->keyring;
	struct batch *b = calloc(1, sizeof *b);
	enum err e;

	*state = NULL;
	if (!b)
		return ERR_MEMORY;
	b->app = app;
	b->executor = index;
	audit_segment_init(&b->segment);
	arena_init(&b->arena, (size_t)512 << 20);
	buf_init(&b->scratch, 0);
	e = reads_new(&b->reads);
	if (!e)
		e = writes_new(&b->writes);
	if (!e)
		e = sealer_new(&b->sealer);
	if (!e)
		e = tokens_new(keyring_key(k, KEYRING_TOKEN), &b->tokens);
	if (!e)
		e = blind_new(keyring_key(k, KEYRING_INDEX), keyring_index_epoch(k), keyring_index_bits(k), &b->blind);
	if (!e)
		e = mac_new(keyring_key(k, KEYRING_AUDIT_MAC), &b->audit_mac);
	if (!e)
		e = mac_new(keyring_key(k, KEYRING_CURSOR), &b->tag_mac);
	if (e) {
		if (b->reads && b->writes)
			stop(b);
		return e;
	}
	*state = b;
	return ERR_OK;
}

const struct executor_ops batch_ops = {
    .statements = store_statements, .start = start, .stop = stop, .connected = connected, .run = run, .idle = idle};

/* Looks whose it is: another audience's, one of an epoch that was revoked, or nobody's. */
static enum err count_stranger(struct batch *b, const struct req *r, const struct token_text *text)
{
	struct token_target target;

	for (size_t i = 0; i < b->snapshot->n_audiences; i++) {
		const struct audience *a = &b->snapshot->audiences[i];
		const uint32_t age = (a->token_epoch - text->epoch_symbol) % 32;

		if (age < a->token_epoch && !token_open(b->tokens, a->number, a->token_epoch - age, text, &target)) {
			metric_add(METRIC_TOKEN_FOREIGN, 1);
			return ERR_NOT_FOUND;
		}
	}
	metric_add(METRIC_TOKEN_FORGERIES, 1);
	if (b->forger != r) /* one line a request: it may hold a thousand */
		log_event(LOG_WARN, "token_forgery", "identity=%s: a token with a right checksum opens under no audience's key", r->identity);
	b->forger = r;
	return ERR_NOT_FOUND;
}

enum err batch_token(struct batch *b, const struct req *r, const struct token_text *text, struct token_target *out)
{
	const struct audience *a = r->audience;

	if (!a)
		return ERR_NOT_FOUND;
	if (a->token_epoch % 32 == text->epoch_symbol && !token_open(b->tokens, a->number, a->token_epoch, text, out))
		return ERR_OK;
	return count_stranger(b, r, text);
}

enum err batch_write_token(struct batch *b, const struct audience *a, const struct token_target *target, struct buf *out)
{
	char text[TOKEN_TEXT_MAX];
	size_t len;
	enum err e = token_write(b->tokens, a->number, a->token_epoch, target, text, &len);

	if (e)
		return e;
	buf_byte(out, '"');
	buf_append(out, text, len);
	buf_byte(out, '"');
	return buf_err(out);
}

enum err batch_write_customer_token(struct batch *b, const struct audience *a, int64_t id, uint32_t generation, struct buf *out)
{
	const struct token_target t = {.type = TOKEN_CUSTOMER, .customer = (uint64_t)id, .generation = (uint16_t)generation};

	return batch_write_token(b, a, &t, out);
}

enum err batch_etag(struct batch *b, const struct audience *a, int64_t id, uint32_t version, char out[static 40])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t message[1 + 2 + 8 + 4] = {'e'}, mac[MAC_LEN];
	enum err e;

	for (int i = 0; i < 2; i++)
		message[1 + i] = (uint8_t)(a->number >> (8 - 8 * i));
	for (int i = 0; i < 8; i++)
		message[3 + i] = (uint8_t)((uint64_t)id >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		message[11 + i] = (uint8_t)(version >> (24 - 8 * i));
	e = mac_of(b->tag_mac, message, sizeof message, mac);
	if (e)
		return e;
	out[0] = '"';
	for (int i = 0; i < 16; i++) {
		out[1 + 2 * i] = digits[mac[i] >> 4];
		out[2 + 2 * i] = digits[mac[i] & 15];
	}
	memcpy(out + 33, "\"", 2);
	return ERR_OK;
}
