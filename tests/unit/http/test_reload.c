/* Reload of certificate, bundles and deny list without dropping a connection. */
#include "service.h"

static void reload(struct service *s, enum err expected, const char *named)
{
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(http_server_reload(s->server, &why), expected);
	if (named && !strstr(buf_string(&why), named))
		fail_msg("the reason does not name %s: %s", named, buf_string(&why));
	assert_null(strchr(buf_string(&why), '\n'));
	buf_fini(&why);
}

static int status_of(struct client *c)
{
	struct reply r = client_get(c, "/now");
	const int status = r.closed ? 0 : r.status;

	reply_free(&r);
	return status;
}

static unsigned char server_serial(struct client *c)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(c->session, &n);
	unsigned char serial[32];
	size_t len = sizeof serial;
	gnutls_x509_crt_t crt;

	assert_true(der && n > 0);
	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER));
	must(gnutls_x509_crt_get_serial(crt, serial, &len));
	gnutls_x509_crt_deinit(crt);
	return serial[len - 1];
}

static void new_server(struct service *s, unsigned char serial, const struct pair *ca)
{
	make_leaf(&s->pki,
		  &(struct leaf_spec){
		      .name = "server", .server = true, .serial = serial, .uris = {"spiffe://crm.example/svc/server"}},
		  ca);
}

static void a_new_certificate_serves_new_handshakes_and_old_connections_go_on(void **state)
{
	struct service *s = *state;
	struct client *old = client_open(&s->pki, s->port, "client"), *fresh;
	const int64_t reloads = metric_get(METRIC_RELOADS);

	assert_int_equal(server_serial(old), 1);
	new_server(s, 7, &s->pki.ca);
	reload(s, ERR_OK, NULL);
	assert_int_equal(metric_get(METRIC_RELOADS), reloads + 1);
	fresh = client_open(&s->pki, s->port, "client");
	assert_int_equal(server_serial(fresh), 7);
	assert_int_equal(status_of(fresh), 200);
	assert_int_equal(status_of(old), 200);
	client_free(old);
	client_free(fresh);
}

static void a_bad_reload_keeps_the_old_and_names_the_file(void **state)
{
	struct service *s = *state;
	const int64_t failures = metric_get(METRIC_RELOAD_FAILURES);
	struct pair other = {.key = new_key()};
	struct client *c;

	write_file(s->pki.folder, "server.pem", "garbage", 7, 0644);
	reload(s, ERR_CONFIG, "server.pem");
	new_server(s, 8, &s->pki.ca);
	assert_int_equal(unlink(file_in(&s->pki, "server.key")), 0);
	reload(s, ERR_IO, "server.key");
	/* A key of another certificate. */
	{
		gnutls_datum_t pem;

		must(gnutls_x509_privkey_export2(other.key, GNUTLS_X509_FMT_PEM, &pem));
		write_file(s->pki.folder, "server.key", pem.data, pem.size, 0600);
		gnutls_free(pem.data);
	}
	reload(s, ERR_CONFIG, "server.key");
	new_server(s, 8, &s->pki.ca);
	assert_int_equal(chmod(file_in(&s->pki, "server.key"), 0644), 0);
	reload(s, ERR_IO, "server.key");
	make_leaf(&s->pki, &(struct leaf_spec){.name = "server", .server = true, .from_s = -7200, .until_s = -1},
		  &s->pki.ca);
	reload(s, ERR_CONFIG, "expired");
	new_server(s, 8, &s->pki.ca);
	assert_int_equal(metric_get(METRIC_RELOAD_FAILURES), failures + 5);
	c = client_open(&s->pki, s->port, "client");
	assert_int_equal(status_of(c), 200);
	assert_int_not_equal(server_serial(c), 8);
	client_free(c);
	gnutls_x509_privkey_deinit(other.key);
}

static void a_bad_bundle_or_deny_list_is_refused_with_its_name(void **state)
{
	struct service *s = *state;
	struct pair leaf = new_leaf(&(struct leaf_spec){.name = "x", .client = true}, &s->pki.ca);

	write_file(s->pki.folder, "bundles/bad.example.pem", "garbage", 7, 0644);
	reload(s, ERR_CONFIG, "bad.example.pem");
	save_crt(&s->pki, "bundles/bad.example.pem", leaf.crt);
	reload(s, ERR_CONFIG, "not a CA");
	assert_int_equal(unlink(file_in(&s->pki, "bundles/bad.example.pem")), 0);
	save_crt(&s->pki, "bundles/Bad Name.pem", s->pki.ca.crt);
	reload(s, ERR_CONFIG, "Bad Name.pem");
	assert_int_equal(unlink(file_in(&s->pki, "bundles/Bad Name.pem")), 0);
	write_file(s->pki.folder, "deny", "0a42\nnot hex\n", 13, 0644);
	reload(s, ERR_CONFIG, "deny:2");
	write_file(s->pki.folder, "deny", "", 0, 0644);
	reload(s, ERR_OK, NULL);
	gnutls_x509_crt_deinit(leaf.crt);
	gnutls_x509_privkey_deinit(leaf.key);
}

static void a_deny_listed_serial_is_refused_on_the_next_request_of_an_open_connection(void **state)
{
	static const char *const entries[] = {"0A:42\n", "# a comment\n a42 # crm-core\n",
					      "spiffe://crm.example/svc/crm-core\n"};
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");

	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		struct reply r;

		assert_int_equal(status_of(c), 200);
		write_file(s->pki.folder, "deny", entries[i], strlen(entries[i]), 0644);
		reload(s, ERR_OK, NULL);
		r = client_get(c, "/now");
		assert_int_equal(r.status, 403);
		assert_non_null(strstr(r.body, "identity_denied"));
		assert_int_equal(atomic_load(&s->denials), (int)i + 1);
		reply_free(&r);
		write_file(s->pki.folder, "deny", "spiffe://crm.example/svc/another\nff\n", 36, 0644);
		reload(s, ERR_OK, NULL);
	}
	assert_int_equal(status_of(c), 200);
	client_free(c);
}

static void a_removed_bundle_refuses_new_handshakes(void **state)
{
	struct service *s = *state;
	const int failures = atomic_load(&s->failures);
	struct client *c;

	make_leaf(&s->pki,
		  &(struct leaf_spec){.name = "partner", .client = true, .uris = {"spiffe://partner.example/svc/a"}},
		  &s->pki.other_ca);
	c = client_open(&s->pki, s->port, "partner");
	assert_int_equal(status_of(c), 200);
	client_free(c);
	assert_int_equal(unlink(file_in(&s->pki, "bundles/partner.example.pem")), 0);
	reload(s, ERR_OK, NULL);
	c = client_open(&s->pki, s->port, "partner");
	assert_int_equal(status_of(c), 0);
	client_free(c);
	wait_for(&s->failures, failures + 1);
	save_crt(&s->pki, "bundles/partner.example.pem", s->pki.other_ca.crt);
	reload(s, ERR_OK, NULL);
}

static void a_certificate_that_expires_on_an_open_connection_closes_it(void **state)
{
	struct service *s = *state;
	struct client *c;

	make_leaf(&s->pki,
		  &(struct leaf_spec){
		      .name = "brief", .client = true, .until_s = 2, .uris = {"spiffe://crm.example/svc/brief"}},
		  &s->pki.ca);
	c = client_open(&s->pki, s->port, "brief");
	assert_int_equal(status_of(c), 200);
	sleep(3);
	assert_int_equal(status_of(c), 0);
	client_free(c);
}

struct flight {
	struct service *s;
	int status;
};

static void *fly(void *ctx)
{
	struct flight *f = ctx;
	struct client *c = client_open(&f->s->pki, f->s->port, "client");
	struct reply r = client_get(c, "/slow?n=500");

	f->status = r.closed ? 0 : r.status;
	reply_free(&r);
	if (f->status == 200)
		f->status = status_of(c);
	client_free(c);
	return NULL;
}

static void fifty_requests_in_flight_over_reloads_are_all_answered(void **state)
{
	struct service *s = *state;
	const int begun = atomic_load(&s->begun);
	struct flight flights[50];
	pthread_t threads[50];

	for (int i = 0; i < 50; i++) {
		flights[i] = (struct flight){.s = s};
		pthread_create(&threads[i], NULL, fly, &flights[i]);
	}
	for (int i = 0; i < 5000 && atomic_load(&s->begun) < begun + 50; i++)
		usleep(1000);
	for (unsigned char i = 0; i < 5; i++) {
		new_server(s, (unsigned char)(20 + i), &s->pki.ca);
		reload(s, ERR_OK, NULL);
	}
	for (int i = 0; i < 50; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(flights[i].status, 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_certificate_serves_new_handshakes_and_old_connections_go_on),
	    cmocka_unit_test(a_bad_reload_keeps_the_old_and_names_the_file),
	    cmocka_unit_test(a_bad_bundle_or_deny_list_is_refused_with_its_name),
	    cmocka_unit_test(a_deny_listed_serial_is_refused_on_the_next_request_of_an_open_connection),
	    cmocka_unit_test(a_removed_bundle_refuses_new_handshakes),
	    cmocka_unit_test(a_certificate_that_expires_on_an_open_connection_closes_it),
	    cmocka_unit_test(fifty_requests_in_flight_over_reloads_are_all_answered),
	};

	return cmocka_run_group_tests(tests, service_setup, service_teardown);
}
