/* What start says when it can't, and the smallest number of threads. */
#include "service.h"

static void refused(struct service *s, enum err expected, const char *named)
{
	const struct http_handler h = {.ctx = s};
	struct http_server *server = NULL;
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(http_server_start(&s->config, &h, &server, &why), expected);
	assert_null(server);
	if (!strstr(buf_string(&why), named))
		fail_msg("the reason does not name %s: %s", named, buf_string(&why));
	buf_fini(&why);
}

static void an_error_at_start_names_what_is_wrong(void **state)
{
	struct service s;
	int taken;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	taken = s.port;
	s.config.listen_port = taken;
	refused(&s, ERR_IO, "VAULT_LISTEN_PORT");
	s.config.listen_port = 0;
	strcpy(s.config.listen_address, "nowhere");
	refused(&s, ERR_CONFIG, "VAULT_LISTEN_ADDRESS");
	strcpy(s.config.listen_address, "::1");
	strcpy(s.config.trust_bundles, s.pki.folder);
	refused(&s, ERR_CONFIG, ".pem");
	assert_int_equal(unlink(s.config.tls_key), 0);
	refused(&s, ERR_IO, "server.key");
	service_stop(&s);
}

static void an_empty_folder_of_bundles_is_refused(void **state)
{
	struct service s;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	assert_int_equal(unlink(file_in(&s.pki, "bundles/crm.example.pem")), 0);
	assert_int_equal(unlink(file_in(&s.pki, "bundles/partner.example.pem")), 0);
	refused(&s, ERR_CONFIG, "holds no bundle");
	service_stop(&s);
}

static void one_io_thread_is_enough(void **state)
{
	struct service s;
	struct client *c[8];

	(void)state;
	service_prepare(&s);
	s.config.io_threads = 1;
	service_start(&s);
	for (int i = 0; i < 8; i++)
		c[i] = client_open(&s.pki, s.port, "client");
	for (int i = 0; i < 80; i++) {
		struct reply r = client_get(c[i % 8], "/later");

		assert_int_equal(r.status, 200);
		reply_free(&r);
	}
	for (int i = 0; i < 8; i++)
		client_free(c[i]);
	service_stop(&s);
}

static void past_the_limit_a_client_waits_for_a_place(void **state)
{
	struct service s;
	struct client *c[16], *late;
	struct reply r;

	(void)state;
	service_prepare(&s);
	s.config.io_threads = 1;
	s.config.max_connections = 16;
	service_start(&s);
	for (int i = 0; i < 16; i++)
		c[i] = client_open(&s.pki, s.port, "client");
	r = client_get(c[15], "/now");
	assert_int_equal(r.status, 200);
	reply_free(&r);
	late = client_new(&s.pki, s.port, "client", NULL); /* the kernel's backlog takes it */
	client_free(c[0]);
	must(client_handshake(late));
	r = client_get(late, "/now");
	assert_int_equal(r.status, 200);
	reply_free(&r);
	for (int i = 1; i < 16; i++)
		client_free(c[i]);
	client_free(late);
	service_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_error_at_start_names_what_is_wrong),
	    cmocka_unit_test(an_empty_folder_of_bundles_is_refused),
	    cmocka_unit_test(one_io_thread_is_enough),
	    cmocka_unit_test(past_the_limit_a_client_waits_for_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
