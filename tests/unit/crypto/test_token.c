/* Pointer tokens. */
#include "crypto/bech32m_int.h"
#include "crypto/block_int.h"
#include "crypto/kdf_int.h"
#include "crypto/secret.h"
#include "crypto/token.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint8_t master[32];
static struct tokens *tokens;

static int set_up(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < sizeof master; i++)
		master[i] = i;
	return secret_start() || tokens_new(master, &tokens);
}

static int tear_down(void **state)
{
	(void)state;
	tokens_free(tokens);
	secret_stop();
	return 0;
}

static const struct token_target targets[] = {
    {.type = TOKEN_CUSTOMER, .customer = 0x0123456789abcdef, .generation = 1},
    {.type = TOKEN_FIELD, .customer = 0x0123456789abcdef, .subject = 7, .generation = 1},
    {.type = TOKEN_RECORD, .customer = 0x0123456789abcdef, .subject = 101, .generation = 1, .item = 99},
    {.type = TOKEN_CUSTOMER, .customer = UINT64_MAX, .generation = UINT16_MAX},
    {.type = TOKEN_FIELD, .customer = UINT64_MAX, .subject = UINT16_MAX, .generation = UINT16_MAX},
    {.type = TOKEN_RECORD, .customer = UINT64_MAX, .subject = UINT16_MAX, .generation = UINT16_MAX, .item = UINT64_MAX},
    {.type = TOKEN_CUSTOMER},
    {.type = TOKEN_FIELD},
    {.type = TOKEN_RECORD},
    {.type = TOKEN_REQUEST, .customer = 7},
    {.type = TOKEN_REQUEST, .customer = UINT64_MAX, .subject = 1},
};

static void assert_same(const struct token_target *a, const struct token_target *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(a->customer == b->customer);
	assert_int_equal(a->subject, b->subject);
	assert_int_equal(a->generation, b->generation);
	assert_true(a->item == b->item);
}

static void write_token(uint16_t audience, uint32_t epoch, const struct token_target *target,
                        char text[static TOKEN_TEXT_MAX], struct token_text *decoded)
{
	size_t len;

	assert_int_equal(token_write(tokens, audience, epoch, target, text, &len), ERR_OK);
	assert_int_equal(len, strlen(text));
	assert_int_equal(token_decode(text, len, decoded), ERR_OK);
}

static void a_token_leads_back_to_its_target(void **state)
{
	static const char *const prefixes[] = {"cus1", "tok1", "rec1", "req1"};
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;
	struct token_target back;

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		for (uint32_t epoch = 0; epoch < 70; epoch += 3) {
			write_token(5, epoch, &targets[i], text, &decoded);
			assert_memory_equal(text, prefixes[targets[i].type], 4);
			assert_int_equal(strlen(text), targets[i].type == TOKEN_RECORD ? 69 : 37);
			assert_int_equal(decoded.type, targets[i].type);
			assert_int_equal(decoded.epoch_symbol, epoch % 32);
			assert_int_equal(token_open(tokens, 5, epoch, &decoded, &back), ERR_OK);
			assert_same(&back, &targets[i]);
		}
	}
}

/* Clients keep tokens for years: what these bytes mean can't change. */
static void tokens_of_earlier_builds_open(void **state)
{
	static const char *const texts[] = {
	    "cus1zcyqrpa3z3h5gr9qrwwqectjdws3lg9l5",
	    "tok1zheutyp7jy70qy3tyfr0hm3ghjvhq4q8h",
	    "rec1ztmdzxvftz3kl4h6uf45l0jpsd2ct9vcup6kyxwzxrvw9s57a0095eqsgwuu4p9zl",
	};
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		write_token(5, 34, &targets[i], text, &decoded);
		assert_string_equal(text, texts[i]);
	}
}

static void upper_case_is_the_same_token(void **state)
{
	char text[TOKEN_TEXT_MAX];
	struct token_text lower, upper;

	(void)state;
	write_token(5, 1, &targets[1], text, &lower);
	for (char *c = text; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	assert_int_equal(token_decode(text, strlen(text), &upper), ERR_OK);
	assert_memory_equal(lower.bytes, upper.bytes, lower.len);
	text[1] = (char)tolower((unsigned char)text[1]);
	assert_int_equal(token_decode(text, strlen(text), &upper), ERR_BAD_TOKEN);
}

static void assert_not_found(uint16_t audience, uint32_t epoch, const struct token_text *text)
{
	const struct token_target nothing = {.type = text->type};
	struct token_target back;

	memset(&back, 0xaa, sizeof back);
	assert_int_equal(token_open(tokens, audience, epoch, text, &back), ERR_NOT_FOUND);
	assert_same(&back, &nothing);
}

static void another_audience_epoch_or_master_opens_nothing(void **state)
{
	uint8_t other[32] = {9};
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;
	struct tokens *theirs;
	struct token_target back;

	(void)state;
	assert_int_equal(tokens_new(other, &theirs), ERR_OK);
	for (size_t i = 0; i < COUNT(targets); i++) {
		write_token(5, 1, &targets[i], text, &decoded);
		for (uint16_t audience = 0; audience < 64; audience++)
			if (audience != 5)
				assert_not_found(audience, 1, &decoded);
		assert_not_found(5 << 8, 1, &decoded);
		assert_not_found(5, 2, &decoded);  /* another symbol */
		assert_not_found(5, 33, &decoded); /* the same symbol, another key */
		assert_int_equal(token_open(theirs, 5, 1, &decoded, &back), ERR_NOT_FOUND);
	}
	tokens_free(theirs);
}

static void audiences_can_not_join_what_they_hold(void **state)
{
	char a[TOKEN_TEXT_MAX], b[TOKEN_TEXT_MAX];
	struct token_text in_a, in_b;

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		write_token(5, 1, &targets[i], a, &in_a);
		write_token(6, 1, &targets[i], b, &in_b);
		assert_memory_not_equal(in_a.bytes, in_b.bytes, in_a.len);
	}
}

/* Takes a token's bytes under another prefix, with a right checksum. */
static enum err relabel(const struct token_text *text, const char *prefix, struct token_text *out)
{
	uint8_t symbols[1 + BECH32M_SYMBOLS(sizeof text->bytes)] = {text->epoch_symbol};
	char again[BECH32M_TEXT_MAX + 1];
	size_t len;

	bech32m_split(text->bytes, text->len, symbols + 1);
	len = bech32m_encode(prefix, strlen(prefix), symbols, 1 + BECH32M_SYMBOLS((size_t)text->len), again);
	return token_decode(again, len, out);
}

static void a_token_does_not_open_as_another_type(void **state)
{
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded, other;
	struct token_target without_subject = targets[1];

	(void)state;
	without_subject.subject = 0;
	write_token(5, 1, &targets[0], text, &decoded);
	assert_int_equal(relabel(&decoded, "tok", &other), ERR_OK);
	assert_not_found(5, 1, &other);
	assert_int_equal(relabel(&decoded, "rec", &other), ERR_BAD_TOKEN);
	assert_int_equal(relabel(&decoded, "abc", &other), ERR_BAD_TOKEN);
	assert_int_equal(relabel(&decoded, "cust", &other), ERR_BAD_TOKEN);
	write_token(5, 1, &without_subject, text, &decoded);
	assert_int_equal(relabel(&decoded, "cus", &other), ERR_OK);
	assert_not_found(5, 1, &other);
	write_token(5, 1, &targets[2], text, &decoded);
	assert_int_equal(relabel(&decoded, "tok", &other), ERR_BAD_TOKEN);
}

static void a_forged_block_with_a_right_checksum_opens_nothing(void **state)
{
	struct token_text made = {.epoch_symbol = 1}, decoded;

	(void)state;
	for (size_t i = 0; i < 30000; i++) {
		made.len = i % 3 == 2 ? 36 : 16;
		assert_int_equal(secret_random(made.bytes, made.len), ERR_OK);
		assert_int_equal(relabel(&made, (const char *const[]){"cus", "tok", "rec"}[i % 3], &decoded), ERR_OK);
		assert_not_found(5, 1, &decoded);
	}
}

static void a_flipped_bit_opens_nothing(void **state)
{
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		write_token(5, 1, &targets[i], text, &decoded);
		for (size_t bit = 0; bit < (size_t)decoded.len * 8; bit++) {
			decoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_not_found(5, 1, &decoded);
			decoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void a_token_relabelled_with_another_epoch_opens_nothing(void **state)
{
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		write_token(5, 1, &targets[i], text, &decoded);
		decoded.epoch_symbol = 2;
		assert_not_found(5, 1, &decoded);
		assert_not_found(5, 2, &decoded);
	}
}

/* Blocks under the right key, each with one bit of the constant wrong. */
static void each_bit_of_the_constant_counts(void **state)
{
	uint8_t key[32], plain[BLOCK_LEN] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 'c', 'u', 's', '1'};
	struct token_text made = {.type = TOKEN_CUSTOMER, .epoch_symbol = 1, .len = BLOCK_LEN};
	struct token_target back;
	EVP_CIPHER_CTX *encrypt;

	(void)state;
	assert_int_equal(kdf_subkey(master, "vault token block", 5, 1, key, sizeof key), ERR_OK);
	encrypt = block_new(key, true);
	assert_non_null(encrypt);
	assert_int_equal(block_of(encrypt, plain, made.bytes), ERR_OK);
	assert_int_equal(token_open(tokens, 5, 1, &made, &back), ERR_OK);
	assert_true(back.customer == 9);
	for (size_t bit = 12 * 8; bit < 16 * 8; bit++) {
		plain[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(block_of(encrypt, plain, made.bytes), ERR_OK);
		assert_not_found(5, 1, &made);
		plain[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	EVP_CIPHER_CTX_free(encrypt);
}

static void a_mistyped_token_is_told_from_an_unknown_one(void **state)
{
	char text[TOKEN_TEXT_MAX];
	struct token_text decoded, other;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		write_token(5, 1, &targets[i], text, &decoded);
		for (size_t k = 0; text[k]; k++) {
			for (int c = 0; c < 256; c++) {
				const char was = text[k];

				text[k] = (char)c;
				if (c != (unsigned char)was)
					assert_int_equal(token_decode(text, strlen(text), &other), ERR_BAD_TOKEN);
				text[k] = was;
			}
		}
		for (size_t len = 0; len < strlen(text); len++)
			assert_int_equal(token_decode(text, len, &other), ERR_BAD_TOKEN);
	}
}

static void set_unused_bits_are_refused(void **state)
{
	uint8_t symbols[27] = {0};
	char text[BECH32M_TEXT_MAX + 1];
	struct token_text decoded;
	size_t len = bech32m_encode("cus", 3, symbols, sizeof symbols, text);

	(void)state;
	assert_int_equal(token_decode(text, len, &decoded), ERR_OK);
	symbols[26] = 1;
	len = bech32m_encode("cus", 3, symbols, sizeof symbols, text);
	assert_int_equal(token_decode(text, len, &decoded), ERR_BAD_TOKEN);
}

static void more_audiences_than_are_kept_ready_work(void **state)
{
	static char texts[300][TOKEN_TEXT_MAX];
	struct token_text decoded;
	struct token_target back;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint16_t audience = 0; audience < 300; audience++) {
			char text[TOKEN_TEXT_MAX];
			const struct token_target *target = &targets[audience % 3];

			write_token(audience, 1, target, text, &decoded);
			if (round > 0)
				assert_string_equal(text, texts[audience]);
			strcpy(texts[audience], text);
			assert_int_equal(token_open(tokens, audience, 1, &decoded, &back), ERR_OK);
			assert_same(&back, target);
		}
	}
}

static void what_no_token_can_say_is_refused(void **state)
{
	const struct token_target bad[] = {{.type = TOKEN_CUSTOMER, .subject = 1}, {.type = (enum token_type)4}};
	struct token_text text = {.type = TOKEN_FIELD, .len = 15};
	char out[TOKEN_TEXT_MAX];
	struct token_target back;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(token_write(tokens, 5, 1, &bad[i], out, &len), ERR_INTERNAL);
		assert_string_equal(out, "");
	}
	assert_int_equal(token_open(tokens, 5, 0, &text, &back), ERR_INTERNAL);
	text.type = (enum token_type)4;
	assert_int_equal(token_open(tokens, 5, 0, &text, &back), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_leads_back_to_its_target),
	    cmocka_unit_test(tokens_of_earlier_builds_open),
	    cmocka_unit_test(upper_case_is_the_same_token),
	    cmocka_unit_test(another_audience_epoch_or_master_opens_nothing),
	    cmocka_unit_test(audiences_can_not_join_what_they_hold),
	    cmocka_unit_test(a_token_does_not_open_as_another_type),
	    cmocka_unit_test(a_forged_block_with_a_right_checksum_opens_nothing),
	    cmocka_unit_test(a_flipped_bit_opens_nothing),
	    cmocka_unit_test(a_token_relabelled_with_another_epoch_opens_nothing),
	    cmocka_unit_test(each_bit_of_the_constant_counts),
	    cmocka_unit_test(a_mistyped_token_is_told_from_an_unknown_one),
	    cmocka_unit_test(set_unused_bits_are_refused),
	    cmocka_unit_test(more_audiences_than_are_kept_ready_work),
	    cmocka_unit_test(what_no_token_can_say_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
