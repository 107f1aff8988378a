/* Who gets in. A refused client must not see one byte of HTTP: under TLS 1.3 its
 * own handshake may seem to succeed, so each test sends a request and reads to the end. */
#include "service.h"

static void assert_reason(struct service *s, int failures, const char *reason)
{
	wait_for(&s->failures, failures + 1);
	pthread_mutex_lock(&s->lock);
	assert_string_equal(s->reason, reason);
	pthread_mutex_unlock(&s->lock);
}

static void assert_no_http(struct service *s, const char *name, const char *reason)
{
	const int failures = atomic_load(&s->failures), begun = atomic_load(&s->begun);
	const int64_t counted = metric_get(METRIC_HANDSHAKE_FAILURES);
	struct client *c = client_open(&s->pki, s->port, name);

	(void)client_send(c, "GET /now HTTP/1.1\r\nHost: l\r\n\r\n");
	assert_int_equal(client_drain(c), 0);
	client_free(c);
	assert_reason(s, failures, reason);
	assert_int_equal(atomic_load(&s->begun), begun);
	assert_int_equal(metric_get(METRIC_HANDSHAKE_FAILURES), counted + 1);
}

/* A client that waits for its answer learns why: one that is writing may see only the end. */
static void assert_alert(struct service *s, const char *name, gnutls_alert_description_t expected)
{
	const int failures = atomic_load(&s->failures);
	struct client *c = client_open(&s->pki, s->port, name);
	char byte;
	ssize_t got;

	do
		got = gnutls_record_recv(c->session, &byte, 1);
	while (got < 0 && !gnutls_error_is_fatal((int)got));
	assert_int_equal(got, GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_int_equal(gnutls_alert_get(c->session), expected);
	client_free(c);
	wait_for(&s->failures, failures + 1);
}

static void a_refused_client_that_listens_is_told_by_an_alert(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki,
		  &(struct leaf_spec){.name = "late",
				      .client = true,
				      .uris = {"spiffe://crm.example/svc/a"},
				      .from_s = -7200,
				      .until_s = -60},
		  &s->pki.ca);
	make_leaf(&s->pki, &(struct leaf_spec){.name = "bare", .client = true}, &s->pki.ca);
	assert_alert(s, NULL, GNUTLS_A_CERTIFICATE_REQUIRED);
	assert_alert(s, "late", GNUTLS_A_CERTIFICATE_EXPIRED);
	assert_alert(s, "bare", GNUTLS_A_BAD_CERTIFICATE);
	assert_alert(s, "server", GNUTLS_A_UNSUPPORTED_CERTIFICATE);
}

#define CRM_CORE "spiffe://crm.example/svc/crm-core"

static void a_right_certificate_is_let_in_under_tls_1_3_without_a_ticket(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	struct reply r = client_get(c, "/now");

	assert_int_equal(r.status, 200);
	assert_int_equal(gnutls_protocol_get_version(c->session), GNUTLS_TLS1_3);
	assert_int_equal(gnutls_session_get_flags(c->session) & GNUTLS_SFLAGS_SESSION_TICKET, 0);
	reply_free(&r);
	client_free(c);
}

static void a_client_of_the_other_trust_domain_is_let_in_by_its_own_bundle(void **state)
{
	struct service *s = *state;
	struct client *c;
	struct reply r;

	make_leaf(&s->pki,
		  &(struct leaf_spec){.name = "partner", .client = true, .uris = {"spiffe://partner.example/svc/a"}},
		  &s->pki.other_ca);
	c = client_open(&s->pki, s->port, "partner");
	r = client_get(c, "/head");
	assert_string_equal(r.body, "spiffe://partner.example/svc/a|-|-|GET");
	reply_free(&r);
	client_free(c);
}

static void no_certificate_is_refused(void **state)
{
	assert_no_http(*state, NULL, "no_certificate");
}

static void a_certificate_of_another_ca_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "rogue", .client = true, .uris = {CRM_CORE}}, &s->pki.rogue);
	assert_no_http(s, "rogue", "unknown_ca");
}

static void a_self_signed_certificate_is_refused(void **state)
{
	struct service *s = *state;
	struct pair self = new_ca("self", NULL);
	const struct leaf_spec spec = {.name = "self", .client = true, .uris = {CRM_CORE}};
	struct pair leaf = {.key = self.key};

	leaf.crt = new_crt(self.key, "self", 1, 0, 0);
	must(gnutls_x509_crt_set_subject_alt_name(leaf.crt, GNUTLS_SAN_URI, spec.uris[0],
						  (unsigned)strlen(spec.uris[0]), 0));
	must(gnutls_x509_crt_set_key_purpose_oid(leaf.crt, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	must(gnutls_x509_crt_sign2(leaf.crt, leaf.crt, self.key, GNUTLS_DIG_SHA256, 0));
	save_pair(&s->pki, "self", &leaf);
	gnutls_x509_crt_deinit(leaf.crt);
	free_pair(&self);
	assert_no_http(s, "self", "unknown_ca");
}

static void an_expired_certificate_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(
	    &s->pki,
	    &(struct leaf_spec){.name = "expired", .client = true, .uris = {CRM_CORE}, .from_s = -7200, .until_s = -60},
	    &s->pki.ca);
	assert_no_http(s, "expired", "expired");
}

static void a_certificate_that_is_not_valid_yet_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "early", .client = true, .uris = {CRM_CORE}, .from_s = 3600},
		  &s->pki.ca);
	assert_no_http(s, "early", "expired");
}

static void a_server_only_certificate_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "serveronly", .server = true, .uris = {CRM_CORE}}, &s->pki.ca);
	assert_no_http(s, "serveronly", "not_client");
}

static void a_certificate_without_a_stated_purpose_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "any", .no_purpose = true, .uris = {CRM_CORE}}, &s->pki.ca);
	assert_no_http(s, "any", "not_client");
}

static void a_spiffe_id_of_another_trust_domain_than_its_ca_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "minted", .client = true, .uris = {CRM_CORE}}, &s->pki.other_ca);
	assert_no_http(s, "minted", "domain_mismatch");
}

static void a_trust_domain_without_a_bundle_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki,
		  &(struct leaf_spec){.name = "nodomain", .client = true, .uris = {"spiffe://nobody.example/svc/a"}},
		  &s->pki.rogue);
	assert_no_http(s, "nodomain", "unknown_ca");
}

static void two_uris_are_refused(void **state)
{
	struct service *s = *state;

	make_leaf(
	    &s->pki,
	    &(struct leaf_spec){.name = "two", .client = true, .uris = {CRM_CORE, "spiffe://crm.example/svc/admin"}},
	    &s->pki.ca);
	assert_no_http(s, "two", "two_identities");
	/* The second is none of ours: still two names. */
	make_leaf(&s->pki,
		  &(struct leaf_spec){.name = "two", .client = true, .uris = {CRM_CORE, "https://example.com/"}},
		  &s->pki.ca);
	assert_no_http(s, "two", "two_identities");
}

static void a_certificate_without_a_uri_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "none", .client = true}, &s->pki.ca);
	assert_no_http(s, "none", "no_identity");
}

static void a_uri_that_is_no_spiffe_id_is_refused(void **state)
{
	static const char *const uris[] = {"https://crm.example/svc/crm-core", "spiffe://crm.example",
					   "spiffe://crm.example/", "spiffe://crm.example/svc/../admin",
					   "spiffe://CRM.example/svc/a"};
	struct service *s = *state;

	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		make_leaf(&s->pki, &(struct leaf_spec){.name = "odd", .client = true, .uris = {uris[i]}}, &s->pki.ca);
		assert_no_http(s, "odd", "no_identity");
	}
}

static void a_spiffe_id_with_a_nul_in_it_is_refused(void **state)
{
	static const char uri[] = CRM_CORE "\0.evil.example/svc/a";
	struct service *s = *state;
	struct pair p = {.key = new_key()};
	char der[4 + sizeof uri] = "\x30_\x86";

	p.crt = new_crt(p.key, "nul", 1, 0, 0);
	/* By hand: SEQUENCE, [6] IA5String. GnuTLS itself would not write it. */
	der[1] = (char)(sizeof uri + 1);
	der[3] = (char)(sizeof uri - 1);
	memcpy(der + 4, uri, sizeof uri - 1);
	must(gnutls_x509_crt_set_extension_by_oid(p.crt, "2.5.29.17", der, 4 + sizeof uri - 1, 0));
	must(gnutls_x509_crt_set_key_purpose_oid(p.crt, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	must(gnutls_x509_crt_sign2(p.crt, s->pki.ca.crt, s->pki.ca.key, GNUTLS_DIG_SHA256, 0));
	save_pair(&s->pki, "nul", &p);
	free_pair(&p);
	assert_no_http(s, "nul", "no_identity");
}

static void a_ca_certificate_as_a_client_is_refused(void **state)
{
	struct service *s = *state;

	make_leaf(&s->pki, &(struct leaf_spec){.name = "ca-leaf", .client = true, .is_ca = true, .uris = {CRM_CORE}},
		  &s->pki.ca);
	assert_no_http(s, "ca-leaf", "not_client");
}

/* leaf, and n intermediates up to the CA, all sent. */
static void make_chain(struct service *s, const char *name, int n)
{
	struct pair cas[8];
	char path[300], file[64];
	FILE *f;

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof file, "intermediate %d", i);
		cas[i] = new_ca(file, i ? &cas[i - 1] : &s->pki.ca);
	}
	make_leaf(&s->pki, &(struct leaf_spec){.name = name, .client = true, .uris = {CRM_CORE}}, &cas[n - 1]);
	snprintf(file, sizeof file, "%s.pem", name);
	snprintf(path, sizeof path, "%s/%s", s->pki.folder, file);
	f = fopen(path, "a");
	assert_non_null(f);
	for (int i = n - 1; i >= 0; i--) {
		gnutls_datum_t pem;

		must(gnutls_x509_crt_export2(cas[i].crt, GNUTLS_X509_FMT_PEM, &pem));
		assert_int_equal(fwrite(pem.data, 1, pem.size, f), pem.size);
		gnutls_free(pem.data);
		free_pair(&cas[i]);
	}
	fclose(f);
}

static void a_chain_of_four_is_let_in_and_a_longer_one_is_refused(void **state)
{
	struct service *s = *state;
	struct client *c;
	struct reply r;

	make_chain(s, "chain4", 3);
	c = client_open(&s->pki, s->port, "chain4");
	r = client_get(c, "/now");
	assert_int_equal(r.status, 200);
	reply_free(&r);
	client_free(c);
	make_chain(s, "chain5", 4);
	assert_no_http(s, "chain5", "protocol");
}

static void tls_1_2_is_refused(void **state)
{
	struct service *s = *state;
	const int failures = atomic_load(&s->failures);
	struct client *c = client_new(&s->pki, s->port, "client", "NORMAL:-VERS-ALL:+VERS-TLS1.2");

	assert_true(client_handshake(c) < 0);
	client_free(c);
	assert_reason(s, failures, "protocol");
}

static void plain_http_is_refused(void **state)
{
	struct service *s = *state;
	const int failures = atomic_load(&s->failures);
	const int fd = connect_plain(s->port);
	char answer[256];
	ssize_t got;

	assert_int_equal(send(fd, "GET /now HTTP/1.1\r\nHost: l\r\n\r\n", 30, MSG_NOSIGNAL), 30);
	while ((got = recv(fd, answer, sizeof answer, 0)) > 0)
		assert_null(memmem(answer, (size_t)got, "HTTP", 4));
	close(fd);
	assert_reason(s, failures, "protocol");
}

static void a_client_that_leaves_without_a_byte_is_no_failure(void **state)
{
	struct service *s = *state;
	const int failures = atomic_load(&s->failures);

	close(connect_plain(s->port));
	usleep(100000);
	assert_int_equal(atomic_load(&s->failures), failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_right_certificate_is_let_in_under_tls_1_3_without_a_ticket),
	    cmocka_unit_test(a_client_of_the_other_trust_domain_is_let_in_by_its_own_bundle),
	    cmocka_unit_test(no_certificate_is_refused),
	    cmocka_unit_test(a_certificate_of_another_ca_is_refused),
	    cmocka_unit_test(a_self_signed_certificate_is_refused),
	    cmocka_unit_test(an_expired_certificate_is_refused),
	    cmocka_unit_test(a_certificate_that_is_not_valid_yet_is_refused),
	    cmocka_unit_test(a_server_only_certificate_is_refused),
	    cmocka_unit_test(a_certificate_without_a_stated_purpose_is_refused),
	    cmocka_unit_test(a_spiffe_id_of_another_trust_domain_than_its_ca_is_refused),
	    cmocka_unit_test(a_trust_domain_without_a_bundle_is_refused),
	    cmocka_unit_test(two_uris_are_refused),
	    cmocka_unit_test(a_certificate_without_a_uri_is_refused),
	    cmocka_unit_test(a_uri_that_is_no_spiffe_id_is_refused),
	    cmocka_unit_test(a_spiffe_id_with_a_nul_in_it_is_refused),
	    cmocka_unit_test(a_ca_certificate_as_a_client_is_refused),
	    cmocka_unit_test(a_chain_of_four_is_let_in_and_a_longer_one_is_refused),
	    cmocka_unit_test(tls_1_2_is_refused),
	    cmocka_unit_test(plain_http_is_refused),
	    cmocka_unit_test(a_refused_client_that_listens_is_told_by_an_alert),
	    cmocka_unit_test(a_client_that_leaves_without_a_byte_is_no_failure),
	};

	return cmocka_run_group_tests(tests, service_setup, service_teardown);
}
