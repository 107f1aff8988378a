/* customer_create.c: POST /v1/customers, :batch, and PUT :by-ref. One shape: a
 * list of items, each of which becomes a customer (or, by reference, the next
 * version of one). */
#include "vault/app/create_int.h"

#include "base/log.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"
#include "store/statements.h"

#include <string.h>

#define REF_CANDIDATES 1000
#define CLAIM_REF 0x1ef00000000000u
#define CLAIM_CUSTOMER 0xc5000000000000u

/* The uniqueness of a reference: its bucket is locked, its candidates are read. */
static bool want_ref(struct req *r, struct batch *b, struct item *it)
{
	const struct change *ref = &it->changes.list[it->changes.n - 1];
	const uint32_t space = customer_space(ref->number);

	if (blind_tag(b->blind, space, 0, ref->text, ref->len, &it->ref_tag)) {
		it->err = ERR_CRYPTO;
		return true;
	}
	if (!batch_claim(b, r, CLAIM_REF + space, it->ref_tag))
		return false;
	reads_bucket(b->reads, (uint32_t)((uint64_t)it->ref_tag % LOCK_BUCKETS));
	it->ref_lookup = reads_lookup(b->reads, space, keyring_index_epoch(b->keyring), it->ref_tag, 0, REF_CANDIDATES + 1);
	return true;
}

enum step create_want(struct req *r, struct batch *b)
{
	struct create_plan *p = r->plan;

	p->replay = p->large_read = false;
	if (!idempotency_want(r, b))
		return STEP_AGAIN;
	for (size_t i = 0; i < p->n; i++) {
		struct item *it = &p->items[i];

		it->found = 0;
		it->err = it->parse_err;
		it->pointer = it->parse_pointer;
		if (!it->err && it->has_ref && !want_ref(r, b, it))
			return STEP_AGAIN;
	}
	return STEP_MORE;
}

enum step create_batch_want(struct req *r, struct batch *b)
{
	return create_want(r, b);
}

enum step put_by_ref_want(struct req *r, struct batch *b)
{
	return create_want(r, b);
}

/* Who has this reference? Decrypts each candidate and compares. */
static enum err find_ref(struct batch *b, struct item *it)
{
	const struct change *ref = &it->changes.list[it->changes.n - 1];
	const size_t rows = reads_lookup_rows(b->reads, it->ref_lookup);
	enum err e = ERR_OK;

	for (size_t i = 0; i < rows && !e && !it->found; i++) {
		struct customer_row *row = reads_lookup_row(b->reads, it->ref_lookup, i);
		const struct unit *u;
		struct customer *c;

		e = customer_open(b, row, &c);
		u = e ? NULL : customer_unit(c, ref->number);
		if (!u)
			continue;
		buf_reset(&b->scratch);
		e = customer_value(b, c, u, &b->scratch);
		if (!e && b->scratch.len == ref->len && !memcmp(b->scratch.data, ref->text, ref->len))
			it->found = row->id;
	}
	buf_reset(&b->scratch);
	if (!e && !it->found && rows > REF_CANDIDATES) { /* it may stand behind those read: never a second customer of one reference */
		log_event(LOG_ERROR, "index_coarse", "more than %d customers share an index tag: VAULT_EXPECTED_CUSTOMERS was too low", REF_CANDIDATES);
		return ERR_INTERNAL;
	}
	return e;
}

/* The same reference twice in one request: the tag is the same, so is the text. */
static bool ref_repeated(const struct create_plan *p, size_t at)
{
	const struct change *mine = &p->items[at].changes.list[p->items[at].changes.n - 1];

	for (size_t i = 0; i < at; i++) {
		const struct item *other = &p->items[i];
		const struct change *theirs;

		if (other->err || !other->has_ref || other->ref_tag != p->items[at].ref_tag)
			continue;
		theirs = &other->changes.list[other->changes.n - 1];
		if (theirs->len == mine->len && !memcmp(theirs->text, mine->text, mine->len))
			return true;
	}
	return false;
}

static enum err audit_write(struct req *r, struct batch *b, const struct item *it, const char *activity)
{
	struct audit_field fields[FIELDS_MAX + 1];
	struct audit_entry entry = {.activity = activity,
	                            .customer = &it->written.customer,
	                            .fields = fields,
	                            .row_version = it->written.version,
	                            .row_sha256 = it->written.row_sha256,
	                            .state = it->written.customer.row ? (int)value_state(r, b, &it->written.customer) : -1};

	for (size_t i = 0; i < it->changes.n; i++)
		if (it->changes.list[i].number < EXTERNAL_REF)
			fields[entry.n_fields++] = (struct audit_field){it->changes.subjects[i], FORM_PLAIN};
	return audit_add(r, b, &entry);
}

static bool is_minor(const struct req *r, const struct batch *b, const struct item *it)
{
	for (size_t i = 0; i < it->changes.n; i++) {
		const struct change *ch = &it->changes.list[i];

		if (ch->number < EXTERNAL_REF && ch->text && r->snapshot->fields[it->changes.subjects[i]].type == TYPE_BIRTH_DATE &&
		    consent_minor(ch->text, ch->len, b->now_us))
			return true;
	}
	return false;
}

/* Consents beside fields: a right of its own, and a guardian's word for a child's. known: the customer, where there is one. */
static enum err consents_allowed(struct req *r, struct batch *b, const struct item *it, struct customer *known)
{
	struct policy_verdict v;
	bool minor;
	enum err e;

	if (!it->n_consents)
		return ERR_OK;
	if (!policy_has_right(r->snapshot->policy, &r->who, RIGHT_RECORD_CONSENTS, &v))
		return req_fail(r, ERR_POLICY_DENIED, "/consents");
	minor = is_minor(r, b, it);
	if (!minor && known) {
		e = consent_customer_minor(b, r->snapshot, known, &minor);
		if (e)
			return e;
	}
	for (size_t i = 0; i < it->n_consents; i++)
		if (minor && it->consents[i].event.kind == CONSENT_GIVEN && !it->consents[i].guardian)
			return req_fail(r, ERR_CONSENT, "/consents");
	return ERR_OK;
}

static struct consent_event *events_of(struct batch *b, const struct item *it)
{
	struct consent_event *events = arena_array(&b->arena, it->n_consents + 1, sizeof *events);

	for (size_t i = 0; events && i < it->n_consents; i++)
		events[i] = it->consents[i].event;
	return events;
}

static enum err create_with_consents(struct req *r, struct batch *b, struct item *it)
{
	const struct newcomer in = {.changes = it->changes.list,
	                            .n_changes = it->changes.n,
	                            .source = it->source,
	                            .consents = events_of(b, it),
	                            .n_consents = it->n_consents};

	return in.consents ? customer_create(b, r->snapshot, &in, &it->written) : ERR_MEMORY;
}

static enum err next_state(struct batch *b, struct req *r, const struct item *it, struct customer *c, struct customer_state *next)
{
	const struct consent_event *events = events_of(b, it);

	return events ? consent_next_state(b, r->snapshot, c, events, it->n_consents, next) : ERR_MEMORY;
}

static enum err make_one(struct req *r, struct batch *b, struct create_plan *p, size_t at)
{
	struct item *it = &p->items[at];
	enum err e = it->err ? it->err : changes_allowed(r, &it->changes, 0);

	if (!e && it->has_ref) {
		e = find_ref(b, it);
		if (!e && (it->found || ref_repeated(p, at)))
			e = req_fail(r, ERR_REF_TAKEN, "/external_ref");
	}
	if (!e)
		e = consents_allowed(r, b, it, NULL);
	if (!e)
		e = create_with_consents(r, b, it);
	if (!e)
		e = audit_write(r, b, it, "create");
	return e;
}

/* Ids that rebuild the reply: eight bytes a customer, zero for an item that failed. */
static enum err keep_ids(struct req *r, struct batch *b, const struct create_plan *p, int32_t status)
{
	struct buf ids;
	enum err e;

	if (!r->idempotency_key)
		return ERR_OK;
	buf_init(&ids, 0);
	for (size_t i = 0; i < p->n; i++) {
		buf_u64(&ids, p->items[i].err ? 0 : (uint64_t)p->items[i].written.id);
		buf_u32(&ids, (uint32_t)p->items[i].err);
	}
	e = buf_err(&ids);
	if (!e)
		e = idempotency_keep(r, b, status, ids.data, ids.len);
	buf_fini(&ids);
	return e;
}

static enum step begin_replay(struct batch *b, struct create_plan *p, const uint8_t *ids, size_t len)
{
	struct reader in = reader_of(ids, len);

	p->replay = true;
	for (size_t i = 0; i < p->n; i++) {
		p->items[i].found = (int64_t)reader_u64(&in);
		p->items[i].err = (enum err)reader_u32(&in);
		if (p->items[i].found)
			reads_customer(b->reads, p->items[i].found);
	}
	return STEP_MORE;
}

/* The tokens leave once more: a record a customer, or of what led nowhere. */
static enum err audit_replay(struct req *r, struct batch *b, const struct item *it)
{
	const struct audit_entry entry = {.activity = "read",
	                                  .code = it->err,
	                                  .asked = "token",
	                                  .customer = it->err ? NULL : &it->written.customer,
	                                  .row_version = it->err ? 0 : it->written.version,
	                                  .state = it->err ? -1 : (int)value_state(r, b, &it->written.customer)};

	return audit_add(r, b, &entry);
}

static enum step finish_replay(struct req *r, struct batch *b, struct create_plan *p)
{
	for (size_t i = 0; i < p->n && !r->err; i++) {
		struct item *it = &p->items[i];
		struct customer_row *row = it->found ? reads_get(b->reads, it->found) : NULL;
		struct customer *c = NULL;

		if (!it->err)
			it->err = row ? customer_open(b, row, &c) : ERR_NOT_FOUND; /* erased since */
		if (!it->err) {
			it->written = (struct written){
			    .id = row->id, .version = row->version, .token_generation = row->token_generation, .customer = *c};
			secret_wipe(it->written.customer.dek, sizeof it->written.customer.dek);
		}
		if (!it->err || p->batch)
			r->err = audit_replay(r, b, it);
	}
	if (!r->err && !p->batch)
		r->err = p->items[0].err;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* true: the step to return stands in *step. */
static bool replayed(struct req *r, struct batch *b, struct create_plan *p, enum step *step)
{
	const uint8_t *ids;
	int32_t status;
	size_t len;

	if (p->replay) {
		*step = finish_replay(r, b, p);
		return true;
	}
	switch (idempotency_look(r, b, &status, &ids, &len)) {
	case REPLAY_NONE: return false;
	case REPLAY_REFUSED: *step = STEP_FAIL; return true;
	case REPLAY_FOUND: break;
	}
	r->status = status;
	*step = begin_replay(b, p, ids, len);
	return true;
}

enum step create_decide(struct req *r, struct batch *b)
{
	struct create_plan *p = r->plan;
	enum step step;
	enum err e;

	if (replayed(r, b, p, &step))
		return step;
	e = make_one(r, b, p, 0);
	r->status = 201;
	if (!e)
		e = keep_ids(r, b, p, 201);
	if (e && !r->err)
		r->err = e;
	return e ? STEP_FAIL : STEP_DONE;
}

/* One item's failure in a partial batch: its writes are cut, its record says so. */
static enum err fail_item(struct req *r, struct batch *b, struct item *it, const struct writes_mark *writes, const struct audit_mark *audit)
{
	const struct audit_entry entry = {.activity = "create", .code = it->err, .state = -1};

	writes_cut(b->writes, writes);
	audit_cut(r, b, audit);
	return audit_add(r, b, &entry);
}

enum step create_batch_decide(struct req *r, struct batch *b)
{
	struct create_plan *p = r->plan;
	enum step step;
	enum err e = ERR_OK;

	if (replayed(r, b, p, &step))
		return step;
	for (size_t i = 0; i < p->n && !e; i++) {
		struct writes_mark writes;
		struct audit_mark audit;
		struct item *it = &p->items[i];
		const bool parsed = !it->err;

		if (!p->partial) {
			e = make_one(r, b, p, i);
			if (e)
				req_fail(r, e, "/items/%zu%s", i, r->pointer ? r->pointer : "");
			continue;
		}
		writes_mark(b->writes, &writes);
		audit_mark(r, b, &audit);
		it->err = make_one(r, b, p, i);
		if (it->err && parsed)
			it->pointer = r->pointer;
		if (it->err)
			e = fail_item(r, b, it, &writes, &audit);
		r->err = ERR_OK;
		r->pointer = NULL;
	}
	if (!e)
		e = keep_ids(r, b, p, 200);
	if (e && !r->err)
		r->err = e;
	return e ? STEP_FAIL : STEP_DONE;
}

/* The customer that has the reference, locked. */
static enum step update_found(struct req *r, struct batch *b, struct create_plan *p)
{
	struct item *it = &p->items[0];
	const struct target target = {.id = it->found, .lock = true};
	struct customer_state state;
	struct customer_row *row;
	struct customer *c;

	if (!target_locked(b, &target))
		return STEP_MORE;
	row = reads_get(b->reads, it->found);
	if (!row || !row->locked)
		return STEP_AGAIN; /* erased in between: then it is to be created */
	r->err = customer_open(b, row, &c);
	if (!r->err) {
		r->about = c;
		r->err = changes_allowed(r, &it->changes, value_state(r, b, c));
	}
	if (r->err)
		return STEP_FAIL;
	if (!p->large_read) {
		p->large_read = true;
		if (changes_want_old(&it->changes, b, c))
			return STEP_MORE;
	}
	r->err = consents_allowed(r, b, it, c);
	if (!r->err)
		r->err = next_state(b, r, it, c, &state);
	/* the reference stays as it is: it is the last change */
	if (!r->err)
		r->err = customer_update(b, r->snapshot, c, it->changes.list, it->changes.n - 1, &state, &it->written);
	if (!r->err)
		r->err = audit_write(r, b, it, "update");
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step put_by_ref_decide(struct req *r, struct batch *b)
{
	struct create_plan *p = r->plan;
	struct item *it = &p->items[0];
	enum step step;
	enum err e = ERR_OK;

	if (replayed(r, b, p, &step))
		return step;
	if (it->found) {
		step = update_found(r, b, p);
		if (step != STEP_DONE)
			return step;
		r->status = 200;
	} else {
		e = find_ref(b, it);
		if (!e && it->found) {
			if (!batch_claim(b, r, CLAIM_CUSTOMER, it->found))
				return STEP_AGAIN;
			reads_customer_locked(b->reads, it->found);
			return STEP_MORE;
		}
		if (!e)
			e = make_one(r, b, p, 0);
		r->status = 201;
	}
	if (!e)
		e = keep_ids(r, b, p, r->status);
	if (e && !r->err)
		r->err = e;
	return e ? STEP_FAIL : STEP_DONE;
}
