/* keyring.c: the keyring in memory and as bytes; keyring_file.c does the I/O. */
#include "crypto/keyring.h"

#include "crypto/aead_int.h"
#include "crypto/bytes_int.h"
#include "crypto/kdf_int.h"
#include "crypto/keyring_int.h"
#include "crypto/mac.h"
#include "crypto/secret.h"

#include <stdatomic.h>
#include <string.h>

struct keyring *keyring_alloc(size_t n)
{
	struct keyring *k;

	if (n == 0 || n > KEYRING_EPOCHS_MAX)
		return NULL;
	k = secret_alloc(sizeof *k + n * (sizeof *k->epochs + KEY_LEN));
	if (!k)
		return NULL;
	k->references = 1;
	k->n = n;
	k->epochs = (struct keyring_epoch *)(k + 1);
	k->keks = (uint8_t(*)[KEY_LEN])(k->epochs + n);
	return k;
}

struct keyring *keyring_take(struct keyring *k)
{
	atomic_fetch_add_explicit(&k->references, 1, memory_order_relaxed);
	return k;
}

void keyring_free(struct keyring *k)
{
	if (k && atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) == 1)
		secret_free(k);
}

const uint8_t *keyring_key(const struct keyring *k, enum keyring_key which)
{
	return (size_t)which < KEYRING_KEYS ? k->keys[which] : NULL;
}

const uint8_t *keyring_kek(const struct keyring *k, uint32_t epoch)
{
	for (size_t i = k->n; i-- > 0;) {
		const struct keyring_epoch *e = &k->epochs[i];

		if (e->epoch == epoch)
			return e->state == EPOCH_DESTROYED ? NULL : k->keks[i];
	}
	return NULL;
}

uint32_t keyring_active(const struct keyring *k)
{
	for (size_t i = k->n; i-- > 0;)
		if (k->epochs[i].state == EPOCH_ACTIVE)
			return k->epochs[i].epoch;
	return 0;
}

const struct keyring_epoch *keyring_epochs(const struct keyring *k, size_t *n)
{
	*n = k->n;
	return k->epochs;
}

uint16_t keyring_index_epoch(const struct keyring *k)
{
	return k->index_epoch;
}

unsigned keyring_index_bits(const struct keyring *k)
{
	return k->index_bits;
}

uint64_t keyring_fingerprint(const struct keyring *k)
{
	return k->fingerprint;
}

uint8_t keyring_bits_for(uint64_t expected_customers)
{
	uint8_t bits = 8;

	/* Rounded in the logarithm: up from 2^(bits + 1/2), of which the square is 2^(2 bits + 1). */
	for (; bits < 56; bits++) {
		const unsigned __int128 n = expected_customers / 4;

		if (n * n < (unsigned __int128)1 << (2 * bits + 1))
			break;
	}
	return bits;
}

/* In place of a KEK, or of another key (kind 0). */
static enum err check_value(const uint8_t key[static KEY_LEN], uint32_t kind, uint32_t number, uint8_t out[static 8])
{
	return kdf_subkey(key, "vault key check", kind, number, out, 8);
}

bool keyring_check(const struct keyring *k, uint32_t epoch, uint64_t *check)
{
	const uint8_t *kek = keyring_kek(k, epoch);
	uint8_t bytes[8];

	if (!kek || check_value(kek, 1, epoch, bytes))
		return false;
	*check = bytes_get(bytes, sizeof bytes);
	return true;
}

/* What two nodes compare: every public fact, and a check value in place of each key. */
enum err keyring_seal_facts(struct keyring *k)
{
	struct buf facts;
	uint8_t check[8], hash[32];
	enum err e = ERR_OK;

	buf_init(&facts, 0);
	buf_text(&facts, KEYRING_MAGIC);
	buf_u16(&facts, k->index_epoch);
	buf_byte(&facts, k->index_bits);
	for (uint32_t i = 0; i < KEYRING_KEYS && !e; i++) {
		e = check_value(k->keys[i], 0, i, check);
		buf_append(&facts, check, sizeof check);
	}
	for (size_t i = 0; i < k->n && !e; i++) {
		const struct keyring_epoch *row = &k->epochs[i];

		e = check_value(k->keks[i], 1, row->epoch, check);
		buf_u32(&facts, row->epoch);
		buf_byte(&facts, (uint8_t)row->state);
		buf_u64(&facts, (uint64_t)row->created_at_us);
		buf_u64(&facts, (uint64_t)row->retired_at_us);
		buf_append(&facts, check, sizeof check);
	}
	if (!e)
		e = buf_err(&facts);
	if (!e)
		e = sha256_of(facts.data, facts.len, hash);
	if (!e)
		k->fingerprint = bytes_get(hash, 8);
	buf_fini(&facts);
	return e;
}

enum err keyring_generate(uint64_t expected_customers, int64_t now_us, struct keyring **out)
{
	struct keyring *k = keyring_alloc(1);
	enum err e;

	*out = NULL;
	if (!k)
		return ERR_MEMORY;
	k->index_epoch = 1;
	k->index_bits = keyring_bits_for(expected_customers);
	k->epochs[0] = (struct keyring_epoch){.epoch = 1, .state = EPOCH_ACTIVE, .created_at_us = now_us};
	e = secret_random(k->keys, sizeof k->keys);
	if (!e)
		e = secret_random(k->keks[0], KEY_LEN);
	if (!e)
		e = keyring_seal_facts(k);
	if (e) {
		keyring_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

static uint8_t *put_key(uint8_t *at, const uint8_t key[static KEY_LEN])
{
	memcpy(at, key, KEY_LEN);
	return at + KEY_LEN;
}

size_t keyring_body(const struct keyring *k, uint8_t *body)
{
	uint8_t *at = body;

	at = bytes_put(at, k->index_epoch, 2);
	at = bytes_put(at, k->index_bits, 1);
	at = bytes_put(at, KEYRING_KEYS, 1);
	for (size_t i = 0; i < KEYRING_KEYS; i++)
		at = put_key(at, k->keys[i]);
	at = bytes_put(at, k->n, 2);
	for (size_t i = 0; i < k->n; i++) {
		at = bytes_put(at, k->epochs[i].epoch, 4);
		at = bytes_put(at, (uint64_t)k->epochs[i].state, 1);
		at = bytes_put(at, (uint64_t)k->epochs[i].created_at_us, 8);
		at = bytes_put(at, (uint64_t)k->epochs[i].retired_at_us, 8);
		at = put_key(at, k->keks[i]);
	}
	return (size_t)(at - body);
}

static bool is_zero(const uint8_t key[static KEY_LEN])
{
	static const uint8_t zeros[KEY_LEN];

	return secret_equal(key, zeros, KEY_LEN);
}

static void take_key(struct reader *r, uint8_t key[static KEY_LEN])
{
	const uint8_t *at = reader_bytes(r, KEY_LEN);

	if (at)
		memcpy(key, at, KEY_LEN);
}

/* A row makes sense: in order, a known state, a KEK exactly where there must be one. */
static bool row_fits(const struct keyring *k, size_t i)
{
	const struct keyring_epoch *e = &k->epochs[i];

	if (e->epoch == 0 || (i > 0 && e->epoch <= k->epochs[i - 1].epoch))
		return false;
	if (e->created_at_us < 0 || e->retired_at_us < 0)
		return false;
	return (e->state == EPOCH_DESTROYED) == is_zero(k->keks[i]);
}

static bool take_epochs(struct reader *r, struct keyring *k)
{
	size_t active = 0;

	for (size_t i = 0; i < k->n; i++) {
		struct keyring_epoch *e = &k->epochs[i];
		uint8_t state;

		e->epoch = reader_u32(r);
		state = reader_u8(r);
		e->created_at_us = (int64_t)reader_u64(r);
		e->retired_at_us = (int64_t)reader_u64(r);
		take_key(r, k->keks[i]);
		if (r->failed || state > EPOCH_DESTROYED)
			return false;
		e->state = (enum keyring_state)state;
		active += e->state == EPOCH_ACTIVE;
		if (!row_fits(k, i))
			return false;
	}
	return active == 1 && r->left == 0;
}

static bool keys_fit(const struct keyring *k)
{
	for (size_t i = 0; i < KEYRING_KEYS; i++)
		if (is_zero(k->keys[i]))
			return false;
	return k->index_epoch > 0 && k->index_bits >= 8 && k->index_bits <= 56;
}

enum err keyring_parse(const uint8_t *body, size_t len, struct keyring **out)
{
	struct reader r = reader_of(body, len);
	struct reader ahead = r;
	struct keyring *k;
	size_t n;
	enum err e = ERR_KEYRING;

	*out = NULL;
	(void)reader_bytes(&ahead, 2 + 1 + 1 + KEYRING_KEYS * KEY_LEN);
	n = reader_u16(&ahead);
	if (ahead.failed || n == 0 || n > KEYRING_EPOCHS_MAX || ahead.left != n * KEYRING_EPOCH_LEN)
		return ERR_KEYRING;
	k = keyring_alloc(n);
	if (!k)
		return ERR_MEMORY;
	k->index_epoch = reader_u16(&r);
	k->index_bits = reader_u8(&r);
	if (reader_u8(&r) != KEYRING_KEYS)
		goto out;
	for (size_t i = 0; i < KEYRING_KEYS; i++)
		take_key(&r, k->keys[i]);
	(void)reader_u16(&r);
	if (!keys_fit(k) || !take_epochs(&r, k))
		goto out;
	e = keyring_seal_facts(k);
	if (e)
		goto out;
	*out = k;
	k = NULL;
out:
	keyring_free(k);
	return e;
}

/* Tells a keyring of another root from a damaged one. */
enum err keyring_root_id(const uint8_t root[static KEY_LEN], uint8_t out[static KEYRING_ROOT_ID_LEN])
{
	return kdf_subkey(root, "vault root id", 0, 0, out, KEYRING_ROOT_ID_LEN);
}

enum err keyring_seal(const struct keyring *k, const uint8_t root[static KEY_LEN], uint8_t *out, size_t *len)
{
	const struct mac_part aad = {out, KEYRING_HEAD_LEN};
	uint8_t *body = secret_alloc(KEYRING_BODY_MAX);
	size_t body_len;
	enum err e;

	*len = 0;
	if (!body)
		return ERR_MEMORY;
	memcpy(out, KEYRING_MAGIC, KEYRING_MAGIC_LEN);
	e = keyring_root_id(root, out + KEYRING_MAGIC_LEN);
	if (!e) {
		body_len = keyring_body(k, body);
		e = aead_seal_once(root, &aad, 1, body, body_len, out + KEYRING_HEAD_LEN);
		*len = e ? 0 : KEYRING_HEAD_LEN + AEAD_OVERHEAD + body_len;
	}
	secret_free(body);
	return e;
}

static enum err complain(struct buf *why, const char *path, const char *what)
{
	buf_printf(why, "%s: %s", path, what);
	return ERR_KEYRING;
}

static enum err open_body(const char *path, const uint8_t *file, size_t len, const uint8_t root[static KEY_LEN],
                          struct keyring **out, struct buf *why)
{
	const struct mac_part aad = {file, KEYRING_HEAD_LEN};
	uint8_t *body = secret_alloc(KEYRING_BODY_MAX);
	enum err e = body ? ERR_OK : ERR_MEMORY;

	if (!e)
		e = aead_open_once(root, &aad, 1, file + KEYRING_HEAD_LEN, len - KEYRING_HEAD_LEN, body);
	if (e == ERR_SEAL) {
		e = complain(why, path, "is damaged (its seal does not verify); restore it from a key backup");
		goto out;
	}
	if (!e)
		e = keyring_parse(body, len - KEYRING_HEAD_LEN - AEAD_OVERHEAD, out);
	if (e == ERR_KEYRING)
		(void)complain(why, path,
		               "holds epochs or keys that this version can't use; use the version that wrote it");
	else if (e)
		buf_printf(why, "%s: can't be opened: %s", path, err_text(e));
out:
	secret_free(body);
	return e;
}

enum err keyring_unseal(const char *path, const uint8_t *file, size_t len, const uint8_t root[static KEY_LEN],
                        struct keyring **out, struct buf *why)
{
	uint8_t id[KEYRING_ROOT_ID_LEN];

	*out = NULL;
	if (len < KEYRING_MAGIC_LEN || memcmp(file, KEYRING_MAGIC, KEYRING_MAGIC_LEN) != 0)
		return complain(why, path, "is not a keyring of this version; restore it from a key backup");
	if (len < KEYRING_HEAD_LEN + AEAD_OVERHEAD || len > KEYRING_FILE_MAX)
		return complain(why, path, "is cut short or too long; restore it from a key backup");
	if (keyring_root_id(root, id) != ERR_OK) {
		(void)complain(why, path, "can't be opened: a cryptographic operation failed");
		return ERR_CRYPTO;
	}
	if (!secret_equal(id, file + KEYRING_MAGIC_LEN, sizeof id))
		return complain(why, path, "was sealed under another root key; use the root key that was made with it");
	return open_body(path, file, len, root, out, why);
}
