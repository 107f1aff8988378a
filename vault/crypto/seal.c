/* seal.c: sealed units and wrapped DEKs.
 *
 * The AAD begins with a format and a type, then fixed-width numbers, so that
 * no two places share an encoding: a unit opens only where it was sealed. */
#include "crypto/seal.h"

#include "crypto/aead_int.h"
#include "crypto/bytes_int.h"
#include "crypto/nonce_int.h"
#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define FORMAT 1
#define TYPE_DEK 0 /* no seal_type has it */
#define PLACE_LEN 28
#define DEK_PLACE_LEN 18
#define STEP 1024 /* padding above this is to a multiple of it */

_Static_assert(SEAL_OVERHEAD == AEAD_OVERHEAD && SEAL_NONCE_LEN == NONCE_LEN, "one layout");

struct sealer {
	EVP_CIPHER_CTX *dek; /* keyed by seal_use */
	EVP_CIPHER_CTX *kek; /* keyed by the KEK last used */
	bool has_dek, has_kek;
	uint8_t kek_bytes[SEAL_KEY_LEN]; /* a batch comes under one KEK: rekey only when it differs */
	struct nonce_pool nonces;
};

enum err sealer_new(struct sealer **out)
{
	struct sealer *s = OPENSSL_zalloc(sizeof *s);

	*out = NULL;
	if (!s)
		return ERR_MEMORY;
	s->dek = aead_new();
	s->kek = aead_new();
	if (!s->dek || !s->kek) {
		sealer_free(s);
		return ERR_MEMORY;
	}
	*out = s;
	return ERR_OK;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	EVP_CIPHER_CTX_free(s->dek);
	EVP_CIPHER_CTX_free(s->kek);
	OPENSSL_clear_free(s, sizeof *s);
}

static void put_place(const struct seal_place *p, uint8_t out[static PLACE_LEN])
{
	uint8_t *at = out;

	at = bytes_put(at, FORMAT, 1);
	at = bytes_put(at, (uint64_t)p->type, 1);
	at = bytes_put(at, p->customer, 8);
	at = bytes_put(at, p->subject, 2);
	at = bytes_put(at, p->item, 8);
	at = bytes_put(at, p->version, 4);
	bytes_put(at, p->dek_generation, 4);
}

static void put_dek_place(uint64_t customer, uint32_t generation, uint32_t epoch, uint8_t out[static DEK_PLACE_LEN])
{
	uint8_t *at = out;

	at = bytes_put(at, FORMAT, 1);
	at = bytes_put(at, TYPE_DEK, 1);
	at = bytes_put(at, customer, 8);
	at = bytes_put(at, generation, 4);
	bytes_put(at, epoch, 4);
}

enum err seal_dek_new(struct sealer *s, uint8_t dek[static SEAL_KEY_LEN])
{
	(void)s;
	return secret_random(dek, SEAL_KEY_LEN);
}

static enum err use_kek(struct sealer *s, const uint8_t kek[static SEAL_KEY_LEN])
{
	enum err e;

	if (s->has_kek && secret_equal(s->kek_bytes, kek, SEAL_KEY_LEN))
		return ERR_OK;
	s->has_kek = false;
	e = aead_key(s->kek, kek);
	if (e)
		return e;
	memcpy(s->kek_bytes, kek, SEAL_KEY_LEN);
	s->has_kek = true;
	return ERR_OK;
}

enum err seal_dek_wrap(struct sealer *s, const uint8_t kek[static SEAL_KEY_LEN], uint64_t customer, uint32_t generation,
                       uint32_t epoch, const uint8_t dek[static SEAL_KEY_LEN], uint8_t out[static SEAL_DEK_LEN])
{
	uint8_t place[DEK_PLACE_LEN];
	const struct mac_part aad = {place, sizeof place};
	enum err e = use_kek(s, kek);

	if (!e)
		e = nonce_draw(&s->nonces, out);
	if (e)
		return e;
	put_dek_place(customer, generation, epoch, place);
	return aead_seal(s->kek, out, &aad, 1, dek, SEAL_KEY_LEN, out + SEAL_NONCE_LEN,
	                 out + SEAL_NONCE_LEN + SEAL_KEY_LEN);
}

enum err seal_dek_unwrap(struct sealer *s, const uint8_t kek[static SEAL_KEY_LEN], uint64_t customer,
                         uint32_t generation, uint32_t epoch, const uint8_t wrapped[static SEAL_DEK_LEN],
                         uint8_t dek[static SEAL_KEY_LEN])
{
	uint8_t place[DEK_PLACE_LEN];
	const struct mac_part aad = {place, sizeof place};
	enum err e = use_kek(s, kek);

	if (e) {
		secret_wipe(dek, SEAL_KEY_LEN);
		return e;
	}
	put_dek_place(customer, generation, epoch, place);
	return aead_open(s->kek, wrapped, &aad, 1, wrapped + SEAL_NONCE_LEN, SEAL_KEY_LEN, dek,
	                 wrapped + SEAL_NONCE_LEN + SEAL_KEY_LEN);
}

enum err seal_use(struct sealer *s, const uint8_t dek[static SEAL_KEY_LEN])
{
	enum err e;

	s->has_dek = false;
	e = aead_key(s->dek, dek);
	s->has_dek = e == ERR_OK;
	return e;
}

void seal_forget(struct sealer *s)
{
	static const uint8_t zeros[SEAL_KEY_LEN];

	/* Another key schedule over the old one: EVP offers no other way to forget only the key. */
	if (s->has_dek && aead_key(s->dek, zeros) != ERR_OK)
		EVP_CIPHER_CTX_reset(s->dek);
	s->has_dek = false;
}

static size_t padded(size_t len)
{
	size_t room = 16;

	len++; /* the 0x80 */
	if (len > STEP)
		return (len + STEP - 1) / STEP * STEP;
	while (room < len)
		room *= 2;
	return room;
}

size_t seal_size(size_t len)
{
	return SEAL_OVERHEAD + padded(len);
}

enum err seal_unit(struct sealer *s, const struct seal_place *place, const void *plain, size_t len, uint8_t *out)
{
	uint8_t fixed[PLACE_LEN], *body = out + SEAL_NONCE_LEN;
	const struct mac_part aad[2] = {{fixed, sizeof fixed}, {place->extra, place->extra_len}};
	size_t room;
	enum err e;

	if (!s->has_dek || len > SEAL_PLAIN_MAX)
		return ERR_CRYPTO;
	e = nonce_draw(&s->nonces, out);
	if (e)
		return e;
	room = padded(len);
	if (len)
		memmove(body, plain, len);
	body[len] = 0x80;
	memset(body + len + 1, 0, room - len - 1);
	put_place(place, fixed);
	return aead_seal(s->dek, out, aad, 2, body, room, body, body + room);
}

/* Length without padding; false where there is none, which an authentic unit can't have. */
static bool unpad(const uint8_t *bytes, size_t len, size_t *plain_len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	if (len == 0 || bytes[len - 1] != 0x80)
		return false;
	*plain_len = len - 1;
	return true;
}

enum err seal_open(struct sealer *s, const struct seal_place *place, const uint8_t *unit, size_t len, uint8_t *out,
                   size_t *plain_len)
{
	uint8_t fixed[PLACE_LEN];
	const struct mac_part aad[2] = {{fixed, sizeof fixed}, {place->extra, place->extra_len}};
	size_t room;
	enum err e;

	*plain_len = 0;
	if (!s->has_dek)
		return ERR_CRYPTO;
	if (len < SEAL_OVERHEAD + 16)
		return ERR_SEAL;
	room = len - SEAL_OVERHEAD;
	put_place(place, fixed);
	e = aead_open(s->dek, unit, aad, 2, unit + SEAL_NONCE_LEN, room, out, unit + SEAL_NONCE_LEN + room);
	if (e)
		return e;
	if (unpad(out, room, plain_len))
		return ERR_OK;
	secret_wipe(out, room);
	return ERR_SEAL;
}
