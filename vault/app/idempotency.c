/* idempotency.c: what was done under an Idempotency-Key, kept in the write's own
 * transaction as MACs and ids; the reply is rebuilt under today's policy. */
#include "vault/app/values.h"

#include "base/clock.h"
#include "store/statements.h"

#include <string.h>

#define KEPT_US (24 * 3600 * (int64_t)1000000)
#define CLAIM_IDEMPOTENCY 0x1d000000000000u

struct macs {
	uint8_t key[MAC_LEN], body[MAC_LEN];
};

static const char *part(const struct req *r, size_t i)
{
	return r->params[i] ? r->params[i] : "";
}

static enum err compute(const struct req *r, struct batch *b, struct macs *m)
{
	const struct mac_part key[] = {{"idempotency", 12},
	                               {r->identity, strlen(r->identity) + 1},
	                               {r->idempotency_key, strlen(r->idempotency_key)}};
	const struct mac_part body[] = {{"body", 5},
	                                {r->route->operation, strlen(r->route->operation) + 1},
	                                {part(r, 0), strlen(part(r, 0)) + 1},
	                                {part(r, 1), strlen(part(r, 1)) + 1},
	                                {r->body.data, r->body.len}};
	enum err e = mac_parts(b->tag_mac, key, 3, m->key);

	return e ? e : mac_parts(b->tag_mac, body, 5, m->body);
}

static int64_t number_of(const uint8_t mac[static 32])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | mac[i];
	return (int64_t)v;
}

bool idempotency_want(struct req *r, struct batch *b)
{
	struct macs m;

	if (!r->idempotency_key || compute(r, b, &m))
		return true; /* a failed MAC is seen again, and answered, in decide */
	reads_bucket(b->reads, (uint32_t)(number_of(m.key) & (LOCK_BUCKETS - 1)));
	reads_idempotency(b->reads, m.key, b->now_us - KEPT_US);
	return batch_claim(b, r, CLAIM_IDEMPOTENCY, number_of(m.key));
}

enum replay idempotency_look(struct req *r, struct batch *b, int32_t *status, const uint8_t **result, size_t *len)
{
	const uint8_t *body;
	struct macs m;

	if (!r->idempotency_key)
		return REPLAY_NONE;
	if (compute(r, b, &m)) {
		req_fail(r, ERR_CRYPTO, NULL);
		return REPLAY_REFUSED;
	}
	if (!reads_get_idempotency(b->reads, m.key, &body, status, result, len))
		return REPLAY_NONE;
	if (memcmp(body, m.body, MAC_LEN)) {
		req_fail(r, ERR_IDEMPOTENCY_REUSE, "Idempotency-Key");
		return REPLAY_REFUSED;
	}
	return REPLAY_FOUND;
}

enum err idempotency_keep(struct req *r, struct batch *b, int32_t status, const void *result, size_t len)
{
	struct macs m;
	enum err e;

	if (!r->idempotency_key)
		return ERR_OK;
	e = compute(r, b, &m);
	if (!e)
		writes_idempotency(b->writes, m.key, m.body, status, result, len);
	return e;
}
