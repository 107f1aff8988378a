/* token.c: pointer tokens. Customer and field tokens are one AES-256 block; a
 * constant in the block, another for each of the two, tells a block that this
 * key made from one that it did not. Record tokens are AES-SIV.
 *
 * Looking a key up must cost nothing when the audience stays the same, and
 * trying all audiences' keys on a foreign token must not make them anew each
 * time: hence a small table of contexts. */
#include "crypto/token.h"

#include "crypto/bech32m_int.h"
#include "crypto/block_int.h"
#include "crypto/bytes_int.h"
#include "crypto/kdf_int.h"
#include "crypto/secret.h"
#include "crypto/siv_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LEN 20
#define RECORD_SEALED (SIV_TAG_LEN + RECORD_LEN)
#define READY 72 /* audiences with their keys made; above the 64 that a policy may have */
#define PREFIX_LEN 3

static const struct shape {
	char prefix[PREFIX_LEN + 1];
	uint8_t len;       /* sealed bytes */
	uint32_t constant; /* in the block */
} shapes[] = {
    [TOKEN_CUSTOMER] = {"cus", BLOCK_LEN, 0x63757331},
    [TOKEN_FIELD] = {"tok", BLOCK_LEN, 0x746f6b31},
    [TOKEN_RECORD] = {"rec", RECORD_SEALED, 0},
    [TOKEN_REQUEST] = {"req", BLOCK_LEN, 0x72657131},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

_Static_assert(PREFIX_LEN + 1 + 1 + BECH32M_SYMBOLS(RECORD_SEALED) + 6 < TOKEN_TEXT_MAX, "the longest text fits");

/* The keys of one (audience, epoch). The SIV pair is made when first needed. */
struct ready {
	uint16_t audience;
	uint32_t epoch;
	uint64_t used;
	EVP_CIPHER_CTX *encrypt, *decrypt;
	EVP_CIPHER_CTX *siv_encrypt, *siv_decrypt;
};

struct tokens {
	uint8_t *master; /* in secret memory */
	uint64_t clock; /* counts lookups; tells which keys were used last */
	size_t n;
	struct ready *last;
	struct ready ready[READY];
};

enum err token_decode(const char *text, size_t len, struct token_text *out)
{
	struct bech32m b;

	if (bech32m_decode(text, len, &b) != ERR_OK || b.prefix_len != PREFIX_LEN)
		return ERR_BAD_TOKEN;
	for (size_t i = 0; i < SHAPES; i++) {
		if (memcmp(b.prefix, shapes[i].prefix, PREFIX_LEN) != 0)
			continue;
		if (b.n != 1 + BECH32M_SYMBOLS((size_t)shapes[i].len))
			return ERR_BAD_TOKEN;
		*out = (struct token_text){.type = (enum token_type)i, .epoch_symbol = b.symbols[0]};
		out->len = shapes[i].len;
		return bech32m_join(b.symbols + 1, shapes[i].len, out->bytes);
	}
	return ERR_BAD_TOKEN;
}

enum err tokens_new(const uint8_t master[static 32], struct tokens **out)
{
	struct tokens *t = calloc(1, sizeof *t);

	*out = NULL;
	if (!t)
		return ERR_MEMORY;
	t->master = secret_alloc(32);
	if (!t->master) {
		free(t);
		return ERR_MEMORY;
	}
	memcpy(t->master, master, 32);
	*out = t;
	return ERR_OK;
}

static void ready_fini(struct ready *r)
{
	EVP_CIPHER_CTX_free(r->encrypt);
	EVP_CIPHER_CTX_free(r->decrypt);
	EVP_CIPHER_CTX_free(r->siv_encrypt);
	EVP_CIPHER_CTX_free(r->siv_decrypt);
	*r = (struct ready){0};
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		ready_fini(&t->ready[i]);
	secret_free(t->master);
	free(t);
}

static enum err make_block(const struct tokens *t, struct ready *r)
{
	uint8_t key[32];
	enum err e = kdf_subkey(t->master, "vault token block", r->audience, r->epoch, key, sizeof key);

	if (!e) {
		r->encrypt = block_new(key, true);
		r->decrypt = block_new(key, false);
		if (!r->encrypt || !r->decrypt)
			e = ERR_MEMORY;
	}
	secret_wipe(key, sizeof key);
	return e;
}

static enum err make_siv(const struct tokens *t, struct ready *r)
{
	uint8_t key[SIV_KEY_LEN];
	enum err e;

	if (r->siv_encrypt && r->siv_decrypt)
		return ERR_OK;
	e = kdf_subkey(t->master, "vault token record", r->audience, r->epoch, key, sizeof key);
	if (!e && !r->siv_encrypt)
		r->siv_encrypt = siv_new(key, true);
	if (!e && !r->siv_decrypt)
		r->siv_decrypt = siv_new(key, false);
	secret_wipe(key, sizeof key);
	if (!e && (!r->siv_encrypt || !r->siv_decrypt))
		e = ERR_MEMORY;
	return e;
}

/* An empty place: a new one, or that of the keys used least recently. */
static struct ready *make_room(struct tokens *t)
{
	struct ready *oldest = t->ready;

	if (t->n < READY)
		return &t->ready[t->n++];
	for (size_t i = 1; i < READY; i++)
		if (t->ready[i].used < oldest->used)
			oldest = &t->ready[i];
	ready_fini(oldest);
	return oldest;
}

static enum err keys_of(struct tokens *t, uint16_t audience, uint32_t epoch, struct ready **out)
{
	struct ready *r = t->last;
	enum err e;

	if (r && r->audience == audience && r->epoch == epoch)
		goto found;
	for (size_t i = 0; i < t->n; i++) {
		r = &t->ready[i];
		if (r->encrypt && r->audience == audience && r->epoch == epoch)
			goto found;
	}
	t->last = NULL;
	r = make_room(t);
	r->audience = audience;
	r->epoch = epoch;
	e = make_block(t, r);
	if (e) {
		ready_fini(r); /* stays as an empty place, the first to be taken again */
		return e;
	}
found:
	r->used = ++t->clock;
	t->last = r;
	*out = r;
	return ERR_OK;
}

/* customer 8 | subject 2 | generation 2, then constant 4 or item 8 */
static enum err open_block(struct ready *r, const struct token_text *text, struct token_target *out)
{
	uint8_t plain[BLOCK_LEN], constant[4];
	enum err e = block_of(r->decrypt, text->bytes, plain);

	if (e)
		return e;
	bytes_put(constant, shapes[text->type].constant, 4);
	if (CRYPTO_memcmp(plain + 12, constant, 4) == 0)
		*out = (struct token_target){.type = text->type,
		                             .customer = bytes_get(plain, 8),
		                             .subject = (uint16_t)bytes_get(plain + 8, 2),
		                             .generation = (uint16_t)bytes_get(plain + 10, 2)};
	else
		e = ERR_NOT_FOUND;
	secret_wipe(plain, sizeof plain);
	return e;
}

static enum err open_record(struct ready *r, const struct token_text *text, struct token_target *out)
{
	uint8_t plain[RECORD_LEN];
	enum err e = siv_open(r->siv_decrypt, text->bytes, RECORD_LEN, plain);

	if (e)
		return e == ERR_SEAL ? ERR_NOT_FOUND : e;
	*out = (struct token_target){.type = TOKEN_RECORD,
	                             .customer = bytes_get(plain, 8),
	                             .subject = (uint16_t)bytes_get(plain + 8, 2),
	                             .generation = (uint16_t)bytes_get(plain + 10, 2),
	                             .item = bytes_get(plain + 12, 8)};
	secret_wipe(plain, sizeof plain);
	return ERR_OK;
}

enum err token_open(struct tokens *t, uint16_t audience, uint32_t epoch, const struct token_text *text,
                    struct token_target *out)
{
	struct ready *r;
	enum err e;

	*out = (struct token_target){.type = text->type};
	if ((size_t)text->type >= SHAPES || text->len != shapes[text->type].len)
		return ERR_INTERNAL;
	if (text->epoch_symbol != epoch % 32)
		return ERR_NOT_FOUND;
	e = keys_of(t, audience, epoch, &r);
	if (e)
		return e;
	if (text->type != TOKEN_RECORD)
		return open_block(r, text, out);
	e = make_siv(t, r);
	return e ? e : open_record(r, text, out);
}

static enum err seal_target(struct tokens *t, struct ready *r, const struct token_target *target,
                            uint8_t out[static RECORD_SEALED])
{
	uint8_t plain[RECORD_LEN];
	enum err e;

	bytes_put(plain, target->customer, 8);
	bytes_put(plain + 8, target->subject, 2);
	bytes_put(plain + 10, target->generation, 2);
	if (target->type != TOKEN_RECORD) {
		bytes_put(plain + 12, shapes[target->type].constant, 4);
		return block_of(r->encrypt, plain, out);
	}
	bytes_put(plain + 12, target->item, 8);
	e = make_siv(t, r);
	return e ? e : siv_seal(r->siv_encrypt, plain, RECORD_LEN, out);
}

enum err token_write(struct tokens *t, uint16_t audience, uint32_t epoch, const struct token_target *target,
                     char out[static TOKEN_TEXT_MAX], size_t *len)
{
	uint8_t sealed[RECORD_SEALED], symbols[1 + BECH32M_SYMBOLS(RECORD_SEALED)];
	const struct shape *shape;
	struct ready *r;
	enum err e;

	out[0] = 0;
	*len = 0;
	if ((size_t)target->type >= SHAPES || (target->type == TOKEN_CUSTOMER && target->subject != 0))
		return ERR_INTERNAL;
	shape = &shapes[target->type];
	e = keys_of(t, audience, epoch, &r);
	if (!e)
		e = seal_target(t, r, target, sealed);
	if (e)
		return e;
	symbols[0] = epoch % 32;
	bech32m_split(sealed, shape->len, symbols + 1);
	*len = bech32m_encode(shape->prefix, PREFIX_LEN, symbols, 1 + BECH32M_SYMBOLS((size_t)shape->len), out);
	return ERR_OK;
}
