/* keyring_edit.c: changed copies of a keyring, and whether one may follow another. Pure: no file. */
#include "crypto/keyring_int.h"
#include "crypto/secret.h"

#include <string.h>

/* A copy with room for more epochs at the end. */
static struct keyring *copy(const struct keyring *k, size_t more)
{
	struct keyring *c = keyring_alloc(k->n + more);

	if (!c)
		return NULL;
	memcpy(c->keys, k->keys, sizeof c->keys);
	c->index_epoch = k->index_epoch;
	c->index_bits = k->index_bits;
	memcpy(c->epochs, k->epochs, k->n * sizeof *k->epochs);
	memcpy(c->keks, k->keks, k->n * KEY_LEN);
	return c;
}

static struct keyring_epoch *row_of(const struct keyring *k, uint32_t epoch)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->epochs[i].epoch == epoch)
			return &k->epochs[i];
	return NULL;
}

static enum err ended(enum err e, struct keyring *c, struct keyring **out)
{
	if (!e)
		e = keyring_seal_facts(c);
	*out = e ? NULL : c;
	if (e)
		keyring_free(c);
	return e;
}

enum err keyring_with_epoch(const struct keyring *k, int64_t now_us, struct keyring **out)
{
	struct keyring *c = copy(k, 1);
	struct keyring_epoch *last;

	*out = NULL;
	if (!c)
		return ERR_MEMORY;
	last = &c->epochs[k->n];
	*last = (struct keyring_epoch){.epoch = last[-1].epoch + 1, .state = EPOCH_PENDING, .created_at_us = now_us};
	return ended(secret_random(c->keks[k->n], KEY_LEN), c, out);
}

enum err keyring_with_active(const struct keyring *k, uint32_t epoch, int64_t at_us, struct keyring **out)
{
	struct keyring *c = copy(k, 0);
	struct keyring_epoch *row, *before;

	*out = NULL;
	if (!c)
		return ERR_MEMORY;
	row = row_of(c, epoch);
	before = row_of(c, keyring_active(c));
	if (!row || !before || row->state == EPOCH_DESTROYED)
		return ended(ERR_NO_EPOCH, c, out);
	if (row != before) {
		before->state = EPOCH_RETIRING;
		before->retired_at_us = at_us;
		row->state = EPOCH_ACTIVE;
		row->retired_at_us = 0;
	}
	return ended(ERR_OK, c, out);
}

enum err keyring_without(const struct keyring *k, uint32_t epoch, struct keyring **out)
{
	struct keyring *c = copy(k, 0);
	struct keyring_epoch *row;

	*out = NULL;
	if (!c)
		return ERR_MEMORY;
	row = row_of(c, epoch);
	if (!row || row->state == EPOCH_ACTIVE || row->state == EPOCH_PENDING)
		return ended(ERR_NO_EPOCH, c, out);
	row->state = EPOCH_DESTROYED;
	secret_wipe(c->keks[row - c->epochs], KEY_LEN);
	return ended(ERR_OK, c, out);
}

enum err keyring_keys(const struct keyring *k, struct keyring **out)
{
	struct keyring *c = copy(k, 0);

	*out = NULL;
	if (!c)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->n; i++)
		c->epochs[i].state = EPOCH_DESTROYED;
	secret_wipe(c->keks, c->n * KEY_LEN);
	return ended(ERR_OK, c, out);
}

enum err keyring_succeeds(const struct keyring *newer, const struct keyring *older, struct buf *why)
{
	if (!secret_equal(newer->keys, older->keys, sizeof newer->keys) || newer->index_epoch != older->index_epoch ||
	    newer->index_bits != older->index_bits) {
		buf_text(why, "it is the keyring of another vault");
		return ERR_KEYRING;
	}
	for (size_t i = 0; i < older->n; i++) {
		const struct keyring_epoch *was = &older->epochs[i], *is = row_of(newer, was->epoch);
		const char *fault = NULL;

		if (!is)
			fault = "is not in it: it is older than the keyring in force";
		else if (was->state == EPOCH_DESTROYED && is->state != EPOCH_DESTROYED)
			fault = "is back in it and was destroyed: it is older than the keyring in force";
		else if (is->state != EPOCH_DESTROYED && !secret_equal(newer->keks[is - newer->epochs], older->keks[i], KEY_LEN))
			fault = "has another key in it: two keyrings were rotated apart";
		if (fault) {
			buf_printf(why, "epoch %u %s", was->epoch, fault);
			return ERR_KEYRING;
		}
	}
	return ERR_OK;
}
