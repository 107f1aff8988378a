/* erase.c: carries an erasure out. The whole of a customer: ledger first, then one transaction that
 * deletes key, row, index, records and what else is the person's; acknowledged when no older batch
 * can read it any more (G2). A part: the fields and records named, but for what is held. */
#include "crypto/ledger.h"
#include "store/keys.h"
#include "store/consents.h"
#include "vault/app/export.h"
#include "vault/app/hold.h"
#include "vault/app/internal.h"
#include "vault/app/rights.h"
#include "vault/app/rights_job.h"
#include "vault/app/values.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/app/recipients.h"

#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u

struct erasure {
	const struct rights_job *job;
	struct ledger_entry entry; /* of a whole erasure */
	bool held;                 /* a part of it was held */
	bool asked;
	uint32_t key_epoch;        /* under which the key was that is deleted; 0: there was none */
};

static enum step erase_want(struct req *r, struct batch *b)
{
	struct erasure *x = r->plan;

	x->asked = false;
	if (!batch_claim(b, r, CLAIM_CUSTOMER, x->job->customer))
		return STEP_AGAIN;
	reads_customer_locked(b->reads, x->job->customer);
	return STEP_MORE;
}

static enum err record_erased(struct batch *b, const struct erasure *x)
{
	const struct erasure_entry e = {.position = x->entry.position, .request = x->entry.request, .at_us = x->entry.at_us,
	                                .customer_mac = x->entry.customer, .hash = x->entry.hash,
	                                .key_epoch = x->key_epoch};

	return erasure_insert(b->db, &e);
}

/* Also where the row is gone (an earlier run) or does not open (it was damaged): what is left goes. */
static enum step erase_whole_decide(struct req *r, struct batch *b)
{
	struct erasure *x = r->plan;
	const struct target t = {.id = x->job->customer, .lock = true};
	struct audit_entry entry = {.activity = "erase", .object = "customer", .state = -1};
	struct customer_row *row;
	struct customer *c = NULL;

	if (!target_locked(b, &t))
		return STEP_MORE;
	row = reads_get(b->reads, x->job->customer);
	entry.sref = x->job->sref; /* also of a row that does not open */
	if (row && !customer_open(b, row, &c)) {
		entry.customer = c;
		entry.row_version = row->version;
		entry.row_gone = true;
	}
	r->err = recipients_tell(r, b, x->job->request, "erasure", row, NULL);
	if (!r->err)
		r->err = rights_end_others(b->db, x->job->customer, x->job->request, RIGHTS_RUNNING, RIGHTS_CANCELLED, "erased", b->now_us);
	if (!r->err)
		r->err = keys_of_customer(b->db, x->job->customer, &x->key_epoch);
	if (!r->err)
		r->err = erase_customer(b->db, x->job->customer, "erased");
	if (!r->err)
		r->err = record_erased(b, x);
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	b->change = true;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- a part ---- */

/* The units of the row that are to go. */
static size_t doomed(const struct req *r, const struct customer *c, const struct rights_scope *scope, const struct rights_scope *held,
                     struct change changes[static CUSTOMER_UNITS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_units; i++) {
		const uint16_t number = c->units[i].number;
		const int subject = number < EXTERNAL_REF ? snapshot_subject(r->snapshot, number) : -1;
		const bool named = subject >= 0 ? scope_has(scope, (size_t)subject) : scope->all;
		const bool kept = subject >= 0 ? scope_has(held, (size_t)subject) : held->all;

		if (named && !kept)
			changes[n++] = (struct change){.number = number};
	}
	return n;
}

/* Marks the kinds of which there were some. */
static enum err delete_records(struct req *r, struct batch *b, int64_t customer, const struct rights_scope *scope, const struct rights_scope *held,
                               bool erased[static POLICY_SUBJECTS_MAX])
{
	struct db_result *rows = NULL;
	struct db_array kinds;
	struct db_param p[2];
	uint8_t room[8];
	enum err e;

	db_array_init(&kinds, DB_INT4);
	for (size_t i = 0; i < r->snapshot->n_fields; i++)
		if (r->snapshot->fields[i].record && scope_has(scope, i) && !scope_has(held, i))
			db_array_int4(&kinds, r->snapshot->fields[i].number);
	p[0] = db_param_int8(customer, room);
	p[1] = db_array_param(&kinds);
	e = !p[1].bytes ? ERR_MEMORY
	                : db_run(b->db,
	                         "WITH gone AS (DELETE FROM record WHERE customer_id = $1::int8 AND kind = ANY($2::int4[]) RETURNING kind) "
	                         "SELECT DISTINCT kind FROM gone",
	                         p, 2, &rows);
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		const int subject = snapshot_subject(r->snapshot, (unsigned)db_int4(rows, i, 0));

		if (subject >= 0)
			erased[subject] = true;
	}
	db_result_free(rows);
	db_array_fini(&kinds);
	return e;
}

/* The purposes, by bit, whose decisions lose their personal part, evidence and guardian: those named and not held. The
 * decisions themselves stay, and what counts of them. */
static uint64_t doomed_purposes(const struct rights_scope *scope, const struct rights_scope *held)
{
	const uint64_t named = scope->all ? UINT64_MAX : scope->purposes;

	return held->all ? 0 : named & ~held->purposes;
}

static bool overlap(const struct req *r, const struct rights_scope *scope, const struct rights_scope *held)
{
	if (held->all || scope->all || (scope->purposes & held->purposes))
		return true;
	for (size_t i = 0; i < r->snapshot->n_fields; i++)
		if (scope_has(scope, i) && scope_has(held, i))
			return true;
	return false;
}

/* Fields and records go, with archives that hold them, and those who received them are told: once, since a run that finds nothing left says nothing. */
static enum err erase_part(struct req *r, struct batch *b, const struct erasure *x, struct customer *c, const struct change *changes, size_t n,
                           const struct rights_scope *scope, const struct rights_scope *held)
{
	struct audit_entry entry = {.activity = "erase", .object = "part", .customer = c, .count = (uint32_t)n, .state = -1};
	struct customer_state next = customer_state_of(c);
	bool erased[POLICY_SUBJECTS_MAX] = {false}, any = n > 0;
	struct written w;
	enum err e = n ? customer_update(b, r->snapshot, c, changes, n, &next, &w) : ERR_OK;

	for (size_t i = 0; i < n; i++) {
		const int subject = changes[i].number < EXTERNAL_REF ? snapshot_subject(r->snapshot, changes[i].number) : -1;

		if (subject >= 0)
			erased[subject] = true;
	}
	if (!e)
		e = delete_records(r, b, c->row->id, scope, held, erased);
	for (size_t i = 0; i < POLICY_SUBJECTS_MAX; i++)
		any = any || erased[i];
	if (!e && doomed_purposes(scope, held))
		e = consent_erase_personal(b->db, c->row->id, doomed_purposes(scope, held));
	if (!e && (any || doomed_purposes(scope, held)))
		e = export_drop(b->db, c->row->id);
	if (!e && any)
		e = recipients_tell(r, b, x->job->request, "erasure", c->row, erased);
	if (n && !e) {
		entry.row_version = w.version;
		entry.row_sha256 = w.row_sha256;
	}
	return e ? e : audit_add(r, b, &entry);
}

static enum step erase_part_decide(struct req *r, struct batch *b)
{
	struct erasure *x = r->plan;
	const struct target t = {.id = x->job->customer, .lock = true};
	struct change *changes;
	struct rights_scope scope, held;
	struct customer_row *row;
	struct customer *c;
	bool any;
	size_t n;

	if (!target_locked(b, &t))
		return STEP_MORE;
	row = reads_get(b->reads, x->job->customer);
	r->err = row && row->locked ? customer_open(b, row, &c) : ERR_NOT_FOUND;
	if (!r->err)
		r->err = holds_of(b->db, r->snapshot, x->job->customer, b->now_us, &held, &any);
	if (!r->err)
		r->err = scope_load(r->snapshot, x->job->scope, &scope);
	changes = arena_array(&b->arena, CUSTOMER_UNITS_MAX, sizeof *changes);
	if (!r->err && !changes)
		r->err = ERR_MEMORY;
	if (r->err)
		return STEP_FAIL;
	x->held = any && overlap(r, &scope, &held);
	n = doomed(r, c, &scope, &held, changes);
	if (!x->asked) {
		const struct field_changes all = {.list = changes, .n = n};

		x->asked = true;
		if (changes_want_old(&all, b, c))
			return STEP_MORE;
	}
	r->err = erase_part(r, b, x, c, changes, n, &scope, &held);
	b->change = true;
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route whole_route = {.method = "", .pattern = "", .operation = "erasure.whole", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                         .want = erase_want, .decide = erase_whole_decide};
static const struct route part_route = {.method = "", .pattern = "", .operation = "erasure.part", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .want = erase_want, .decide = erase_part_decide};

static enum err enter_ledger(struct app *app, struct erasure *x)
{
	char room[CONFIG_PATH_MAX];
	struct keyring *k = app_keyring(app);
	struct buf why;
	enum err e;

	buf_init(&why, 0);
	e = ledger_append(config_ledger(app->config, room), keyring_key(k, KEYRING_LEDGER), x->job->customer, x->job->request,
	                  clock_now_us(), &x->entry, &why);
	keyring_free(k);
	if (e)
		log_event(LOG_ERROR, "ledger", "%s", buf_string(&why));
	buf_fini(&why);
	return e;
}

enum err erase_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end)
{
	struct erasure x = {.job = job};
	struct snapshot *s = app_snapshot(app);
	struct rights_scope scope, held;
	bool any = false;
	enum err e = s ? ERR_OK : ERR_UNAVAILABLE;

	(void)w;
	*end = RIGHTS_COMPLETED;
	if (!job->customer) { /* an earlier run has done it */
		snapshot_drop(s);
		return ERR_OK;
	}
	if (!e)
		e = scope_load(s, job->scope, &scope);
	if (!e)
		e = holds_of(db, s, job->customer, clock_now_us(), &held, &any);
	if (!e)
		e = recipients_keep(app, db, job, s, &scope);
	snapshot_drop(s);
	if (!e && scope.all && !any) {
		*end = RIGHTS_UNFINISHED; /* what the ledger may have is completed, whatever happens */
		e = enter_ledger(app, &x);
	}
	if (!e)
		e = internal_run(app, x.entry.position ? &whole_route : &part_route, &x, "rights");
	if (!e)
		*end = x.held ? RIGHTS_ON_HOLD : RIGHTS_COMPLETED;
	if (!e && !x.held)
		e = rights_progress(db, job->request, 1, 1);
	return e;
}
