/* consent_state.c: events to bits. Pure, but for consent_record. */
#include "vault/app/consent_state.h"

#include <string.h>

static const char *const kind_names[CONSENT_KINDS] = {
    [CONSENT_GIVEN] = "given",
    [CONSENT_REFUSED] = "refused",
    [CONSENT_WITHDRAWN] = "withdrawn",
    [CONSENT_EXPIRED] = "expired",
    [BASIS_RECORDED] = "basis_recorded",
    [BASIS_ENDED] = "basis_ended",
    [OBJECTION_MADE] = "objected",
    [OBJECTION_LIFTED] = "objection_lifted",
    [RESTRICTION_SET] = "restricted",
    [RESTRICTION_LIFTED] = "restriction_lifted",
};

const char *consent_kind_name(int kind)
{
	return kind > 0 && kind < CONSENT_KINDS ? kind_names[kind] : NULL;
}

static void put_revision(uint8_t *bytes, int64_t revision)
{
	for (unsigned i = 0; i < 8; i++)
		bytes[CONSENT_STATE_LEN - 8 + i] = (uint8_t)((uint64_t)revision >> (56 - 8 * i));
}

static int64_t get_revision(const uint8_t *bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | bytes[CONSENT_STATE_LEN - 8 + i];
	return (int64_t)v;
}

void consent_state_init(struct consent_state *s, int64_t revision)
{
	*s = (struct consent_state){.valid_until_us = INT64_MAX};
	put_revision(s->bytes, revision);
}

unsigned consent_state_bits(const struct consent_state *s, uint16_t purpose)
{
	const unsigned index = purpose - 1u;

	if (index >= POLICY_PURPOSES_MAX)
		return 0;
	return index % 2 ? s->bytes[index / 2] >> 4 : s->bytes[index / 2] & 15u;
}

static void set_bit(struct consent_state *s, uint16_t purpose, unsigned bit, bool on)
{
	const unsigned index = purpose - 1u, shifted = bit << (index % 2 ? 4 : 0);

	if (index >= POLICY_PURPOSES_MAX)
		return;
	s->bytes[index / 2] = (uint8_t)(on ? s->bytes[index / 2] | shifted : s->bytes[index / 2] & ~shifted);
}

/* A row from before there were consents has a state of another length, and no consent. */
static int64_t revision_of(const struct customer_row *row)
{
	return row->state_len == CONSENT_STATE_LEN ? get_revision(row->state) : 0;
}

bool consent_outdated(const struct snapshot *snap, const struct customer_row *row, uint16_t purpose)
{
	for (size_t i = 0; i < snap->n_purposes; i++)
		if (snap->purposes[i].number == purpose)
			return snap->purposes[i].renewed_revision > revision_of(row);
	return false;
}

void consent_state_of(const struct snapshot *snap, const struct customer_row *row, struct consent_state *out)
{
	const size_t nibbles = row->state_len < POLICY_PURPOSES_MAX / 2 ? row->state_len : POLICY_PURPOSES_MAX / 2;

	consent_state_init(out, snap->revision);
	memcpy(out->bytes, row->state, nibbles);
	out->valid_until_us = row->state_valid_until_us;
	for (size_t i = 0; i < snap->n_purposes; i++)
		if (snap->purposes[i].renewed_revision > revision_of(row))
			set_bit(out, snap->purposes[i].number, STATE_CONSENTED, false);
}

static void set_of_kind(struct consent_state *s, uint16_t purpose, enum consent_kind kind)
{
	switch (kind) {
	case CONSENT_GIVEN: set_bit(s, purpose, STATE_CONSENTED, true); break;
	case CONSENT_REFUSED:
	case CONSENT_WITHDRAWN:
	case CONSENT_EXPIRED: set_bit(s, purpose, STATE_CONSENTED, false); break;
	case BASIS_RECORDED: set_bit(s, purpose, STATE_BASIS, true); break;
	case BASIS_ENDED: set_bit(s, purpose, STATE_BASIS, false); break;
	case OBJECTION_MADE: set_bit(s, purpose, STATE_OBJECTED, true); break;
	case OBJECTION_LIFTED: set_bit(s, purpose, STATE_OBJECTED, false); break;
	case RESTRICTION_SET: set_bit(s, purpose, STATE_RESTRICTED, true); break;
	case RESTRICTION_LIFTED: set_bit(s, purpose, STATE_RESTRICTED, false); break;
	case CONSENT_KINDS: break;
	}
}

void consent_state_apply(struct consent_state *s, const struct consent_event *e)
{
	if (e->purpose)
		set_of_kind(s, e->purpose, e->kind);
	else
		for (uint16_t p = 1; p <= POLICY_PURPOSES_MAX; p++)
			set_of_kind(s, p, e->kind);
	if (e->kind == CONSENT_GIVEN && e->valid_until_us < s->valid_until_us)
		s->valid_until_us = e->valid_until_us;
}

/* The personal part is bound to what the event says. */
static struct seal_place place_of(int64_t customer, uint32_t generation, const struct consent_event *e)
{
	return (struct seal_place){.type = SEAL_NOTE,
	                           .customer = (uint64_t)customer,
	                           .subject = e->purpose,
	                           .item = (uint64_t)e->kind,
	                           .version = 1,
	                           .dek_generation = generation,
	                           .extra = e->detail,
	                           .extra_len = strlen(e->detail)};
}

enum err consent_write_events(struct batch *b, int64_t customer, uint32_t dek_generation, const struct consent_event *events,
                              size_t n)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < n && !e; i++) {
		struct consent_write w = {.purpose = events[i].purpose,
		                          .kind = (int32_t)events[i].kind,
		                          .dek_generation = dek_generation,
		                          .valid_until_us = events[i].valid_until_us,
		                          .notice_version = events[i].notice_version,
		                          .detail = events[i].detail};

		if (events[i].personal) {
			const struct seal_place place = place_of(customer, dek_generation, &events[i]);
			uint8_t *sealed = arena_alloc(&b->arena, seal_size(events[i].personal_len));

			if (!sealed)
				return ERR_MEMORY;
			e = seal_unit(b->sealer, &place, events[i].personal, events[i].personal_len, sealed);
			w.sealed = sealed;
			w.sealed_len = seal_size(events[i].personal_len);
		}
		if (!e)
			writes_consent(b->writes, customer, &w);
	}
	return e;
}

enum err consent_open_personal(struct batch *b, int64_t customer, uint32_t dek_generation, const struct consent_event *e,
                               const uint8_t *sealed, size_t len, struct buf *out)
{
	const struct seal_place place = place_of(customer, dek_generation, e);
	uint8_t *room = len < SEAL_OVERHEAD ? NULL : buf_reserve(out, len);
	size_t plain = 0;
	enum err err;

	if (len < SEAL_OVERHEAD)
		return ERR_SEAL;
	if (!room)
		return ERR_MEMORY;
	err = customer_alarm(seal_open(b->sealer, &place, sealed, len, room, &plain), "consent");
	if (!err)
		out->len += plain;
	return err;
}

enum err consent_next_state(struct batch *b, const struct snapshot *s, struct customer *c, const struct consent_event *events,
                            size_t n, struct customer_state *next)
{
	struct consent_state *state = arena_alloc(&b->arena, sizeof *state);
	enum err e;

	*next = customer_state_of(c);
	if (!n)
		return ERR_OK;
	if (!state)
		return ERR_MEMORY;
	consent_state_of(s, c->row, state);
	for (size_t i = 0; i < n; i++)
		consent_state_apply(state, &events[i]);
	next->purposes = state->bytes;
	next->purposes_len = sizeof state->bytes;
	next->valid_until_us = state->valid_until_us;
	b->change = true;
	e = customer_use(b, c);
	return e ? e : consent_write_events(b, c->row->id, c->row->dek_generation, events, n);
}

enum err consent_record(struct batch *b, const struct snapshot *s, struct customer *c, const struct consent_event *events,
                        size_t n, struct written *out)
{
	struct customer_state next;
	enum err e = consent_next_state(b, s, c, events, n, &next);

	return e ? e : customer_update(b, s, c, NULL, 0, &next, out);
}
