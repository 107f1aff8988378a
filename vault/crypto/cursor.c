/* cursor.c: sealed cursors. The key of the keyring also MACs ETags, so cursors
 * have a subkey of it: one key, one algorithm. */
#include "crypto/mac.h"

#include "crypto/aead_int.h"
#include "crypto/base64_int.h"
#include "crypto/kdf_int.h"
#include "crypto/secret.h"

#include <string.h>

#define BYTES_MAX (CURSOR_BYTES_MAX + AEAD_OVERHEAD)

_Static_assert(BYTES_MAX / 3 * 4 + 4 < CURSOR_TEXT_MAX, "the longest text fits");

static enum err subkey(const uint8_t master[static 32], uint8_t out[static AEAD_KEY_LEN])
{
	return kdf_subkey(master, "vault cursor", 1, 0, out, AEAD_KEY_LEN);
}

enum err cursor_write(const uint8_t key[static 32], const void *context, size_t context_len, const void *bytes,
                      size_t len, char out[static CURSOR_TEXT_MAX])
{
	const struct mac_part aad = {context, context_len};
	uint8_t sealed[BYTES_MAX], own[AEAD_KEY_LEN];
	enum err e;

	out[0] = 0;
	if (len > CURSOR_BYTES_MAX)
		return ERR_INTERNAL;
	e = subkey(key, own);
	if (!e)
		e = aead_seal_once(own, &aad, 1, bytes, len, sealed);
	secret_wipe(own, sizeof own);
	if (!e)
		base64_write(sealed, len + AEAD_OVERHEAD, out);
	return e;
}

enum err cursor_read(const uint8_t key[static 32], const void *context, size_t context_len, const char *text,
                     size_t text_len, void *out, size_t *len)
{
	const struct mac_part aad = {context, context_len};
	uint8_t sealed[BYTES_MAX], own[AEAD_KEY_LEN];
	const size_t room = *len;
	size_t sealed_len = sizeof sealed;
	enum err e;

	*len = 0;
	if (!base64_read(text, text_len, sealed, &sealed_len) || sealed_len < AEAD_OVERHEAD ||
	    sealed_len - AEAD_OVERHEAD > room)
		return ERR_BAD_CURSOR;
	e = subkey(key, own);
	if (!e)
		e = aead_open_once(own, &aad, 1, sealed, sealed_len, out);
	secret_wipe(own, sizeof own);
	if (e)
		return e == ERR_SEAL ? ERR_BAD_CURSOR : e;
	*len = sealed_len - AEAD_OVERHEAD;
	return ERR_OK;
}
