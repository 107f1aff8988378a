/* floor: crypto */
/* Text of a token, as clients send it: whatever decodes has one text only (but
 * for case), and whatever opens is written as that text again. */
#include "crypto/bech32m_int.h"
#include "crypto/token.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_codec(const char *text, size_t len)
{
	struct bech32m b;
	char again[BECH32M_TEXT_MAX + 1];

	if (bech32m_decode(text, len, &b) != ERR_OK)
		return;
	check(bech32m_encode(b.prefix, b.prefix_len, b.symbols, b.n, again) == len);
	check(strncasecmp(again, text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t master[32] = {1};
	static struct tokens *tokens;
	const char *text = (const char *)data;
	struct token_text decoded;
	struct token_target target;
	char again[TOKEN_TEXT_MAX];
	size_t again_len;

	if (!tokens)
		check(tokens_new(master, &tokens) == ERR_OK);
	check_codec(text, len);
	if (token_decode(text, len, &decoded) != ERR_OK)
		return 0;
	if (token_open(tokens, 5, decoded.epoch_symbol, &decoded, &target) != ERR_OK)
		return 0;
	check(token_write(tokens, 5, decoded.epoch_symbol, &target, again, &again_len) == ERR_OK);
	check(again_len == len && strncasecmp(again, text, len) == 0);
	return 0;
}
