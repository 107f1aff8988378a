/* token.h: opaque pointers, valid in one audience: cus1... to a customer,
 * tok1... to a field, rec1... to a record; and req1... to a rights request or a hold,
 * which all officers share: made in audience 0, which no caller has.
 *
 * cus and tok are one AES-256 block under a key of (audience, token epoch)
 * over {customer 64, subject 16, token generation 16, constant 32}; rec is
 * AES-SIV (RFC 5297) over {customer 64, kind 16, generation 16, item 64}.
 * Text is bech32m (BIP-350) whose first symbol carries the epoch mod 32. The
 * constant is another one in cus and in tok. A guess of a block opens with 2^-32,
 * and then points to a given customer with 2^-64: 2^-96 in all; a guessed rec
 * opens with 2^-128. No table, nothing to store.
 *
 * A struct tokens belongs to one thread. It keeps a few audiences' keys ready. */
#ifndef CRYPTO_TOKEN_H
#define CRYPTO_TOKEN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_TEXT_MAX 92 /* longest text and NUL */

enum token_type { TOKEN_CUSTOMER, TOKEN_FIELD, TOKEN_RECORD, TOKEN_REQUEST };

/* A token as text, decoded but not opened: any thread may do this. */
struct token_text {
	enum token_type type;
	uint8_t epoch_symbol; /* token epoch mod 32 */
	uint8_t len;
	uint8_t bytes[40];
};

/* What a token points to. */
struct token_target {
	enum token_type type;
	uint64_t customer;   /* TOKEN_REQUEST: the number of the request or hold */
	uint16_t subject;    /* field or kind; 0 in TOKEN_CUSTOMER; TOKEN_REQUEST: 0 request, 1 hold */
	uint16_t generation; /* the customer's token generation when it was made */
	uint64_t item;       /* TOKEN_RECORD only */
};

struct tokens;

/* ERR_BAD_TOKEN: unknown prefix, character, length or checksum. Lower or upper case, not mixed. */
enum err token_decode(const char *text, size_t len, struct token_text *out) MUST_CHECK;

/* master: KEYRING_TOKEN; copied. */
enum err tokens_new(const uint8_t master[static 32], struct tokens **out) MUST_CHECK;
void tokens_free(struct tokens *t);
/* Opens under the key of (audience, epoch). ERR_NOT_FOUND: this key did not make
 * it, or the text's symbol is not epoch mod 32; out then holds the type alone. */
enum err token_open(struct tokens *t, uint16_t audience, uint32_t epoch, const struct token_text *text,
                    struct token_target *out) MUST_CHECK;
/* Writes the text with a NUL; *len gets its length without. ERR_INTERNAL: a
 * TOKEN_CUSTOMER with a subject. */
enum err token_write(struct tokens *t, uint16_t audience, uint32_t epoch, const struct token_target *target,
                     char out[static TOKEN_TEXT_MAX], size_t *len) MUST_CHECK;

#endif
