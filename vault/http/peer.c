/* peer.c: who is at the other end, decided once in the handshake.
 *
 * The leaf names one SPIFFE ID; its chain must end in the bundle of the trust
 * domain of that name and no other, so that the CA of one domain can't issue
 * the identities of another. The order of the checks is that of the reasons
 * that an operator can act on. */
#include "http_int.h"

#include <string.h>
#include <time.h>

#define CHAIN_MAX 4

struct chain {
	gnutls_x509_crt_t certificates[CHAIN_MAX];
	unsigned n;
};

static void chain_fini(struct chain *ch)
{
	for (unsigned i = 0; i < ch->n; i++)
		gnutls_x509_crt_deinit(ch->certificates[i]);
}

static const char *chain_load(gnutls_session_t session, struct chain *ch)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);

	if (!der || n == 0)
		return "no_certificate";
	if (n > CHAIN_MAX)
		return "protocol";
	for (; ch->n < n; ch->n++) {
		if (gnutls_x509_crt_init(&ch->certificates[ch->n]) < 0)
			return "protocol";
		if (gnutls_x509_crt_import(ch->certificates[ch->n], &der[ch->n], GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(ch->certificates[ch->n]);
			return "protocol";
		}
	}
	return NULL;
}

/* Reads the one URI; other kinds of names are allowed beside it and mean nothing here. */
static const char *read_identity(gnutls_x509_crt_t leaf, char out[static SPIFFE_ID_MAX + 1])
{
	char name[1024];
	unsigned type, uris = 0;
	bool valid = false;
	int rc;

	for (unsigned i = 0;; i++) {
		size_t len = sizeof name;

		rc = gnutls_x509_crt_get_subject_alt_name2(leaf, i, name, &len, &type, NULL);
		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER && type != GNUTLS_SAN_URI)
			continue;
		if (rc < 0 && rc != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return "no_identity";
		if (type != GNUTLS_SAN_URI)
			continue;
		uris++;
		if (rc < 0 || spiffe_domain_len(name, len) == 0)
			continue;
		valid = true;
		memcpy(out, name, len);
		out[len] = 0;
	}
	if (uris > 1)
		return "two_identities";
	return valid ? NULL : "no_identity";
}

/* Extended key usage clientAuth, stated; not a CA; where key usage is stated, it may sign and is no CA's. */
static const char *check_usage(gnutls_x509_crt_t leaf)
{
	char oid[64];
	bool client = false;
	unsigned critical, usage = 0;
	int rc;

	for (unsigned i = 0;; i++) {
		size_t len = sizeof oid;

		rc = gnutls_x509_crt_get_key_purpose_oid(leaf, i, oid, &len, NULL);
		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (rc >= 0 && strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0)
			client = true;
		else if (rc < 0 && rc != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return "not_client";
	}
	if (!client || gnutls_x509_crt_get_ca_status(leaf, &critical) > 0)
		return "not_client";
	rc = gnutls_x509_crt_get_key_usage(leaf, &usage, &critical);
	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return NULL;
	if (rc < 0 || !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE) ||
	    (usage & (GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN)))
		return "not_client";
	return NULL;
}

static unsigned chain_status(struct chain *ch, gnutls_x509_trust_list_t bundle)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID};
	/* GnuTLS takes the purpose as bytes that it does not change. */
	char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	unsigned status = 0;

	purpose.data = (unsigned char *)client;
	if (gnutls_x509_trust_list_verify_crt2(bundle, ch->certificates, ch->n, &purpose, 1, 0, &status, NULL) < 0)
		return GNUTLS_CERT_INVALID;
	return status;
}

static bool is_issued_here(void *ctx, gnutls_x509_trust_list_t bundle)
{
	return !(chain_status(ctx, bundle) & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE));
}

static const char *check_chain(const struct credentials *cred, struct chain *ch, const char *spiffe_id)
{
	const size_t domain_len = spiffe_domain_len(spiffe_id, strlen(spiffe_id));
	gnutls_x509_trust_list_t bundle = credentials_bundle(cred, spiffe_id + strlen("spiffe://"), domain_len);
	const unsigned status = bundle ? chain_status(ch, bundle) : GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND;

	if (status == 0)
		return NULL;
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE))
		return credentials_any_bundle(cred, is_issued_here, ch) ? "domain_mismatch" : "unknown_ca";
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return "expired";
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return "not_client";
	return "unknown_ca";
}

static const char *read_rest(struct connection *c, gnutls_x509_crt_t leaf)
{
	unsigned char serial[64];
	char hex[2 * sizeof serial + 1];
	size_t serial_len = sizeof serial, hex_len = sizeof hex, sha_len = sizeof c->peer.certificate_sha256;
	gnutls_datum_t raw;

	if (gnutls_x509_crt_get_serial(leaf, serial, &serial_len) < 0 ||
	    gnutls_x509_crt_get_fingerprint(leaf, GNUTLS_DIG_SHA256, c->peer.certificate_sha256, &sha_len) < 0)
		return "protocol";
	raw = (gnutls_datum_t){.data = serial, .size = (unsigned)serial_len};
	if (gnutls_hex_encode(&raw, hex, &hex_len) < 0 || !deny_serial(hex, strlen(hex), c->serial))
		return "protocol";
	c->peer.expires_at_us = (int64_t)gnutls_x509_crt_get_expiration_time(leaf) * 1000000;
	return NULL;
}

/* The client's own log then says why it was closed; MHD would close without a word. */
static void send_alert(gnutls_session_t session, const char *refusal)
{
	gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;

	if (strcmp(refusal, "unknown_ca") == 0 || strcmp(refusal, "domain_mismatch") == 0)
		alert = GNUTLS_A_UNKNOWN_CA;
	else if (strcmp(refusal, "expired") == 0)
		alert = GNUTLS_A_CERTIFICATE_EXPIRED;
	else if (strcmp(refusal, "not_client") == 0)
		alert = GNUTLS_A_UNSUPPORTED_CERTIFICATE;
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert); /* a client that is gone needs none */
}

int peer_verify(gnutls_session_t session)
{
	struct connection *c = connection_of(gnutls_session_get_ptr(session));
	struct chain ch = {.n = 0};
	const char *refusal;

	if (!c)
		return GNUTLS_E_CERTIFICATE_ERROR;
	c->verified = false;
	refusal = chain_load(session, &ch);
	if (!refusal)
		refusal = read_identity(ch.certificates[0], c->peer.spiffe_id);
	if (!refusal)
		refusal = check_chain(c->credentials, &ch, c->peer.spiffe_id);
	if (!refusal)
		refusal = check_usage(ch.certificates[0]);
	if (!refusal)
		refusal = read_rest(c, ch.certificates[0]);
	chain_fini(&ch);
	c->refusal = refusal;
	c->verified = !refusal;
	if (refusal)
		send_alert(session, refusal);
	return refusal ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}
