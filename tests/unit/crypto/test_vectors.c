/* Published vectors, through the code that the vault uses. */
#include "crypto/aead_int.h"
#include "crypto/bech32m_int.h"
#include "crypto/kdf_int.h"
#include "crypto/mac.h"
#include "crypto/secret.h"
#include "crypto/selftest_int.h"
#include "crypto/sign.h"
#include "crypto/siv_int.h"
#include "tests/vectors/aes_gcm.h"
#include "tests/vectors/aes_siv.h"
#include "tests/vectors/bech32m.h"
#include "tests/vectors/ed25519.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/sha256_hmac_hkdf.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void aes_gcm_gives_the_published_answers(void **state)
{
	EVP_CIPHER_CTX *ctx = aead_new();

	(void)state;
	assert_non_null(ctx);
	for (size_t i = 0; i < COUNT(gcm_vectors); i++) {
		const struct gcm_vector *v = &gcm_vectors[i];
		uint8_t key[32], nonce[12], plain[64], public[32], sealed[64], tag[16], out[64], got[16];
		const size_t len = hex_read(v->plain, plain);
		struct mac_part aad = {public, 0};

		hex_read(v->key, key);
		hex_read(v->nonce, nonce);
		hex_read(v->sealed, sealed);
		hex_read(v->tag, tag);
		aad.len = hex_read(v->aad, public);
		assert_int_equal(aead_key(ctx, key), ERR_OK);
		assert_int_equal(aead_seal(ctx, nonce, &aad, 1, plain, len, out, got), ERR_OK);
		assert_memory_equal(out, sealed, len);
		assert_memory_equal(got, tag, 16);
		assert_int_equal(aead_open(ctx, nonce, &aad, 1, sealed, len, out, tag), ERR_OK);
		assert_memory_equal(out, plain, len);
		tag[15] ^= 0x80;
		assert_int_equal(aead_open(ctx, nonce, &aad, 1, sealed, len, out, tag), ERR_SEAL);
	}
	EVP_CIPHER_CTX_free(ctx);
}

static size_t siv_of(const struct siv_vector *v, uint8_t out[static 128])
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, v->cipher, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[64], bytes[128];
	int n = 0;
	size_t len;

	hex_read(v->key, key);
	assert_int_equal(EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL), 1);
	for (size_t i = 0; i < 3 && v->aad[i]; i++) {
		len = hex_read(v->aad[i], bytes);
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, bytes, (int)len), 1);
	}
	len = hex_read(v->plain, bytes);
	assert_int_equal(EVP_EncryptUpdate(ctx, out + 16, &n, bytes, (int)len), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return 16 + len;
}

static void aes_siv_gives_the_published_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(siv_vectors); i++) {
		uint8_t want[128], got[128];
		const size_t len = hex_read(siv_vectors[i].sealed, want);

		assert_int_equal(siv_of(&siv_vectors[i], got), len);
		assert_memory_equal(got, want, len);
	}
}

static void aes_siv_without_associated_data_may_be_used_again(void **state)
{
	uint8_t key[64], plain[20], want[36], got[36], back[20];
	EVP_CIPHER_CTX *encrypt, *decrypt;

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(0x40 + i);
	assert_int_equal(hex_read(SIV_NO_AAD_SEALED, want), sizeof want);
	encrypt = siv_new(key, true);
	decrypt = siv_new(key, false);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(siv_seal(encrypt, plain, 20, got), ERR_OK);
		assert_memory_equal(got, want, sizeof want);
		assert_int_equal(siv_open(decrypt, got, 20, back), ERR_OK);
		assert_memory_equal(back, plain, sizeof plain);
		got[i] ^= 1;
		memset(back, 0xaa, sizeof back);
		assert_int_equal(siv_open(decrypt, got, 20, back), ERR_SEAL);
		for (size_t k = 0; k < sizeof back; k++)
			assert_int_equal(back[k], 0);
	}
	EVP_CIPHER_CTX_free(encrypt);
	EVP_CIPHER_CTX_free(decrypt);
}

static void sha256_gives_the_published_answers(void **state)
{
	static char million[1000000];
	const struct mac_part parts[3] = {{"a", 1}, {"", 0}, {"bc", 2}};
	uint8_t want[32], got[32];

	(void)state;
	for (size_t i = 0; i < COUNT(sha256_vectors); i++) {
		hex_read(sha256_vectors[i].hash, want);
		assert_int_equal(sha256_of(sha256_vectors[i].text, strlen(sha256_vectors[i].text), got), ERR_OK);
		assert_memory_equal(got, want, 32);
	}
	memset(million, 'a', sizeof million);
	hex_read(SHA256_MILLION_A, want);
	assert_int_equal(sha256_of(million, sizeof million, got), ERR_OK);
	assert_memory_equal(got, want, 32);
	hex_read(sha256_vectors[1].hash, want);
	assert_int_equal(sha256_parts(parts, 3, got), ERR_OK);
	assert_memory_equal(got, want, 32);
}

static void hmac_sha256_gives_the_published_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hmac_vectors); i++) {
		const struct hmac_vector *v = &hmac_vectors[i];
		uint8_t key[160] = {0}, data[160], want[32], got[32];
		const size_t key_len = hex_read(v->key, key), len = hex_read(v->data, data);
		const size_t want_len = hex_read(v->mac, want);
		const struct mac_part parts[2] = {{data, len / 2}, {data + len / 2, len - len / 2}};
		struct mac *m;

		if (v->long_key)
			assert_int_equal(sha256_of(key, key_len, key), ERR_OK);
		assert_int_equal(mac_new(key, &m), ERR_OK);
		for (int round = 0; round < 2; round++) {
			assert_int_equal(mac_of(m, data, len, got), ERR_OK);
			assert_memory_equal(got, want, want_len);
			assert_int_equal(mac_parts(m, parts, 2, got), ERR_OK);
			assert_memory_equal(got, want, want_len);
		}
		mac_free(m);
	}
}

static void hkdf_gives_the_published_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hkdf_vectors); i++) {
		uint8_t key[128], salt[128], info[128], want[128], got[128];
		const size_t key_len = hex_read(hkdf_vectors[i].key, key), salt_len = hex_read(hkdf_vectors[i].salt, salt);
		const size_t info_len = hex_read(hkdf_vectors[i].info, info), len = hex_read(hkdf_vectors[i].out, want);

		assert_int_equal(hkdf_sha256(key, key_len, salt, salt_len, info, info_len, got, len), ERR_OK);
		assert_memory_equal(got, want, len);
	}
}

static void subkeys_differ_in_label_and_in_each_number(void **state)
{
	const uint8_t master[32] = {1};
	uint8_t keys[5][32];

	(void)state;
	assert_int_equal(kdf_subkey(master, "one", 1, 2, keys[0], 32), ERR_OK);
	assert_int_equal(kdf_subkey(master, "two", 1, 2, keys[1], 32), ERR_OK);
	assert_int_equal(kdf_subkey(master, "one", 2, 1, keys[2], 32), ERR_OK);
	assert_int_equal(kdf_subkey(master, "one", 1, 1, keys[3], 32), ERR_OK);
	assert_int_equal(kdf_subkey(master, "on", 1, 2, keys[4], 32), ERR_OK);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], 32);
}

static void ed25519_gives_the_published_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ed25519_vectors); i++) {
		uint8_t seed[32], public_key[32], text[8], want[64], got[64];
		const size_t len = hex_read(ed25519_vectors[i].text, text);

		hex_read(ed25519_vectors[i].seed, seed);
		hex_read(ed25519_vectors[i].public_key, public_key);
		hex_read(ed25519_vectors[i].signature, want);
		assert_int_equal(sign_public(seed, got), ERR_OK);
		assert_memory_equal(got, public_key, 32);
		assert_int_equal(sign_bytes(seed, text, len, got), ERR_OK);
		assert_memory_equal(got, want, 64);
		assert_int_equal(sign_verify(public_key, text, len, want), ERR_OK);
		for (size_t bit = 0; bit < 64 * 8; bit += 7) {
			want[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(sign_verify(public_key, text, len, want), ERR_SEAL);
			want[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		assert_int_equal(sign_verify(public_key, "another", 7, want), ERR_SEAL);
	}
}

static void bech32m_takes_what_bip_350_calls_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bech32m_valid); i++) {
		const char *text = bech32m_valid[i];
		struct bech32m b;
		char again[BECH32M_TEXT_MAX + 1], lower[BECH32M_TEXT_MAX + 1] = "";

		assert_int_equal(bech32m_decode(text, strlen(text), &b), ERR_OK);
		for (size_t k = 0; text[k]; k++)
			lower[k] = (char)tolower((unsigned char)text[k]);
		assert_int_equal(bech32m_encode(b.prefix, b.prefix_len, b.symbols, b.n, again), strlen(text));
		assert_string_equal(again, lower);
	}
}

static void bech32m_refuses_what_bip_350_calls_invalid(void **state)
{
	struct bech32m b;

	(void)state;
	for (size_t i = 0; i < COUNT(bech32m_invalid); i++)
		assert_int_equal(bech32m_decode(bech32m_invalid[i], strlen(bech32m_invalid[i]), &b), ERR_BAD_TOKEN);
	for (size_t i = 0; i < COUNT(bech32_valid); i++)
		assert_int_equal(bech32m_decode(bech32_valid[i], strlen(bech32_valid[i]), &b), ERR_BAD_TOKEN);
	assert_int_equal(bech32m_decode("", 0, &b), ERR_BAD_TOKEN);
}

static void bech32m_finds_any_two_wrong_characters(void **state)
{
	static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	const char *text = bech32m_valid[3];
	const size_t len = strlen(text), from = strcspn(text, "1") + 1;
	char wrong[BECH32M_TEXT_MAX + 1];
	struct bech32m b;

	(void)state;
	for (size_t i = from; i < len; i++) {
		for (size_t k = i; k < len; k++) {
			for (size_t c = 0; c < 32 * 32; c++) {
				strcpy(wrong, text);
				wrong[i] = letters[c % 32];
				wrong[k] = letters[c / 32];
				if (strcmp(wrong, text) != 0)
					assert_int_equal(bech32m_decode(wrong, len, &b), ERR_BAD_TOKEN);
			}
		}
	}
}

static void bech32m_splits_and_joins_any_length(void **state)
{
	uint8_t bytes[48], back[48], symbols[BECH32M_SYMBOLS(48)];

	(void)state;
	for (size_t len = 0; len <= sizeof bytes; len++) {
		assert_int_equal(secret_random(bytes, sizeof bytes), ERR_OK);
		memset(back, 0, sizeof back);
		bech32m_split(bytes, len, symbols);
		for (size_t i = 0; i < BECH32M_SYMBOLS(len); i++)
			assert_true(symbols[i] < 32);
		assert_int_equal(bech32m_join(symbols, len, back), ERR_OK);
		assert_memory_equal(back, bytes, len);
		for (size_t unused = BECH32M_SYMBOLS(len) * 5 - len * 8, i = 0; i < unused; i++) {
			symbols[BECH32M_SYMBOLS(len) - 1] ^= (uint8_t)(1u << i);
			assert_int_equal(bech32m_join(symbols, len, back), ERR_BAD_TOKEN);
			symbols[BECH32M_SYMBOLS(len) - 1] ^= (uint8_t)(1u << i);
		}
	}
}

static void the_self_test_compares_each_answer(void **state)
{
	struct selftest_answers a = selftest_answers;
	uint8_t *const answers[] = {a.gcm, a.gcm + 60, a.sha256, a.hmac, a.hkdf, a.block, a.siv, a.siv + 16, a.sign};

	(void)state;
	assert_int_equal(selftest_run(&a), ERR_OK);
	for (size_t i = 0; i < COUNT(answers); i++) {
		answers[i][0] ^= 1;
		assert_int_equal(selftest_run(&a), ERR_CRYPTO);
		answers[i][0] ^= 1;
	}
	assert_int_equal(selftest_run(&a), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aes_gcm_gives_the_published_answers),
	    cmocka_unit_test(aes_siv_gives_the_published_answers),
	    cmocka_unit_test(aes_siv_without_associated_data_may_be_used_again),
	    cmocka_unit_test(sha256_gives_the_published_answers),
	    cmocka_unit_test(hmac_sha256_gives_the_published_answers),
	    cmocka_unit_test(hkdf_gives_the_published_answers),
	    cmocka_unit_test(subkeys_differ_in_label_and_in_each_number),
	    cmocka_unit_test(ed25519_gives_the_published_answers),
	    cmocka_unit_test(bech32m_takes_what_bip_350_calls_valid),
	    cmocka_unit_test(bech32m_refuses_what_bip_350_calls_invalid),
	    cmocka_unit_test(bech32m_finds_any_two_wrong_characters),
	    cmocka_unit_test(bech32m_splits_and_joins_any_length),
	    cmocka_unit_test(the_self_test_compares_each_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
