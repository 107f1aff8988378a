/* floor: crypto */
/* A cursor, as clients send it: it opens, or it is refused and leaves no output. */
#include "crypto/base64_int.h"
#include "crypto/mac.h"

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
	uint8_t *bytes = malloc(len + 1);
	char *again = malloc(len + 1);
	size_t n = len;

	check(bytes && again);
	if (base64_read(text, len, bytes, &n)) {
		check(base64_len(n) == len);
		base64_write(bytes, n, again);
		check(memcmp(again, text, len) == 0);
	}
	free(bytes);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[32] = {0};
	uint8_t out[64];
	size_t room = sizeof out;

	check_codec((const char *)data, len);
	if (cursor_read(key, "ctx", 3, (const char *)data, len, out, &room) != ERR_OK)
		check(room == 0);
	else
		check(room <= sizeof out);
	return 0;
}
