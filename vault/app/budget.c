/* budget.c: HyperLogLog (Flajolet and others 2007), with linear counting where it is better. */
#include "vault/app/budget.h"

#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 12
#define REGISTERS (1u << INDEX_BITS)
#define SLOTS (4 * BUDGET_IDENTITIES_MAX)

struct counter {
	char *identity;
	size_t len;
	uint8_t ranks[REGISTERS];
	uint32_t empty;   /* registers of rank 0 */
	uint64_t harmonic; /* sum of 2^(40 - rank) */
	bool told;
};

struct budget {
	int64_t hour_us;
	struct counter *slots[SLOTS]; /* open addressing */
	size_t n;
	bool full_told;
};

enum err budget_new(struct budget **out)
{
	*out = calloc(1, sizeof **out);
	return *out ? ERR_OK : ERR_MEMORY;
}

static void forget(struct budget *b)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (b->slots[i])
			free(b->slots[i]->identity);
		free(b->slots[i]);
		b->slots[i] = NULL;
	}
	b->n = 0;
	b->full_told = false;
}

void budget_free(struct budget *b)
{
	if (b)
		forget(b);
	free(b);
}

void budget_hour(struct budget *b, int64_t hour_us)
{
	if (b->hour_us == hour_us)
		return;
	forget(b);
	b->hour_us = hour_us;
}

static size_t slot_of(const struct budget *b, const char *identity, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;
	size_t at;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)identity[i]) * 0x100000001b3u;
	at = (size_t)(h ^ h >> 32) % SLOTS;
	while (b->slots[at] && (b->slots[at]->len != len || memcmp(b->slots[at]->identity, identity, len) != 0))
		at = (at + 1) % SLOTS;
	return at;
}

/* *out NULL: there is no room for another identity. */
static enum err counter_of(struct budget *b, const char *identity, size_t len, struct counter **out)
{
	const size_t at = slot_of(b, identity, len);
	struct counter *c = b->slots[at];

	*out = c;
	if (c)
		return ERR_OK;
	if (b->n == BUDGET_IDENTITIES_MAX) {
		if (!b->full_told)
			log_event(LOG_WARN, "budget_full", "more than %d identities in an hour: further ones are not counted", BUDGET_IDENTITIES_MAX);
		b->full_told = true;
		return ERR_OK;
	}
	c = calloc(1, sizeof *c);
	if (c && !(c->identity = strndup(identity, len))) {
		free(c);
		c = NULL;
	}
	if (!c)
		return ERR_MEMORY;
	c->len = len;
	c->empty = REGISTERS;
	c->harmonic = (uint64_t)REGISTERS << 40;
	b->slots[at] = *out = c;
	b->n++;
	return ERR_OK;
}

static int64_t estimate(const struct counter *c)
{
	const double m = REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
	const double raw = alpha * m * m / ((double)c->harmonic / (double)((uint64_t)1 << 40));

	if (raw <= 2.5 * m && c->empty)
		return (int64_t)llround(m * log(m / (double)c->empty));
	return (int64_t)llround(raw);
}

/* false: nothing new. */
static bool count(struct counter *c, const uint8_t sref[static BUDGET_SREF_LEN])
{
	const uint32_t at = ((uint32_t)sref[0] << 8 | sref[1]) >> (16 - INDEX_BITS);
	uint32_t rest = 0;
	uint8_t rank;

	for (int i = 2; i < 6; i++)
		rest = rest << 8 | sref[i];
	rank = (uint8_t)(rest ? __builtin_clz(rest) + 1 : 33);
	if (rank <= c->ranks[at])
		return false;
	c->empty -= c->ranks[at] == 0;
	c->harmonic -= ((uint64_t)1 << 40 >> c->ranks[at]) - ((uint64_t)1 << 40 >> rank);
	c->ranks[at] = rank;
	return true;
}

enum err budget_add(struct budget *b, const char *identity, size_t len, const uint8_t sref[static BUDGET_SREF_LEN], int64_t limit,
                    bool *over)
{
	struct counter *c = NULL;
	enum err e = counter_of(b, identity, len, &c);

	*over = false;
	if (e || !c)
		return e;
	if (count(c, sref) && !c->told && estimate(c) > limit)
		*over = c->told = true;
	return ERR_OK;
}

enum err budget_told(struct budget *b, const char *identity, size_t len)
{
	struct counter *c = NULL;
	enum err e = counter_of(b, identity, len, &c);

	if (!e && c)
		c->told = true;
	return e;
}

int64_t budget_customers(const struct budget *b, const char *identity, size_t len)
{
	const struct counter *c = b->slots[slot_of(b, identity, len)];

	return c ? estimate(c) : 0;
}
