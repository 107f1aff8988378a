/* blind.c: blind index tags: one HMAC key for each (space, transform), kept
 * ready. Tags are truncated on purpose, so that a tag alone does not tell
 * which of several values stands behind it. */
#include "crypto/mac.h"

#include "crypto/bytes_int.h"
#include "crypto/kdf_int.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

#define READY 128 /* keys kept; beyond, the oldest makes room */

struct ready {
	uint32_t space;
	uint16_t transform;
	struct mac *mac;
};

struct blind {
	uint8_t *master; /* in secret memory */
	uint16_t epoch;
	unsigned bits;
	size_t n;
	size_t next; /* to be replaced when all are taken */
	struct ready ready[READY];
};

enum err blind_new(const uint8_t master[static 32], uint16_t epoch, unsigned bits, struct blind **out)
{
	struct blind *b;

	*out = NULL;
	if (bits < 1 || bits > 63)
		return ERR_INTERNAL;
	b = calloc(1, sizeof *b);
	if (!b)
		return ERR_MEMORY;
	b->master = secret_alloc(32);
	if (!b->master) {
		free(b);
		return ERR_MEMORY;
	}
	memcpy(b->master, master, 32);
	b->epoch = epoch;
	b->bits = bits;
	*out = b;
	return ERR_OK;
}

void blind_free(struct blind *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		mac_free(b->ready[i].mac);
	secret_free(b->master);
	free(b);
}

static enum err make_ready(struct blind *b, uint32_t space, uint16_t transform, struct mac **out)
{
	uint8_t key[32];
	struct ready *r;
	enum err e =
	    kdf_subkey(b->master, "vault blind index", space, (uint32_t)b->epoch << 16 | transform, key, sizeof key);

	if (!e)
		e = mac_new(key, out);
	secret_wipe(key, sizeof key);
	if (e)
		return e;
	if (b->n < READY) {
		r = &b->ready[b->n++];
	} else {
		r = &b->ready[b->next];
		b->next = (b->next + 1) % READY;
		mac_free(r->mac);
	}
	*r = (struct ready){space, transform, *out};
	return ERR_OK;
}

static enum err mac_for(struct blind *b, uint32_t space, uint16_t transform, struct mac **out)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->ready[i].space == space && b->ready[i].transform == transform) {
			*out = b->ready[i].mac;
			return ERR_OK;
		}
	}
	return make_ready(b, space, transform, out);
}

enum err blind_tag(struct blind *b, uint32_t space, uint16_t transform, const void *normalised, size_t len,
                   int64_t *tag)
{
	uint8_t full[MAC_LEN];
	struct mac *m;
	enum err e = mac_for(b, space, transform, &m);

	*tag = 0;
	if (!e)
		e = mac_of(m, normalised, len, full);
	if (e)
		return e;
	*tag = (int64_t)(bytes_get(full, 8) >> (64 - b->bits));
	secret_wipe(full, sizeof full);
	return ERR_OK;
}
