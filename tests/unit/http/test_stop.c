/* The ordered stop: no request that was accepted goes without an answer. */
#include "service.h"

struct stop {
	struct service *s;
	int64_t drain_ms;
	_Atomic int done;
};

static void *stop(void *ctx)
{
	struct stop *st = ctx;

	http_server_stop(st->s->server, st->drain_ms);
	atomic_store(&st->done, 1);
	return NULL;
}

/* As service_stop, for a server that the test has stopped itself. */
static void clean_up(struct service *s)
{
	const int port = s->port;

	pthread_mutex_lock(&s->lock);
	s->worker_ends = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->worker, NULL);
	assert_int_equal(atomic_load(&s->begun), atomic_load(&s->ended));
	assert_int_equal(metric_get(METRIC_IN_FLIGHT), 0);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 0);
	assert_int_equal(connect_plain(port), -1);
	free(s->config.listen_address);
	free(s->config.tls_certificate);
	free(s->config.tls_key);
	free(s->config.trust_bundles);
	free(s->config.deny_list);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	pki_free(&s->pki);
}

static void requests_in_flight_are_answered_and_idle_connections_closed(void **state)
{
	struct client *flights[20], *idle;
	struct service s;
	struct stop st = {.s = &s, .drain_ms = 5000};
	pthread_t thread;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	idle = client_open(&s.pki, s.port, "client");
	for (int i = 0; i < 20; i++)
		flights[i] = client_open(&s.pki, s.port, "client");
	for (int i = 0; i < 20; i++)
		assert_true(client_send(flights[i], "GET /slow?n=1000 HTTP/1.1\r\nHost: l\r\n\r\n"));
	wait_for(&s.begun, 20);
	pthread_create(&thread, NULL, stop, &st);
	usleep(200000);
	assert_int_equal(atomic_load(&st.done), 0);
	assert_int_equal(connect_plain(s.port), -1);
	assert_int_equal(client_drain(idle), 0);
	for (int i = 0; i < 20; i++) {
		struct reply r = client_read(flights[i]);

		assert_int_equal(r.status, 200);
		assert_string_equal(header_in(r.head, "Connection"), "close");
		assert_int_equal(client_drain(flights[i]), 0);
		reply_free(&r);
		client_free(flights[i]);
	}
	pthread_join(thread, NULL);
	client_free(idle);
	clean_up(&s);
}

static void a_body_on_its_way_is_still_taken(void **state)
{
	struct client *c;
	struct service s;
	struct stop st = {.s = &s, .drain_ms = 5000};
	struct reply r;
	pthread_t thread;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	c = client_open(&s.pki, s.port, "client");
	assert_true(client_send(c, "POST /echo HTTP/1.1\r\nHost: l\r\nContent-Length: 6\r\n\r\nabc"));
	wait_for(&s.begun, 1);
	pthread_create(&thread, NULL, stop, &st);
	usleep(200000);
	assert_true(client_send(c, "def"));
	r = client_read(c);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "abcdef");
	reply_free(&r);
	pthread_join(thread, NULL);
	client_free(c);
	clean_up(&s);
}

static void a_body_that_never_ends_is_cut_when_the_drain_is_over(void **state)
{
	struct client *c;
	struct service s;
	const int64_t start = clock_mono_us();
	int64_t took_ms;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	c = client_open(&s.pki, s.port, "client");
	assert_true(client_send(c, "POST /echo HTTP/1.1\r\nHost: l\r\nContent-Length: 6\r\n\r\nabc"));
	wait_for(&s.begun, 1);
	http_server_stop(s.server, 300);
	took_ms = (clock_mono_us() - start) / 1000;
	assert_in_range(took_ms, 290, 2000);
	client_free(c);
	clean_up(&s);
}

static void a_handler_that_wakes_after_the_drain_is_waited_for(void **state)
{
	struct client *c;
	struct service s;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	c = client_open(&s.pki, s.port, "client");
	assert_true(client_send(c, "GET /slow?n=1000 HTTP/1.1\r\nHost: l\r\n\r\n"));
	wait_for(&s.begun, 1);
	http_server_stop(s.server, 100);
	client_free(c);
	clean_up(&s);
}

static void streams_end_and_handshakes_are_dropped(void **state)
{
	struct client *follower;
	struct service s;
	const int64_t start = clock_mono_us();
	int stalled;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	stalled = connect_plain(s.port);
	follower = client_open(&s.pki, s.port, "client");
	assert_true(client_send(follower, "GET /stream HTTP/1.1\r\nHost: l\r\n\r\n"));
	wait_for(&s.begun, 1);
	usleep(100000);
	http_server_stop(s.server, 10000);
	assert_true(clock_mono_us() - start < 3000000);
	(void)client_drain(follower);
	assert_non_null(memmem(follower->data, follower->len, "0\r\n\r\n", 5)); /* the stream's own end, not a cut */
	client_free(follower);
	close(stalled);
	clean_up(&s);
}

struct hammer {
	struct service *s;
	int answered;
};

static void *hammer(void *ctx)
{
	struct hammer *h = ctx;
	struct client *c = client_open(&h->s->pki, h->s->port, "client");

	/* Each request is sent on a connection that just answered; the server may close it before it reads
	 * the next one, but one that it began must be answered. */
	for (;;) {
		struct reply r = client_get(c, "/later");
		const bool closed = r.closed;

		h->answered += !closed;
		reply_free(&r);
		if (closed)
			break;
	}
	client_free(c);
	return NULL;
}

static void under_load_each_request_that_began_is_answered(void **state)
{
	struct hammer hammers[16];
	pthread_t threads[16];
	struct service s;
	int answered = 0;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	for (int i = 0; i < 16; i++) {
		hammers[i] = (struct hammer){.s = &s};
		pthread_create(&threads[i], NULL, hammer, &hammers[i]);
	}
	for (int i = 0; i < 20000 && atomic_load(&s.begun) < 500; i++)
		usleep(1000);
	http_server_stop(s.server, 5000);
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		answered += hammers[i].answered;
	}
	assert_true(answered >= 500);
	assert_int_equal(answered, atomic_load(&s.begun));
	clean_up(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_in_flight_are_answered_and_idle_connections_closed),
	    cmocka_unit_test(a_body_on_its_way_is_still_taken),
	    cmocka_unit_test(a_body_that_never_ends_is_cut_when_the_drain_is_over),
	    cmocka_unit_test(a_handler_that_wakes_after_the_drain_is_waited_for),
	    cmocka_unit_test(streams_end_and_handshakes_are_dropped),
	    cmocka_unit_test(under_load_each_request_that_began_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
