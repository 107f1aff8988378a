/* batch_tools.c: what the operations borrow from a batch: claims, tokens, ETags. */
#include "vault/app/alarm.h"

#include "base/log.h"
#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

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

struct stranger {
	struct stranger *next;
	const struct req *r;
	struct token_text text;
};

/* Looks whose it is: another audience's, one of an epoch that was revoked, or nobody's. */
static void count_stranger(struct batch *b, const struct stranger *s)
{
	struct token_target target;

	for (size_t i = 0; i < b->snapshot->n_audiences; i++) {
		const struct audience *a = &b->snapshot->audiences[i];
		const uint32_t age = (a->token_epoch - s->text.epoch_symbol) % 32;

		if (age < a->token_epoch && !token_open(b->tokens, a->number, a->token_epoch - age, &s->text, &target)) {
			metric_add(METRIC_TOKEN_FOREIGN, 1);
			return;
		}
	}
	metric_add(METRIC_TOKEN_FORGERIES, 1);
	alarm_note(b->app->alarms, ALARM_TOKEN_FORGERY, s->r->identity);
	if (b->forger != s->r) /* one line a request: it may hold a thousand */
		log_event(LOG_WARN, "token_forgery", "identity=%s: a token with a right checksum opens under no audience's key",
		          s->r->identity);
	b->forger = s->r;
}

void batch_count_strangers(struct batch *b)
{
	for (const struct stranger *s = b->strangers; s; s = s->next)
		count_stranger(b, s);
	b->strangers = NULL;
}

enum err batch_token(struct batch *b, const struct req *r, const struct token_text *text, struct token_target *out)
{
	const struct audience *a = r->audience;
	struct stranger *s;

	if (!a)
		return ERR_NOT_FOUND;
	if (a->token_epoch % 32 == text->epoch_symbol && !token_open(b->tokens, a->number, a->token_epoch, text, out))
		return ERR_OK;
	s = arena_alloc(&b->arena, sizeof *s);
	if (s) {
		*s = (struct stranger){b->strangers, r, *text};
		b->strangers = s;
	}
	return ERR_NOT_FOUND;
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
