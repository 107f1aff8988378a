/* retention.c: a pass: the walk that notes ages, then lot after lot of each subject that has a retention. */
#include "vault/app/retention.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "store/configuration.h"
#include "vault/app/audit_record.h"
#include "vault/app/hold.h"
#include "vault/app/internal.h"
#include "vault/app/values.h"

#define CLAIM_CUSTOMER 0xc5000000000000u
#define LOT 100
#define TICKS 2           /* a second */
#define WALK_PAGE 1000    /* customers a tick */
#define PASS_US ((int64_t)3600 * 1000000)
#define DAY_US ((int64_t)86400 * 1000000)

struct lot {
	struct retention_subject subject;
	int64_t before_us;
	size_t n;
	int64_t customers[LOT], items[LOT]; /* items: of records */
	bool asked; /* for values over 1 KiB */
	int64_t swept, kept;
};

bool retention_subject(const struct snapshot *s, size_t n, struct retention_subject *out)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (f->retention_days && n-- == 0) {
			*out = (struct retention_subject){f->record ? RETENTION_RECORD : RETENTION_FIELD, f->number, f->retention_days, f->name};
			return true;
		}
	}
	for (size_t i = 0; i < s->n_purposes; i++) {
		const struct purpose *p = &s->purposes[i];

		if (p->retention_days && n-- == 0) {
			*out = (struct retention_subject){RETENTION_CONSENT, p->number, p->retention_days, p->name};
			return true;
		}
	}
	return false;
}

int64_t retention_before(const struct retention_subject *subject, int64_t now_us)
{
	return now_us - subject->days * DAY_US;
}

/* ---- a lot, in a batch ---- */

static bool seen_before(const struct lot *lot, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (lot->customers[k] == lot->customers[i])
			return true;
	return false;
}

static enum step sweep_want(struct req *r, struct batch *b)
{
	struct lot *lot = r->plan;

	lot->asked = false;
	for (size_t i = 0; i < lot->n; i++) {
		if (seen_before(lot, i))
			continue;
		if (!batch_claim(b, r, CLAIM_CUSTOMER, lot->customers[i]))
			return STEP_AGAIN;
		reads_customer_locked(b->reads, lot->customers[i]);
	}
	return STEP_MORE;
}

/* The locked customer; NULL: there is none. One that does not open is an alarm already, and is left. */
static struct customer *open_locked(struct batch *b, int64_t id)
{
	struct customer_row *row = reads_get(b->reads, id);
	struct customer *c;

	return row && row->locked && !customer_open(b, row, &c) ? c : NULL;
}

/* A hold keeps what it names; a restriction, whatever its purpose, keeps all. */
static enum err is_kept(struct req *r, struct batch *b, const struct lot *lot, const struct customer *c, bool *kept)
{
	struct rights_scope held;
	bool any;
	const int subject = snapshot_subject(r->snapshot, lot->subject.number);
	enum err e = holds_of(b->db, r->snapshot, c->row->id, b->now_us, &held, &any);

	*kept = !e && any && (lot->subject.sort == RETENTION_CONSENT ? held.all || (held.purposes >> (lot->subject.number - 1) & 1)
	                                                             : subject < 0 || scope_has(&held, (size_t)subject));
	for (uint16_t p = 1; p <= POLICY_PURPOSES_MAX && !*kept; p++)
		*kept = (customer_state(b, c, p) & STATE_RESTRICTED) != 0;
	return e;
}

static enum err note(struct req *r, struct batch *b, const struct lot *lot, const struct customer *c, const struct written *w, int64_t n)
{
	const int subject = snapshot_subject(r->snapshot, lot->subject.number);
	const struct audit_field field = {(uint16_t)(subject < 0 ? 0 : subject), FORM_DENY};
	struct audit_entry entry = {.activity = "erase", .object = "retention", .customer = c, .count = (uint32_t)n, .state = -1};

	if (lot->subject.sort != RETENTION_CONSENT) {
		entry.fields = &field;
		entry.n_fields = 1;
	}
	if (lot->subject.sort == RETENTION_RECORD)
		entry.kind = lot->subject.number;
	if (w) {
		entry.row_version = w->version;
		entry.row_sha256 = w->row_sha256;
	}
	return audit_add(r, b, &entry);
}

/* Only the very value whose age is known: another version is younger, and the next walk notes it. */
static enum err sweep_value(struct req *r, struct batch *b, struct lot *lot, struct customer *c)
{
	const struct unit *u = customer_unit(c, lot->subject.number);
	const struct change change = {.number = lot->subject.number};
	const struct customer_state state = customer_state_of(c);
	uint32_t version = 0;
	int64_t at_us = 0;
	bool found;
	struct written w;
	enum err e = retention_age(b->db, c->row->id, lot->subject.number, &found, &version, &at_us);

	if (e || (u && (!found || version != u->version || at_us >= lot->before_us)))
		return e;
	e = retention_age_drop(b->db, c->row->id, lot->subject.number);
	if (e || !u)
		return e;
	e = customer_update(b, r->snapshot, c, &change, 1, &state, &w);
	lot->swept++;
	return e ? e : note(r, b, lot, c, &w, 1);
}

static enum err sweep_records(struct req *r, struct batch *b, struct lot *lot, const struct customer *c)
{
	int64_t n = 0;

	for (size_t i = 0; i < lot->n; i++)
		if (lot->customers[i] == c->row->id) {
			writes_delete_record(b->writes, c->row->id, lot->subject.number, lot->items[i]);
			n++;
		}
	lot->swept += n;
	return note(r, b, lot, c, NULL, n);
}

static enum err sweep_consents(struct req *r, struct batch *b, struct lot *lot, const struct customer *c)
{
	int64_t n = 0;
	enum err e = ERR_OK;

	if (!(customer_state(b, c, lot->subject.number) & (STATE_CONSENTED | STATE_BASIS)))
		e = retention_consents_delete(b->db, c->row->id, lot->subject.number, lot->before_us, &n);
	lot->swept += n;
	return e || !n ? e : note(r, b, lot, c, NULL, n);
}

static enum err sweep_customer(struct req *r, struct batch *b, struct lot *lot, int64_t id)
{
	struct customer *c = open_locked(b, id);
	bool kept = false;
	enum err e;

	if (!c) /* of a customer who is gone nothing is left but this */
		return reads_get(b->reads, id) || lot->subject.sort != RETENTION_FIELD ? ERR_OK : retention_age_drop(b->db, id, lot->subject.number);
	e = is_kept(r, b, lot, c, &kept);
	lot->kept += kept;
	if (e || kept)
		return e;
	switch (lot->subject.sort) {
	case RETENTION_FIELD: return sweep_value(r, b, lot, c);
	case RETENTION_RECORD: return sweep_records(r, b, lot, c);
	case RETENTION_CONSENT: return sweep_consents(r, b, lot, c);
	}
	return ERR_OK;
}

/* Old values are wanted where index entries hang on them. true: something is to be read first. */
static bool want_values(struct batch *b, const struct lot *lot)
{
	for (size_t i = 0; i < lot->n && lot->subject.sort == RETENTION_FIELD; i++) {
		const struct customer *c = open_locked(b, lot->customers[i]);
		const struct unit *u = c ? customer_unit(c, lot->subject.number) : NULL;

		if (u)
			customer_want_value(b, c, u);
	}
	return reads_pending(b->reads);
}

static enum step sweep_decide(struct req *r, struct batch *b)
{
	struct lot *lot = r->plan;

	for (size_t i = 0; i < lot->n; i++) {
		const struct target t = {.id = lot->customers[i], .lock = true};

		if (!target_locked(b, &t))
			return STEP_MORE;
	}
	if (!lot->asked) {
		lot->asked = true;
		if (want_values(b, lot))
			return STEP_MORE;
	}
	lot->swept = lot->kept = 0; /* a batch may run this more than once */
	for (size_t i = 0; i < lot->n && !r->err; i++)
		if (!seen_before(lot, i))
			r->err = sweep_customer(r, b, lot, lot->customers[i]);
	if (!r->err && lot->swept)
		r->err = retention_swept(b->db, lot->subject.sort, lot->subject.number, lot->swept, b->now_us);
	b->change = b->change || lot->swept;
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route sweep_route = {.method = "", .pattern = "", .operation = "retention.sweep", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                         .want = sweep_want, .decide = sweep_decide};

/* ---- the pass ---- */

/* The configuration in force, also where no request has come to this node since it changed. */
static enum err current(struct app *app, struct db *db, struct snapshot **out)
{
	struct buf why;
	int64_t revision = 0;
	enum err e = configuration_revision(db, &revision);

	*out = e ? NULL : app_snapshot(app);
	if (e || (*out && (*out)->revision == revision))
		return e;
	snapshot_drop(*out);
	buf_init(&why, 4096);
	e = snapshot_load(db, out, &why);
	if (!e)
		app_publish(app, *out);
	buf_fini(&why);
	return e;
}

static enum err walk(struct retention_pass *pass, const struct snapshot *s, struct db *db)
{
	struct db_array fields;
	struct retention_subject subject;
	enum err e = ERR_OK;

	db_array_init(&fields, DB_INT4);
	for (size_t i = 0; retention_subject(s, i, &subject); i++)
		if (subject.sort == RETENTION_FIELD)
			db_array_int4(&fields, subject.number);
	if (fields.n)
		e = retention_walk(db, &fields, WALK_PAGE, &pass->walked);
	else
		pass->walked = INT64_MAX;
	db_array_fini(&fields);
	return e;
}

/* Nothing due behind the cursor: *more says that the next subject may be looked at at once. */
static enum err sweep_lot(struct app *app, struct retention_pass *pass, const struct retention_subject *subject, struct db *db, int64_t rate, bool *more)
{
	struct lot lot = {.subject = *subject, .before_us = retention_before(subject, clock_now_us())};
	struct retention_cursor after = {pass->at_us, pass->tie};
	const int64_t most = rate / TICKS < 1 ? 1 : rate / TICKS < LOT ? rate / TICKS : LOT;
	struct db_result *rows = NULL;
	enum err e = retention_due(db, subject->sort, subject->number, lot.before_us, &after, (int32_t)most, &rows);

	for (size_t i = 0; !e && i < db_rows(rows); i++, lot.n++) {
		lot.customers[i] = db_int8(rows, i, 0);
		after.at_us = db_time_us(rows, i, 1);
		lot.items[i] = after.tie = db_int8(rows, i, 2);
	}
	db_result_free(rows);
	*more = !e && lot.n == 0;
	if (!e && lot.n)
		e = internal_run(app, &sweep_route, &lot, subject->sort == RETENTION_CONSENT ? subject->name : NULL);
	if (e)
		return e;
	metric_add(METRIC_RETENTION_SWEPT, lot.swept);
	metric_add(METRIC_RETENTION_KEPT, lot.kept);
	pass->at_us = lot.n ? after.at_us : 0;
	pass->tie = lot.n ? after.tie : 0;
	pass->subject += lot.n == 0;
	return ERR_OK;
}

enum err retention_sweep(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct retention_pass *pass = &app->retention;
	const int64_t rate = app->config->retention_rate;
	struct retention_subject subject;
	struct snapshot *s = NULL;
	enum err e = current(app, db, &s);

	(void)w;
	*more = false;
	if (e)
		return e;
	if (pass->revision != s->revision || (pass->next_us && clock_mono_us() >= pass->next_us))
		*pass = (struct retention_pass){.revision = s->revision};
	if (!pass->next_us) {
		if (pass->walked != INT64_MAX)
			e = walk(pass, s, db);
		else if (rate && retention_subject(s, pass->subject, &subject))
			e = sweep_lot(app, pass, &subject, db, rate, more);
		else
			pass->next_us = clock_mono_us() + PASS_US;
	}
	snapshot_drop(s);
	return e;
}
