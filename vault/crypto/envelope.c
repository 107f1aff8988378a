/* envelope.c: OpenSSL's streaming CMS, drained after each write, so that nothing gathers. */
#include "crypto/envelope.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define EC_BITS_MIN 256

struct envelope {
	CMS_ContentInfo *cms;
	BIO *out, *in; /* in: writes through the cipher and the encoder into out, which is memory */
	enum err (*sink)(void *ctx, const void *bytes, size_t len);
	void *ctx;
};

/* ---- the certificate ---- */

static int no_password(char *room, int size, int writing, void *ctx)
{
	(void)room;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static X509 *read_certificate(const char *pem, size_t len)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	BIO *in;
	X509 *x = NULL, *second = NULL;

	if (len < sizeof begin || len > ENVELOPE_PEM_MAX || memcmp(pem, begin, sizeof begin - 1) != 0)
		return NULL;
	in = BIO_new_mem_buf(pem, (int)len);
	if (in)
		x = PEM_read_bio_X509(in, NULL, no_password, NULL);
	if (x)
		second = PEM_read_bio_X509(in, NULL, no_password, NULL);
	if (second) { /* which one is meant? */
		X509_free(x);
		x = NULL;
	}
	X509_free(second);
	BIO_free(in);
	ERR_clear_error();
	return x;
}

static bool is_rsa(X509 *x)
{
	return EVP_PKEY_is_a(X509_get0_pubkey(x), "RSA") == 1;
}

/* May the key in it receive one? */
static bool key_fits(X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	const uint32_t usage = X509_get_key_usage(x); /* all bits where it names none */
	const int bits = key ? EVP_PKEY_get_bits(key) : 0;

	if (!key)
		return false;
	if (is_rsa(x))
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && (usage & KU_KEY_ENCIPHERMENT);
	return EVP_PKEY_is_a(key, "EC") == 1 && bits >= EC_BITS_MIN && (usage & KU_KEY_AGREEMENT);
}

/* A certificate that can be encrypted to; NULL: none. */
static X509 *take_certificate(const char *pem, size_t len)
{
	X509 *x = read_certificate(pem, len);

	if (x && key_fits(x) && X509_cmp_current_time(X509_get0_notBefore(x)) < 0 && X509_cmp_current_time(X509_get0_notAfter(x)) > 0)
		return x;
	X509_free(x);
	ERR_clear_error();
	return NULL;
}

enum err envelope_check(const char *pem, size_t len, uint8_t sha256[static 32])
{
	X509 *x = take_certificate(pem, len);
	const bool good = x && X509_digest(x, EVP_sha256(), sha256, NULL) == 1;

	X509_free(x);
	return good ? ERR_OK : ERR_MALFORMED;
}

enum err envelope_fingerprint(const char *pem, size_t len, uint8_t sha256[static 32])
{
	X509 *x = read_certificate(pem, len);
	const bool good = x && X509_digest(x, EVP_sha256(), sha256, NULL) == 1;

	X509_free(x);
	return good ? ERR_OK : ERR_MALFORMED;
}

/* ---- the envelope ---- */

/* SHA-256 throughout: the defaults are SHA-1. */
static bool add_recipient(CMS_ContentInfo *cms, X509 *x)
{
	CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, x, CMS_KEY_PARAM);
	EVP_PKEY_CTX *key = ri ? CMS_RecipientInfo_get0_pkey_ctx(ri) : NULL;

	if (!key)
		return false;
	if (is_rsa(x))
		return EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_OAEP_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_oaep_md(key, EVP_sha256()) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(key, EVP_sha256()) == 1;
	return EVP_PKEY_CTX_set_ecdh_kdf_md(key, EVP_sha256()) == 1;
}

static enum err drain(struct envelope *v)
{
	char *bytes = NULL;
	const long len = BIO_get_mem_data(v->out, &bytes);
	enum err e = len > 0 ? v->sink(v->ctx, bytes, (size_t)len) : ERR_OK;

	(void)BIO_reset(v->out);
	return e;
}

static enum err failed(void)
{
	ERR_clear_error();
	return ERR_CRYPTO;
}

enum err envelope_new(const char *pem, size_t len, enum err (*sink)(void *ctx, const void *bytes, size_t len), void *ctx, struct envelope **out)
{
	struct envelope *v = calloc(1, sizeof *v);
	X509 *x;

	*out = v;
	if (!v)
		return ERR_MEMORY;
	v->sink = sink;
	v->ctx = ctx;
	x = take_certificate(pem, len);
	if (!x)
		return ERR_MALFORMED;
	v->out = BIO_new(BIO_s_mem());
	v->cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), CMS_STREAM | CMS_PARTIAL | CMS_BINARY);
	if (v->out && v->cms && add_recipient(v->cms, x))
		v->in = BIO_new_CMS(v->out, v->cms);
	X509_free(x);
	return v->in ? ERR_OK : failed();
}

enum err envelope_write(struct envelope *v, const void *bytes, size_t len)
{
	enum err e = ERR_OK;

	while (len && !e) {
		const int n = len < INT_MAX ? (int)len : INT_MAX, written = BIO_write(v->in, bytes, n);

		if (written <= 0)
			return failed();
		bytes = (const char *)bytes + written;
		len -= (size_t)written;
		e = drain(v);
	}
	return e;
}

enum err envelope_end(struct envelope *v)
{
	return BIO_flush(v->in) == 1 ? drain(v) : failed();
}

void envelope_free(struct envelope *v)
{
	if (!v)
		return;
	while (v->in && v->in != v->out) {
		BIO *next = BIO_pop(v->in);

		BIO_free(v->in);
		v->in = next;
	}
	BIO_free(v->out);
	CMS_ContentInfo_free(v->cms);
	free(v);
}
