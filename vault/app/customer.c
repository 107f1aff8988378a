/* customer.c: opens rows, and seals new ones. */
#include "vault/app/customer.h"

#include "base/log.h"
#include "base/metrics.h"
#include "codec/value.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"
#include "vault/app/consent_state.h"
#include "vault/app/slice.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_LEN 8
#define FIRST_GENERATION 1
#define GENERATION_MAX UINT16_MAX /* a token has 16 bits for it: one more, and the first tokens would open again */

enum err customer_alarm(enum err e, const char *what)
{
	if (e == ERR_SEAL) {
		metric_add(METRIC_SEAL_FAILURES, 1);
		log_event(LOG_ERROR, "seal_broken", "unit=%s: stored data was changed or misplaced behind the service's back", what);
	}
	return e;
}

/* What the header authenticates beside its place. */
static void header_extra(struct buf *out, uint32_t token_generation, int64_t valid_until_us, const uint8_t *state,
                         size_t state_len, const uint8_t *directory, size_t directory_len)
{
	buf_u32(out, token_generation);
	buf_u64(out, (uint64_t)valid_until_us);
	buf_u16(out, (uint16_t)state_len);
	buf_append(out, state, state_len);
	buf_append(out, directory, directory_len);
}

static struct seal_place place_of(enum seal_type type, int64_t id, uint16_t number, uint32_t version, uint32_t generation)
{
	return (struct seal_place){
	    .type = type, .customer = (uint64_t)id, .subject = number, .version = version, .dek_generation = generation};
}

static enum err read_directory(struct batch *b, struct customer *c)
{
	struct reader in = reader_of(c->row->fields, c->row->fields_len);

	c->n_units = reader_u16(&in);
	if (in.failed || c->n_units > CUSTOMER_UNITS_MAX)
		return ERR_SEAL;
	c->units = arena_array(&b->arena, c->n_units + 1, sizeof *c->units);
	if (!c->units)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->n_units; i++) {
		c->units[i].number = reader_u16(&in);
		c->units[i].version = reader_u32(&in);
		c->units[i].len = reader_u16(&in);
	}
	for (size_t i = 0; i < c->n_units; i++)
		c->units[i].sealed = reader_bytes(&in, c->units[i].len);
	return in.failed || in.left ? ERR_SEAL : ERR_OK;
}

static enum err open_key(struct batch *b, struct customer *c)
{
	const struct customer_row *row = c->row;
	const uint8_t *kek = keyring_kek(b->keyring, row->key_epoch);

	if (!kek) {
		log_event(LOG_ERROR, "key_epoch", "a customer's key is under epoch %u, which the keyring lacks", row->key_epoch);
		return ERR_NO_EPOCH;
	}
	if (row->wrapped_len != SEAL_DEK_LEN || row->key_generation != row->dek_generation)
		return ERR_SEAL;
	return seal_dek_unwrap(b->sealer, kek, (uint64_t)row->id, row->dek_generation, row->key_epoch, row->wrapped, c->dek);
}

static enum err open_header(struct batch *b, struct customer *c)
{
	const struct customer_row *row = c->row;
	const size_t directory_len = 2 + c->n_units * ENTRY_LEN;
	struct seal_place place = place_of(SEAL_HEADER, row->id, 0, row->version, row->dek_generation);
	uint8_t plain[256];
	struct buf extra;
	size_t len = 0;
	enum err e;

	if (row->header_len < SEAL_OVERHEAD || row->header_len - SEAL_OVERHEAD > sizeof plain || row->state_len > 64)
		return ERR_SEAL;
	buf_init(&extra, 0);
	header_extra(&extra, row->token_generation, row->state_valid_until_us, row->state, row->state_len, row->fields, directory_len);
	place.extra = extra.data;
	place.extra_len = extra.len;
	e = buf_err(&extra);
	if (!e)
		e = seal_open(b->sealer, &place, row->header, row->header_len, plain, &len);
	if (!e && (len < SREF_LEN || len > SREF_LEN + SOURCE_MAX))
		e = ERR_SEAL;
	if (!e) {
		memcpy(c->sref, plain, SREF_LEN);
		memcpy(c->source, plain + SREF_LEN, len - SREF_LEN);
		c->source[len - SREF_LEN] = 0;
	}
	buf_fini(&extra);
	return e;
}

enum err customer_use(struct batch *b, const struct customer *c)
{
	enum err e;

	if (b->in_use == c)
		return ERR_OK;
	b->in_use = NULL;
	e = seal_use(b->sealer, c->dek);
	if (!e)
		b->in_use = c;
	return e;
}

enum err customer_open(struct batch *b, struct customer_row *row, struct customer **out)
{
	struct customer *c = row->opened;
	enum err e;

	if (!c) {
		c = arena_alloc(&b->arena, sizeof *c);
		if (!c)
			return ERR_MEMORY;
		c->row = row;
		row->opened = c;
		e = read_directory(b, c);
		if (!e)
			e = open_key(b, c);
		if (!e)
			e = customer_use(b, c);
		if (!e)
			e = open_header(b, c);
		c->err = customer_alarm(e, "header");
	}
	*out = c;
	return c->err;
}

unsigned customer_state(const struct batch *b, const struct customer *c, uint16_t purpose_number)
{
	const size_t at = (size_t)(purpose_number - 1) / 2;
	unsigned bits;

	if (at >= c->row->state_len)
		return 0;
	bits = (purpose_number - 1) % 2 ? c->row->state[at] >> 4 : c->row->state[at] & 15u;
	if (b->now_us >= c->row->state_valid_until_us)
		bits &= ~STATE_CONSENTED; /* absent until it is computed anew */
	if ((bits & STATE_CONSENTED) && consent_outdated(b->snapshot, c->row, purpose_number))
		bits &= ~STATE_CONSENTED; /* a newer notice asks for it anew */
	return bits;
}

const struct unit *customer_unit(const struct customer *c, uint16_t number)
{
	for (size_t i = 0; i < c->n_units; i++)
		if (c->units[i].number == number)
			return &c->units[i];
	return NULL;
}

void customer_want_value(struct batch *b, const struct customer *c, const struct unit *u)
{
	if (u->len == 0)
		reads_large(b->reads, c->row->id, u->number);
}

enum err customer_value(struct batch *b, struct customer *c, const struct unit *u, struct buf *out)
{
	struct seal_place place = place_of(u->len ? SEAL_FIELD : SEAL_LARGE, c->row->id, u->number, u->version, c->row->dek_generation);
	const uint8_t *sealed = u->sealed;
	size_t len = u->len, plain_len = 0;
	uint32_t version = u->version;
	uint8_t *room;
	enum err e;

	if (u->len == 0)
		sealed = reads_get_large(b->reads, c->row->id, u->number, &version, &len);
	if (!sealed || version != u->version || len < SEAL_OVERHEAD)
		return customer_alarm(ERR_SEAL, "value");
	room = buf_reserve(out, len);
	if (!room)
		return ERR_MEMORY;
	e = customer_use(b, c);
	if (!e)
		e = seal_open(b->sealer, &place, sealed, len, room, &plain_len);
	if (e)
		return customer_alarm(e, "value");
	out->len += plain_len;
	return ERR_OK;
}

uint32_t customer_space(uint16_t number)
{
	return number >= EXTERNAL_REF ? BLIND_EXTERNAL_REF + (number - EXTERNAL_REF) : number;
}

/* ---- writing ---- */

struct index_job {
	struct batch *b;
	int64_t customer;
	uint32_t space;
	uint16_t transform;
	bool remove;
};

static enum err index_one(void *ctx, const void *normalised, size_t len)
{
	struct index_job *job = ctx;
	const uint32_t epoch = keyring_index_epoch(job->b->keyring);
	int64_t tag;
	enum err e = blind_tag(job->b->blind, job->space, job->transform, normalised, len, &tag);

	if (e)
		return e;
	if (job->remove)
		writes_delete_index(job->b->writes, job->customer, job->space, epoch, tag);
	else
		writes_index(job->b->writes, job->customer, job->space, epoch, tag);
	return ERR_OK;
}

static enum err index_value(struct batch *b, const struct snapshot *s, int64_t id, uint16_t number, const char *text,
                            size_t len, bool remove)
{
	struct index_job job = {.b = b, .customer = id, .space = customer_space(number), .remove = remove};
	const int subject = snapshot_subject(s, number);
	const struct field *f;

	if (number >= EXTERNAL_REF)
		return index_one(&job, text, len);
	if (subject < 0 || !s->fields[subject].indexed)
		return ERR_OK;
	f = &s->fields[subject];
	job.transform = f->normaliser_version;
	return value_index(f, text, len, index_one, &job);
}

static bool indexed(const struct snapshot *s, uint16_t number)
{
	const int subject = snapshot_subject(s, number);

	return number >= EXTERNAL_REF || (subject >= 0 && s->fields[subject].indexed);
}

/* A row under construction. */
struct draft {
	struct buf directory, units;
	uint16_t n;
};

static void draft_keep(struct draft *d, const struct unit *u)
{
	buf_u16(&d->directory, u->number);
	buf_u32(&d->directory, u->version);
	buf_u16(&d->directory, u->len);
	buf_append(&d->units, u->sealed, u->len);
	d->n++;
}

static enum err draft_seal(struct draft *d, struct batch *b, int64_t id, uint32_t version, uint32_t generation, const struct change *ch)
{
	const size_t len = seal_size(ch->len);
	const bool large = len > LARGE_PLAIN_MIN + SEAL_OVERHEAD;
	const struct seal_place place = place_of(large ? SEAL_LARGE : SEAL_FIELD, id, ch->number, version, generation);
	uint8_t *room;
	enum err e;

	buf_u16(&d->directory, ch->number);
	buf_u32(&d->directory, version);
	buf_u16(&d->directory, large ? 0 : (uint16_t)len);
	d->n++;
	if (large) {
		room = arena_alloc(&b->arena, len);
		if (!room)
			return ERR_MEMORY;
		e = seal_unit(b->sealer, &place, ch->text, ch->len, room);
		if (!e)
			writes_large(b->writes, id, ch->number, version, room, len);
		return e;
	}
	room = buf_reserve(&d->units, len);
	if (!room)
		return ERR_MEMORY;
	d->units.len += len;
	return seal_unit(b->sealer, &place, ch->text, ch->len, room);
}

/* The columns and the header of a draft, ready to be written. */
static enum err draft_finish(struct draft *d, struct batch *b, struct customer_write *w, const struct customer *c,
                             uint8_t sha256[static 32])
{
	uint8_t plain[SREF_LEN + SOURCE_MAX];
	const size_t source_len = strlen(c->source), plain_len = SREF_LEN + source_len;
	struct seal_place place = place_of(SEAL_HEADER, w->id, 0, w->version, w->dek_generation);
	const size_t header_len = seal_size(plain_len);
	struct buf extra;
	uint8_t *fields, *header;
	enum err e;

	fields = arena_alloc(&b->arena, 2 + d->directory.len + d->units.len);
	header = arena_alloc(&b->arena, header_len);
	if (!fields || !header || buf_err(&d->directory) || buf_err(&d->units))
		return ERR_MEMORY;
	fields[0] = (uint8_t)(d->n >> 8);
	fields[1] = (uint8_t)d->n;
	if (d->directory.len)
		memcpy(fields + 2, d->directory.data, d->directory.len);
	if (d->units.len)
		memcpy(fields + 2 + d->directory.len, d->units.data, d->units.len);
	memcpy(plain, c->sref, SREF_LEN);
	memcpy(plain + SREF_LEN, c->source, source_len);
	buf_init(&extra, 0);
	header_extra(&extra, w->token_generation, w->state_valid_until_us, w->state, w->state_len, fields, 2 + d->directory.len);
	place.extra = extra.data;
	place.extra_len = extra.len;
	e = buf_err(&extra);
	if (!e)
		e = seal_unit(b->sealer, &place, plain, plain_len, header);
	buf_fini(&extra);
	w->fields = fields;
	w->fields_len = 2 + d->directory.len + d->units.len;
	w->header = header;
	w->header_len = header_len;
	return e ? e : slice_row_sha256(&(struct customer_row){.header = header, .header_len = header_len, .fields = fields, .fields_len = w->fields_len}, sha256);
}

static void draft_fini(struct draft *d)
{
	buf_fini(&d->directory);
	buf_fini(&d->units);
}

static enum err new_key(struct batch *b, int64_t id, uint8_t dek[static SEAL_KEY_LEN], uint8_t wrapped[static SEAL_DEK_LEN])
{
	const uint32_t epoch = b->snapshot->key_epoch;
	const uint8_t *kek = keyring_kek(b->keyring, epoch);
	enum err e = kek ? seal_dek_new(b->sealer, dek) : ERR_NO_EPOCH;

	if (!e)
		e = seal_dek_wrap(b->sealer, kek, (uint64_t)id, FIRST_GENERATION, epoch, dek, wrapped);
	b->in_use = NULL;
	if (!e)
		e = seal_use(b->sealer, dek);
	if (!e)
		writes_key(b->writes, id, FIRST_GENERATION, epoch, wrapped, SEAL_DEK_LEN);
	return e;
}

/* Under the new key, which the sealer holds. */
static enum err first_consents(struct batch *b, const struct snapshot *s, const struct newcomer *in, struct customer_write *w)
{
	struct consent_state *state = arena_alloc(&b->arena, sizeof *state);

	if (!state)
		return ERR_MEMORY;
	consent_state_init(state, s->revision);
	for (size_t i = 0; i < in->n_consents; i++)
		consent_state_apply(state, &in->consents[i]);
	w->state = state->bytes;
	w->state_len = sizeof state->bytes;
	w->state_valid_until_us = state->valid_until_us;
	return consent_write_events(b, w->id, FIRST_GENERATION, in->consents, in->n_consents);
}

/* Positive, so that "after 0" in a lookup is before all. */
static enum err new_id(struct batch *b, const uint8_t sref[static SREF_LEN], int64_t *id)
{
	uint32_t slice = 0;
	enum err e = secret_random(id, sizeof *id);

	if (!e)
		e = slice_of(b->audit_mac, sref, &slice);
	*id = slice_id(slice, *id | 1);
	return e;
}

enum err customer_create(struct batch *b, const struct snapshot *s, const struct newcomer *in, struct written *out)
{
	struct customer_write w = {.version = 1, .dek_generation = FIRST_GENERATION, .token_generation = 1, .state_valid_until_us = INT64_MAX};
	const struct change *changes = in->changes;
	struct draft d = {.n = 0};
	enum err e;

	*out = (struct written){.version = 1, .token_generation = 1};
	buf_init(&d.directory, 0);
	buf_init(&d.units, 0);
	e = secret_random(out->customer.sref, SREF_LEN);
	if (!e)
		e = new_id(b, out->customer.sref, &w.id);
	out->id = w.id;
	if (in->source)
		memcpy(out->customer.source, in->source, strlen(in->source) + 1);
	if (!e)
		e = new_key(b, w.id, out->customer.dek, out->wrapped);
	if (!e && in->n_consents)
		e = first_consents(b, s, in, &w);
	for (size_t i = 0; i < in->n_changes && !e; i++) {
		if (!changes[i].text)
			continue;
		e = draft_seal(&d, b, w.id, 1, FIRST_GENERATION, &changes[i]);
		if (!e)
			e = index_value(b, s, w.id, changes[i].number, changes[i].text, changes[i].len, false);
	}
	if (!e)
		e = draft_finish(&d, b, &w, &out->customer, out->row_sha256);
	if (!e)
		writes_insert_customer(b->writes, &w);
	out->row = w;
	draft_fini(&d);
	secret_wipe(out->customer.dek, sizeof out->customer.dek);
	return e;
}

/* Takes what stood under a number out of index and large values. */
static enum err remove_old(struct batch *b, const struct snapshot *s, struct customer *c, const struct unit *u)
{
	struct buf old;
	enum err e = ERR_OK;

	if (indexed(s, u->number)) {
		buf_init(&old, 0);
		e = customer_value(b, c, u, &old);
		if (!e)
			e = index_value(b, s, c->row->id, u->number, (const char *)old.data, old.len, true);
		buf_fini(&old);
	}
	if (!e && u->len == 0)
		writes_delete_large(b->writes, c->row->id, u->number);
	return e;
}

static enum err apply_change(struct draft *d, struct batch *b, const struct snapshot *s, struct customer *c,
                             const struct change *ch, uint32_t version)
{
	const struct unit *old = customer_unit(c, ch->number);
	enum err e = old ? remove_old(b, s, c, old) : ERR_OK;

	if (!e && ch->text) {
		e = draft_seal(d, b, c->row->id, version, c->row->dek_generation, ch);
		if (!e)
			e = index_value(b, s, c->row->id, ch->number, ch->text, ch->len, false);
	}
	return e;
}

struct customer_state customer_state_of(const struct customer *c)
{
	return (struct customer_state){.token_generation = c->row->token_generation,
	                               .purposes = c->row->state,
	                               .purposes_len = c->row->state_len,
	                               .valid_until_us = c->row->state_valid_until_us};
}

enum err customer_update(struct batch *b, const struct snapshot *s, struct customer *c, const struct change *changes, size_t n,
                         const struct customer_state *next, struct written *out)
{
	const struct customer_row *row = c->row;
	struct customer_write w = {.id = row->id,
	                           .version = row->version + 1,
	                           .dek_generation = row->dek_generation,
	                           .token_generation = next->token_generation,
	                           .state = next->purposes,
	                           .state_len = next->purposes_len,
	                           .state_valid_until_us = next->valid_until_us};
	struct draft d = {.n = 0};
	size_t at = 0;
	enum err e = next->token_generation > GENERATION_MAX ? ERR_CONFLICT : customer_use(b, c);

	*out = (struct written){.id = w.id, .version = w.version, .token_generation = next->token_generation, .customer = *c};
	secret_wipe(out->customer.dek, sizeof out->customer.dek); /* out outlives the batch */
	buf_init(&d.directory, 0);
	buf_init(&d.units, 0);
	for (size_t i = 0; i < n && !e; i++) { /* both lists ascend */
		for (; at < c->n_units && c->units[at].number < changes[i].number; at++)
			draft_keep(&d, &c->units[at]);
		at += at < c->n_units && c->units[at].number == changes[i].number;
		e = apply_change(&d, b, s, c, &changes[i], w.version);
	}
	for (; at < c->n_units && !e; at++)
		draft_keep(&d, &c->units[at]);
	if (!e)
		e = draft_finish(&d, b, &w, c, out->row_sha256);
	if (!e)
		writes_update_customer(b->writes, &w);
	out->row = w;
	draft_fini(&d);
	return e;
}
