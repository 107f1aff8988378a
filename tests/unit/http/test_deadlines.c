/* Clients that stall, or send a byte now and then: they cost no CPU and are cut off. */
#include "service.h"

#include <sys/resource.h>

#define HANDSHAKE_MS 400
#define HEADER_MS    500
#define BODY_MS	     600
#define IDLE_MS	     700

static int setup(void **state)
{
	struct service *s = malloc(sizeof *s);

	if (!s)
		return -1;
	service_prepare(s);
	s->config.handshake_timeout_ms = HANDSHAKE_MS;
	s->config.header_timeout_ms = HEADER_MS;
	s->config.body_timeout_ms = BODY_MS;
	s->config.idle_timeout_ms = IDLE_MS;
	service_start(s);
	*state = s;
	return 0;
}

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* The other side closes within limit_ms of start, and not before least_ms. */
static void assert_cut(int fd, int64_t start_us, int64_t least_ms, int64_t limit_ms)
{
	char byte[64];
	int64_t took_ms;
	ssize_t got;

	do
		got = recv(fd, byte, sizeof byte, 0);
	while (got > 0);
	took_ms = (clock_mono_us() - start_us) / 1000;
	if (took_ms < least_ms || took_ms > limit_ms)
		fail_msg("cut after %lld ms, not %lld to %lld", (long long)took_ms, (long long)least_ms,
			 (long long)limit_ms);
}

static void a_handshake_that_stalls_is_cut(void **state)
{
	struct service *s = *state;
	const int64_t cuts = metric_get(METRIC_DEADLINE_CUTS), start = clock_mono_us();
	const int failures = atomic_load(&s->failures);
	int fd = connect_plain(s->port);

	assert_int_equal(send(fd, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), 4);
	assert_cut(fd, start, HANDSHAKE_MS - 50, HANDSHAKE_MS + 300);
	close(fd);
	wait_for(&s->failures, failures + 1);
	assert_string_equal(s->reason, "timeout");
	assert_int_equal(metric_get(METRIC_DEADLINE_CUTS), cuts + 1);
}

static void a_connection_without_a_byte_is_cut(void **state)
{
	struct service *s = *state;
	const int64_t start = clock_mono_us();
	int fd = connect_plain(s->port);

	assert_cut(fd, start, HANDSHAKE_MS - 50, HANDSHAKE_MS + 300);
	close(fd);
}

static void half_a_header_is_cut(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	const int64_t start = clock_mono_us();

	assert_true(client_send(c, "GET /now HTTP/1.1\r\nHost:"));
	assert_cut(c->fd, start, HEADER_MS - 50, HEADER_MS + 300);
	client_free(c);
}

static void a_header_a_byte_now_and_then_is_cut(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	const int64_t start = clock_mono_us();
	int64_t took_ms;
	bool open = true;

	while (open && clock_mono_us() - start < 3000000) {
		open = client_send(c, "G");
		usleep(50000);
	}
	took_ms = (clock_mono_us() - start) / 1000;
	assert_in_range(took_ms, HEADER_MS - 50, HEADER_MS + 400);
	client_free(c);
}

static void half_a_body_is_cut_and_its_request_ended(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	const int64_t start = clock_mono_us();
	const int ended = atomic_load(&s->ended);

	assert_true(client_send(c, "POST /echo HTTP/1.1\r\nHost: l\r\nContent-Length: 10\r\n\r\nabc"));
	assert_cut(c->fd, start, BODY_MS - 50, BODY_MS + 300);
	client_free(c);
	wait_for(&s->ended, ended + 1);
}

static void a_body_a_byte_now_and_then_is_cut(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	const int64_t start = clock_mono_us();
	int64_t took_ms;
	bool open = client_send(c, "POST /echo HTTP/1.1\r\nHost: l\r\nContent-Length: 1000\r\n\r\n");

	while (open && clock_mono_us() - start < 3000000) {
		open = client_send(c, "x");
		usleep(50000);
	}
	took_ms = (clock_mono_us() - start) / 1000;
	assert_in_range(took_ms, BODY_MS - 50, BODY_MS + 400);
	client_free(c);
}

static void an_idle_connection_is_closed_and_counts_as_no_cut(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	struct reply r = client_get(c, "/now");
	const int64_t start = clock_mono_us(), cuts = metric_get(METRIC_DEADLINE_CUTS);

	assert_int_equal(r.status, 200);
	assert_cut(c->fd, start, IDLE_MS - 50, IDLE_MS + 300);
	assert_int_equal(metric_get(METRIC_DEADLINE_CUTS), cuts);
	reply_free(&r);
	client_free(c);
}

static void a_client_that_does_not_read_its_reply_is_cut(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	const int ended = atomic_load(&s->ended);
	const int64_t start = clock_mono_us(), cuts = metric_get(METRIC_DEADLINE_CUTS);
	int64_t took_ms;

	/* More than both sockets hold; a second is granted for each MiB on top of the time of a body. */
	assert_true(client_send(c, "GET /big?n=4194304 HTTP/1.1\r\nHost: l\r\n\r\n"));
	for (int i = 0; i < 10000 && atomic_load(&s->ended) == ended; i++)
		usleep(1000);
	took_ms = (clock_mono_us() - start) / 1000;
	assert_in_range(took_ms, BODY_MS + 4000 - 50, BODY_MS + 4000 + 1500);
	assert_int_equal(metric_get(METRIC_DEADLINE_CUTS), cuts + 1);
	client_free(c);
}

static void a_request_that_waits_for_its_handler_has_no_deadline_here(void **state)
{
	struct service *s = *state;
	struct client *c = client_open(&s->pki, s->port, "client");
	struct reply r = client_get(c, "/slow?n=1500");

	assert_int_equal(r.status, 200);
	reply_free(&r);
	client_free(c);
}

/* Their deadlines are long here, so that all of them stall through the two seconds. */
static void stalling_clients_cost_no_cpu(void **state)
{
	struct service s;
	struct client *header, *body, *idle;
	int stalled[50];
	int64_t before, used;

	(void)state;
	service_prepare(&s);
	service_start(&s);
	for (int i = 0; i < 50; i++) {
		stalled[i] = connect_plain(s.port);
		assert_int_equal(send(stalled[i], "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), 4);
	}
	idle = client_open(&s.pki, s.port, "client");
	header = client_open(&s.pki, s.port, "client");
	assert_true(client_send(header, "GET /now HTTP/1.1\r\nHo"));
	body = client_open(&s.pki, s.port, "client");
	assert_true(client_send(body, "POST /echo HTTP/1.1\r\nHost: l\r\nContent-Length: 100\r\n\r\nabc"));
	usleep(100000);
	before = cpu_us();
	for (int i = 0; i < 20; i++) { /* and a byte now and then */
		usleep(100000);
		assert_true(client_send(header, "x"));
		assert_true(client_send(body, "x"));
	}
	used = cpu_us() - before;
	if (used > 50000)
		fail_msg("%lld us of CPU in two seconds", (long long)used);
	for (int i = 0; i < 50; i++)
		close(stalled[i]);
	client_free(header);
	client_free(body);
	client_free(idle);
	service_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_handshake_that_stalls_is_cut),
	    cmocka_unit_test(a_connection_without_a_byte_is_cut),
	    cmocka_unit_test(half_a_header_is_cut),
	    cmocka_unit_test(a_header_a_byte_now_and_then_is_cut),
	    cmocka_unit_test(half_a_body_is_cut_and_its_request_ended),
	    cmocka_unit_test(a_body_a_byte_now_and_then_is_cut),
	    cmocka_unit_test(an_idle_connection_is_closed_and_counts_as_no_cut),
	    cmocka_unit_test(a_client_that_does_not_read_its_reply_is_cut),
	    cmocka_unit_test(a_request_that_waits_for_its_handler_has_no_deadline_here),
	};
	const struct CMUnitTest alone[] = {
	    cmocka_unit_test(stalling_clients_cost_no_cpu),
	};
	int failed = cmocka_run_group_tests(tests, setup, service_teardown);

	return failed + cmocka_run_group_tests(alone, NULL, NULL);
}
