/* signed.c: Ed25519 (RFC 8032) over prefix and document; and the route that tells the public key. */
#include "vault/app/signed.h"

#include "base/json.h"
#include "crypto/sign.h"
#include "vault/app/operations.h"

enum err signed_write(struct app *app, const struct buf *document, struct buf *out)
{
	uint8_t key[SIGN_PUBLIC_LEN], value[SIGN_LEN];
	struct keyring *k = app_keyring(app);
	struct buf bytes;
	struct json j;
	enum err e;

	buf_init(&bytes, 0);
	buf_text(&bytes, SIGNED_PREFIX);
	buf_append(&bytes, document->data, document->len);
	e = buf_err(&bytes);
	if (!e)
		e = sign_public(keyring_key(k, KEYRING_SIGN), key);
	if (!e)
		e = sign_bytes(keyring_key(k, KEYRING_SIGN), bytes.data, bytes.len, value);
	keyring_free(k);
	buf_fini(&bytes);
	if (e)
		return e;
	json_init(&j, out);
	json_object(&j);
	json_key(&j, "document");
	json_raw(&j, (const char *)document->data, document->len);
	json_key(&j, "signature");
	json_object(&j);
	json_key_string(&j, "algorithm", "Ed25519");
	json_key(&j, "key");
	json_hex(&j, key, sizeof key);
	json_key(&j, "value");
	json_hex(&j, value, sizeof value);
	json_object_end(&j);
	json_object_end(&j);
	return buf_err(out);
}

enum step signing_key_decide(struct req *r, struct batch *b)
{
	uint8_t key[SIGN_PUBLIC_LEN];
	struct json j;

	buf_reset(&r->out);
	r->err = sign_public(keyring_key(b->keyring, KEYRING_SIGN), key);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "algorithm", "Ed25519");
	json_key(&j, "key");
	json_hex(&j, key, sizeof key);
	json_object_end(&j);
	return STEP_DONE;
}
