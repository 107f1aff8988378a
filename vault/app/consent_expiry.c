/* consent_expiry.c: writes the events of consents that have expired, and the state anew. They have stopped
 * counting at their second already: past the row's state_valid_until no consent of it counts until this is done. */
#include "vault/app/consent_expiry.h"

#include "base/clock.h"
#include "store/consents.h"
#include "vault/app/audit_record.h"
#include "vault/app/consent_read.h"
#include "vault/app/internal.h"

#include <stdio.h>
#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u
#define LOT 100 /* customers a batch */

struct lot {
	int64_t ids[LOT];
	size_t n;
};

/* What stands of one purpose after all events. */
struct standing {
	bool given;
	int64_t valid_until_us;
	uint32_t notice_version;
};

static const struct purpose *purpose_of(const struct snapshot *s, unsigned number)
{
	for (size_t i = 0; i < s->n_purposes; i++)
		if (s->purposes[i].number == number)
			return &s->purposes[i];
	return NULL;
}

size_t consent_derive(const struct snapshot *s, const struct db_result *rows, int64_t now_us, struct consent_state *out,
                      uint16_t expired[static POLICY_PURPOSES_MAX])
{
	struct standing standing[POLICY_PURPOSES_MAX + 1] = {{0}};
	size_t n = 0;

	consent_state_init(out, s->revision);
	for (size_t i = 0; i < db_rows(rows); i++) {
		struct consent_event e;

		consent_event_read(rows, i, &e);
		consent_state_apply(out, &e);
		if (e.purpose > POLICY_PURPOSES_MAX || e.kind > CONSENT_EXPIRED)
			continue;
		standing[e.purpose] = (struct standing){e.kind == CONSENT_GIVEN, e.valid_until_us, e.notice_version};
	}
	out->valid_until_us = INT64_MAX;
	for (uint16_t p = 1; p <= POLICY_PURPOSES_MAX; p++) {
		const struct purpose *purpose = purpose_of(s, p);
		struct consent_event end = {.kind = CONSENT_EXPIRED, .purpose = p};

		if (!standing[p].given)
			continue;
		if (standing[p].valid_until_us <= now_us) {
			consent_state_apply(out, &end);
			expired[n++] = p;
		} else if (purpose && standing[p].notice_version < purpose->renewed_version) {
			consent_state_apply(out, &end); /* outdated: it does not count, and is no expiry */
		} else if (standing[p].valid_until_us < out->valid_until_us) {
			out->valid_until_us = standing[p].valid_until_us;
		}
	}
	return n;
}

static enum err expire_one(struct req *r, struct batch *b, struct customer *c)
{
	struct consent_state *state = arena_alloc(&b->arena, sizeof *state);
	struct customer_state next = customer_state_of(c);
	struct consent_event events[POLICY_PURPOSES_MAX];
	uint16_t expired[POLICY_PURPOSES_MAX];
	struct db_result *rows = NULL;
	const char *detail = NULL;
	char text[120];
	struct written w;
	size_t n = 0;
	enum err e = state ? consent_events(b->db, c->row->id, &rows) : ERR_MEMORY;

	if (!e)
		n = consent_derive(r->snapshot, rows, b->now_us, state, expired);
	snprintf(text, sizeof text, "{\"actor\":\"%s\"}", r->identity); /* vault:NODE: no character to escape */
	if (!e && !(detail = arena_copy(&b->arena, text, strlen(text))))
		e = ERR_MEMORY;
	for (size_t i = 0; i < n; i++)
		events[i] = (struct consent_event){.kind = CONSENT_EXPIRED, .purpose = expired[i], .valid_until_us = INT64_MAX, .detail = detail};
	if (!e) {
		next.purposes = state->bytes;
		next.purposes_len = sizeof state->bytes;
		next.valid_until_us = state->valid_until_us;
		e = customer_use(b, c);
	}
	if (!e)
		e = consent_write_events(b, c->row->id, c->row->dek_generation, events, n);
	if (!e)
		e = customer_update(b, r->snapshot, c, NULL, 0, &next, &w);
	if (!e) {
		const struct audit_entry entry = {.activity = "consent", .customer = c, .object = "expired", .count = (uint32_t)n,
		                                  .row_version = w.version, .row_sha256 = w.row_sha256, .state = -1};

		e = audit_add(r, b, &entry);
	}
	db_result_free(rows);
	return e;
}

static enum step expire_want(struct req *r, struct batch *b)
{
	const struct lot *lot = r->plan;

	for (size_t i = 0; i < lot->n; i++) {
		if (!batch_claim(b, r, CLAIM_CUSTOMER, lot->ids[i]))
			return STEP_AGAIN;
		reads_customer_locked(b->reads, lot->ids[i]);
	}
	return STEP_MORE;
}

/* A customer whose row does not open is left: it is an alarm already, and the others go on. */
static enum step expire_decide(struct req *r, struct batch *b)
{
	const struct lot *lot = r->plan;

	for (size_t i = 0; i < lot->n; i++) {
		const struct target t = {.id = lot->ids[i], .lock = true};

		if (!target_locked(b, &t))
			return STEP_MORE;
	}
	for (size_t i = 0; i < lot->n && !r->err; i++) {
		struct customer_row *row = reads_get(b->reads, lot->ids[i]);
		struct customer *c;

		if (row && row->locked && row->state_valid_until_us <= b->now_us && !customer_open(b, row, &c))
			r->err = expire_one(r, b, c);
	}
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route expire_route = {.method = "", .pattern = "", .operation = "consent.expire",
                                          .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK, .want = expire_want, .decide = expire_decide};

enum err consent_expire(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct db_result *rows = NULL;
	struct lot lot = {.n = 0};
	enum err e = consent_expired(db, clock_now_us(), LOT, &rows);

	(void)w;
	for (size_t i = 0; !e && i < db_rows(rows); i++)
		lot.ids[lot.n++] = db_int8(rows, i, 0);
	db_result_free(rows);
	*more = lot.n == LOT;
	return e || !lot.n ? e : internal_run(app, &expire_route, &lot, NULL);
}
