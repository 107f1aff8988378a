/* floor: crypto */
/* fuzz_envelope.c: a certificate as callers send it: it is taken or refused, and what is taken can be encrypted to. */
#include "crypto/envelope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err count(void *ctx, const void *bytes, size_t len)
{
	(void)bytes;
	*(size_t *)ctx += len;
	return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope *v = NULL;
	uint8_t sha256[32];
	size_t n = 0;

	if (!envelope_check((const char *)data, size, sha256)) {
		if (envelope_fingerprint((const char *)data, size, sha256))
			abort();
		/* A modulus of nonsense may refuse; nothing worse. */
		if (!envelope_new((const char *)data, size, count, &n, &v) && !envelope_write(v, "x", 1) && !envelope_end(v) && !n)
			abort();
		envelope_free(v);
	}
	return 0;
}
