/* pki.h: certificates for the tests of this floor, made in a temporary folder. */
#ifndef TESTS_HTTP_PKI_H
#define TESTS_HTTP_PKI_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNUSED_HERE __attribute__((unused))

struct pair {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

struct leaf_spec {
	const char *name;    /* file name without ending */
	const char *uris[3]; /* ends at NULL */
	bool server, client;
	bool is_ca;
	bool no_purpose;
	long from_s, until_s; /* from now; 0: an hour ago, in a day */
	unsigned char serial; /* 0: 1 */
};

struct pki {
	char folder[64];
	struct pair ca, other_ca; /* of crm.example and of partner.example */
	struct pair rogue;	  /* of no bundle */
};

static inline void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "gnutls: %s\n", gnutls_strerror(rc));
	abort();
}

static inline void write_file(const char *folder, const char *name, const void *data, size_t len, mode_t mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	unlink(path);
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0 || chmod(path, mode) != 0)
		abort();
}

static inline gnutls_x509_privkey_t new_key(void)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static inline gnutls_x509_crt_t new_crt(gnutls_x509_privkey_t key, const char *cn, unsigned char serial, long from_s,
					long until_s)
{
	const time_t now = time(NULL);
	gnutls_x509_crt_t crt;
	const unsigned char number[2] = {0x0a, serial};

	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_set_version(crt, 3));
	must(gnutls_x509_crt_set_serial(crt, number, sizeof number));
	must(gnutls_x509_crt_set_activation_time(crt, now + (from_s ? from_s : -3600)));
	must(gnutls_x509_crt_set_expiration_time(crt, now + (until_s ? until_s : 86400)));
	must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn)));
	must(gnutls_x509_crt_set_key(crt, key));
	return crt;
}

/* signer NULL: signs itself. */
static inline struct pair new_ca(const char *cn, const struct pair *signer)
{
	struct pair p = {.key = new_key()};

	p.crt = new_crt(p.key, cn, 1, 0, 0);
	must(gnutls_x509_crt_set_basic_constraints(p.crt, 1, -1));
	must(gnutls_x509_crt_set_key_usage(p.crt, GNUTLS_KEY_KEY_CERT_SIGN));
	must(gnutls_x509_crt_sign2(p.crt, signer ? signer->crt : p.crt, signer ? signer->key : p.key, GNUTLS_DIG_SHA256,
				   0));
	return p;
}

static inline struct pair new_leaf(const struct leaf_spec *s, const struct pair *ca)
{
	struct pair p = {.key = new_key()};

	p.crt = new_crt(p.key, s->name, s->serial ? s->serial : 1, s->from_s, s->until_s);
	for (size_t i = 0; i < 3 && s->uris[i]; i++)
		must(gnutls_x509_crt_set_subject_alt_name(p.crt, GNUTLS_SAN_URI, s->uris[i],
							  (unsigned)strlen(s->uris[i]), GNUTLS_FSAN_APPEND));
	if (s->server)
		must(gnutls_x509_crt_set_subject_alt_name(p.crt, GNUTLS_SAN_DNSNAME, "localhost", 9,
							  GNUTLS_FSAN_APPEND));
	must(gnutls_x509_crt_set_basic_constraints(p.crt, s->is_ca ? 1 : 0, -1));
	must(gnutls_x509_crt_set_key_usage(p.crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	if (s->server && !s->no_purpose)
		must(gnutls_x509_crt_set_key_purpose_oid(p.crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	if (s->client && !s->no_purpose)
		must(gnutls_x509_crt_set_key_purpose_oid(p.crt, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	must(gnutls_x509_crt_sign2(p.crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0));
	return p;
}

static inline void free_pair(struct pair *p)
{
	gnutls_x509_crt_deinit(p->crt);
	gnutls_x509_privkey_deinit(p->key);
}

static inline void save_crt(const struct pki *k, const char *file, gnutls_x509_crt_t crt)
{
	gnutls_datum_t pem;

	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem));
	write_file(k->folder, file, pem.data, pem.size, 0644);
	gnutls_free(pem.data);
}

static inline void save_pair(const struct pki *k, const char *name, const struct pair *p)
{
	char file[128];
	gnutls_datum_t pem;

	snprintf(file, sizeof file, "%s.pem", name);
	save_crt(k, file, p->crt);
	snprintf(file, sizeof file, "%s.key", name);
	must(gnutls_x509_privkey_export2(p->key, GNUTLS_X509_FMT_PEM, &pem));
	write_file(k->folder, file, pem.data, pem.size, 0600);
	gnutls_free(pem.data);
}

static UNUSED_HERE void make_leaf(const struct pki *k, const struct leaf_spec *s, const struct pair *ca)
{
	struct pair p = new_leaf(s, ca);

	save_pair(k, s->name, &p);
	free_pair(&p);
}

static UNUSED_HERE const char *file_in(const struct pki *k, const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", k->folder, name);
	return path;
}

/* Two trust domains with a bundle each, a server, and a client of each domain. */
static UNUSED_HERE struct pki pki_new(void)
{
	struct pki k = {.folder = "/tmp/vault-http-XXXXXX"};

	if (!mkdtemp(k.folder) || mkdir(file_in(&k, "bundles"), 0700) != 0)
		abort();
	k.ca = new_ca("test CA", NULL);
	k.other_ca = new_ca("partner CA", NULL);
	k.rogue = new_ca("rogue CA", NULL);
	save_crt(&k, "bundles/crm.example.pem", k.ca.crt);
	save_crt(&k, "bundles/partner.example.pem", k.other_ca.crt);
	make_leaf(&k,
		  &(struct leaf_spec){.name = "server", .server = true, .uris = {"spiffe://crm.example/svc/server"}},
		  &k.ca);
	make_leaf(&k,
		  &(struct leaf_spec){
		      .name = "client", .client = true, .serial = 0x42, .uris = {"spiffe://crm.example/svc/crm-core"}},
		  &k.ca);
	return k;
}

static UNUSED_HERE void pki_free(struct pki *k)
{
	char command[128];

	free_pair(&k->ca);
	free_pair(&k->other_ca);
	free_pair(&k->rogue);
	snprintf(command, sizeof command, "rm -rf '%s'", k->folder);
	if (system(command) != 0)
		fprintf(stderr, "could not remove %s\n", k->folder);
}

#endif
