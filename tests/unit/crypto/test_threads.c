/* What the headers say of threads: objects belong to one, the keyring and the
 * cursors to all. Worth most under the thread sanitizer. */
#include "crypto/keyring_int.h"
#include "crypto/mac.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "crypto/token.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 300

static struct keyring *keyring;

static enum err seal_and_open(struct sealer *s, uint64_t customer)
{
	const struct seal_place place = {.type = SEAL_FIELD, .customer = customer, .subject = 1, .version = 1};
	const uint8_t *kek = keyring_kek(keyring, keyring_active(keyring));
	uint8_t dek[SEAL_KEY_LEN], wrapped[SEAL_DEK_LEN], unit[SEAL_OVERHEAD + 16], out[16];
	size_t len;
	enum err e = seal_dek_new(s, dek);

	if (!e)
		e = seal_dek_wrap(s, kek, customer, 1, 1, dek, wrapped);
	if (!e)
		e = seal_dek_unwrap(s, kek, customer, 1, 1, wrapped, dek);
	if (!e)
		e = seal_use(s, dek);
	if (!e)
		e = seal_unit(s, &place, "value", 5, unit);
	if (!e)
		e = seal_open(s, &place, unit, sizeof unit, out, &len);
	return e ? e : len == 5 && memcmp(out, "value", 5) == 0 ? ERR_OK : ERR_INTERNAL;
}

static enum err write_and_open(struct tokens *t, uint64_t customer)
{
	const struct token_target target = {
	    .type = customer % 2 ? TOKEN_FIELD : TOKEN_RECORD, .customer = customer, .subject = 1};
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;
	struct token_target back;
	size_t len;
	enum err e = token_write(t, (uint16_t)(customer % 5), 1, &target, text, &len);

	if (!e)
		e = token_decode(text, len, &decoded);
	if (!e)
		e = token_open(t, (uint16_t)(customer % 5), 1, &decoded, &back);
	return e ? e : back.customer == customer ? ERR_OK : ERR_INTERNAL;
}

static enum err point_and_read(struct blind *b, uint64_t customer)
{
	const uint8_t *key = keyring_key(keyring, KEYRING_CURSOR);
	char text[CURSOR_TEXT_MAX];
	uint64_t back = 0;
	size_t len = sizeof back;
	int64_t tag;
	enum err e = blind_tag(b, (uint32_t)(customer % 7), 1, &customer, sizeof customer, &tag);

	if (!e)
		e = cursor_write(key, "ctx", 3, &customer, sizeof customer, text);
	if (!e)
		e = cursor_read(key, "ctx", 3, text, strlen(text), &back, &len);
	return e ? e : back == customer ? ERR_OK : ERR_INTERNAL;
}

static void *work(void *result)
{
	struct sealer *s = NULL;
	struct tokens *t = NULL;
	struct blind *b = NULL;
	enum err e = sealer_new(&s);

	if (!e)
		e = tokens_new(keyring_key(keyring, KEYRING_TOKEN), &t);
	if (!e)
		e = blind_new(keyring_key(keyring, KEYRING_INDEX), keyring_index_epoch(keyring), 18, &b);
	for (uint64_t i = 1; i <= ROUNDS && !e; i++) {
		e = seal_and_open(s, i);
		if (!e)
			e = write_and_open(t, i);
		if (!e)
			e = point_and_read(b, i);
	}
	blind_free(b);
	tokens_free(t);
	sealer_free(s);
	*(enum err *)result = e;
	return NULL;
}

static void threads_share_a_keyring(void **state)
{
	pthread_t threads[THREADS];
	enum err results[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &results[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(results[i], ERR_OK);
	}
}

static int set_up(void **state)
{
	(void)state;
	/* No secret_start: its self-test would make the tables ready before the threads race for them. */
	return keyring_generate(1000, 1, &keyring) != ERR_OK;
}

static int tear_down(void **state)
{
	(void)state;
	keyring_free(keyring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_share_a_keyring),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
