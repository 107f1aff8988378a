/* certs/dev-ca.sh makes what vaultd and its tests need. Runs from the top folder. */
#include "service.h"

static char folder[] = "/tmp/vault-devca-XXXXXX";

/* Shell commands find it as $D. */
static int run(const char *command)
{
	return setenv("D", folder, 1) == 0 ? system(command) : -1;
}

static int make_it(void **state)
{
	(void)state;
	return mkdtemp(folder) && run("sh certs/dev-ca.sh \"$D\" >/dev/null") == 0 ? 0 : -1;
}

static int remove_it(void **state)
{
	(void)state;
	return run("rm -rf \"$D\"");
}

static void a_second_run_is_quiet_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(run("cat $D/*.pem $D/*.key | cksum >$D/.before"), 0);
	assert_int_equal(run("test -z \"$(sh certs/dev-ca.sh $D 2>&1)\""), 0);
	assert_int_equal(run("cat $D/*.pem $D/*.key | cksum | cmp -s - $D/.before"), 0);
}

static void a_lost_key_is_made_again_with_its_certificate(void **state)
{
	(void)state;
	assert_int_equal(
	    run("rm $D/loyalty.key && test \"$(sh certs/dev-ca.sh $D | wc -l)\" = 1 && test -s $D/loyalty.key"), 0);
}

static void keys_are_their_owners_alone(void **state)
{
	(void)state;
	assert_int_equal(run("test -z \"$(find $D -name '*.key' ! -perm 600)\""), 0);
}

static void serve(struct service *s)
{
	char path[256];

	service_prepare(s);
	free(s->config.tls_certificate);
	free(s->config.tls_key);
	free(s->config.trust_bundles);
	snprintf(path, sizeof path, "%s/server.pem", folder);
	s->config.tls_certificate = strdup(path);
	snprintf(path, sizeof path, "%s/server.key", folder);
	s->config.tls_key = strdup(path);
	snprintf(path, sizeof path, "%s/bundles", folder);
	s->config.trust_bundles = strdup(path);
	service_start(s);
}

static void each_client_is_who_it_should_be(void **state)
{
	static const char *const names[] = {"crm-core", "service-desk", "campaigns",	"segmentation",
					    "loyalty",	"surveys",	"analytics",	"security",
					    "admin",	"stranger",	"compliance-1", "compliance-2"};
	struct service s;
	struct pki dev = {.folder = ""};

	(void)state;
	memcpy(dev.folder, folder, sizeof folder);
	serve(&s);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct client *c = client_open(&dev, s.port, names[i]);
		struct reply r = client_get(c, "/head");
		char expected[128];

		snprintf(expected, sizeof expected, "spiffe://crm.example/%s/%s|-|-|GET", i < 10 ? "svc" : "person",
			 names[i]);
		assert_int_equal(r.status, 200);
		assert_string_equal(r.body, expected);
		reply_free(&r);
		client_free(c);
	}
	service_stop(&s);
}

static void foreign_and_server_are_refused_as_clients(void **state)
{
	static const char *const names[][2] = {{"foreign", "unknown_ca"}, {"server", "not_client"}};
	struct service s;
	struct pki dev = {.folder = ""};

	(void)state;
	memcpy(dev.folder, folder, sizeof folder);
	serve(&s);
	for (int i = 0; i < 2; i++) {
		struct client *c = client_open(&dev, s.port, names[i][0]);

		(void)client_send(c, "GET /now HTTP/1.1\r\nHost: l\r\n\r\n");
		assert_int_equal(client_drain(c), 0);
		client_free(c);
		wait_for(&s.failures, i + 1);
		assert_string_equal(s.reason, names[i][1]);
	}
	service_stop(&s);
}

static void a_client_that_checks_the_server_accepts_it(void **state)
{
	struct service s;
	struct client *c;
	struct pki dev = {.folder = ""};
	char ca[256];
	struct reply r;

	(void)state;
	memcpy(dev.folder, folder, sizeof folder);
	serve(&s);
	c = client_new(&dev, s.port, "crm-core", NULL);
	snprintf(ca, sizeof ca, "%s/ca.pem", folder);
	must(gnutls_certificate_set_x509_trust_file(c->credentials, ca, GNUTLS_X509_FMT_PEM));
	gnutls_session_set_verify_cert(c->session, "localhost", 0);
	must(client_handshake(c));
	r = client_get(c, "/now");
	assert_int_equal(r.status, 200);
	reply_free(&r);
	client_free(c);
	service_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_run_is_quiet_and_changes_nothing),
	    cmocka_unit_test(a_lost_key_is_made_again_with_its_certificate),
	    cmocka_unit_test(keys_are_their_owners_alone),
	    cmocka_unit_test(each_client_is_who_it_should_be),
	    cmocka_unit_test(foreign_and_server_are_refused_as_clients),
	    cmocka_unit_test(a_client_that_checks_the_server_accepts_it),
	};

	return cmocka_run_group_tests(tests, make_it, remove_it);
}
