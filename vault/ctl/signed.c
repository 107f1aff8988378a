/* signed.c: checks a document that a vault has signed, without the vault. */
#include "crypto/sign.h"
#include "ctl/commands.h"
#include "ctl/show.h"

#include <string.h>

#define SIGNED_PREFIX "vault signed document 1\n" /* as vault/app/signed.h */
#define DOCUMENT_MAX ((size_t)16 << 20)

/* The key that is trusted: by the option, never the one in the file. */
static int trusted_key(const struct arguments *a, const struct node *root, uint8_t key[static SIGN_PUBLIC_LEN])
{
	const char *given = arguments_option(a, "public-key");
	size_t len;
	const char *named = node_string(node_get(node_get(root, "signature"), "key"), &len);

	if (!given)
		return complain(CTL_USAGE, "--public-key is needed: the vault's own, from GET /v1/signing-key, kept apart from this file");
	if (!input_hex(given, strlen(given), key, SIGN_PUBLIC_LEN))
		return complain(CTL_USAGE, "--public-key must be 64 hex digits");
	if (!named || strcmp(named, given) != 0)
		return complain(CTL_FAILED, "the document names another key");
	return CTL_OK;
}

static int check(const struct arguments *a, const struct node *root)
{
	const struct node *document = node_get(root, "document");
	uint8_t key[SIGN_PUBLIC_LEN], value[SIGN_LEN];
	struct buf bytes;
	const char *hex;
	size_t len = 0;
	int code = trusted_key(a, root, key);

	if (code != CTL_OK)
		return code;
	hex = node_string(node_get(node_get(root, "signature"), "value"), &len);
	if (node_type(document) != NODE_OBJECT || !input_hex(hex, len, value, SIGN_LEN))
		return complain(CTL_FAILED, "this is no signed document of a vault");
	buf_init(&bytes, 0);
	buf_text(&bytes, SIGNED_PREFIX);
	if (node_print(document, &bytes))
		code = complain(CTL_SERVER, "out of memory");
	else if (sign_verify(key, bytes.data, bytes.len, value))
		code = complain(CTL_FAILED, "the signature does not fit: the document was changed, or another vault signed it");
	buf_fini(&bytes);
	return code;
}

int command_signed_verify(const struct arguments *a)
{
	struct buf file, text;
	struct doc *doc = NULL;
	int code = CTL_USAGE;

	buf_init(&file, 0);
	buf_init(&text, 0);
	if (input_read(a->words[0], DOCUMENT_MAX, &file)) {
		if (doc_parse(file.data, file.len, &doc))
			code = complain(CTL_FAILED, "this is no JSON");
		else
			code = check(a, doc_root(doc));
	}
	if (code == CTL_OK) {
		buf_text(&text, "The signature is good. The vault says:\n\n");
		show_object(node_get(doc_root(doc), "document"), &text);
		code = output(&text);
	}
	doc_free(doc);
	buf_fini(&file);
	buf_fini(&text);
	return code;
}
