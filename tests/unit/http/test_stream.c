/* Streams: lines as they come, nothing spun while there are none, a newline to find who left. */
#include "service.h"

#include <sys/resource.h>

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* Reads until text has come; false at the end. */
static bool read_until(struct client *c, const char *text)
{
	while (!memmem(c->data, c->len, text, strlen(text)))
		if (!client_more(c))
			return false;
	client_take(c, c->len);
	return true;
}

static struct client *follow(struct service *s)
{
	struct client *c = client_open(&s->pki, s->port, "client");

	pthread_mutex_lock(&s->lock);
	s->lines = s->sent = 0;
	s->stream_ends = false;
	pthread_mutex_unlock(&s->lock);
	assert_true(client_send(c, "GET /stream HTTP/1.1\r\nHost: l\r\n\r\n"));
	assert_true(read_until(c, "\r\n\r\n"));
	return c;
}

static void lines_arrive_as_they_come_and_the_connection_goes_on_after(void **state)
{
	struct service *s = *state;
	struct client *c = follow(s);
	struct reply r;

	for (int i = 1; i <= 20; i++) {
		char line[32];
		const int64_t start = clock_mono_us();

		service_emit(s);
		snprintf(line, sizeof line, "line %d\n", i);
		assert_true(read_until(c, line));
		assert_true(clock_mono_us() - start < 150000); /* no cork, no delayed segment */
		if (i % 5 == 0)
			usleep(20000);
	}
	service_end_stream(s);
	assert_true(read_until(c, "0\r\n\r\n"));
	r = client_get(c, "/later");
	assert_int_equal(r.status, 200);
	reply_free(&r);
	client_free(c);
}

static void a_burst_of_lines_is_lost_nowhere(void **state)
{
	struct service *s = *state;
	struct client *c = follow(s);
	const char *at;
	int seen = 0;

	for (int i = 0; i < 5000; i++)
		service_emit(s);
	service_end_stream(s);
	while (!memmem(c->data, c->len, "0\r\n\r\n", 5))
		assert_true(client_more(c));
	for (at = c->data; (at = memmem(at, (size_t)(c->data + c->len - at), "line ", 5)) != NULL; at += 5)
		seen++;
	assert_int_equal(seen, 5000);
	client_free(c);
}

static void a_silent_stream_costs_no_cpu_and_sends_a_newline_after_fifteen_seconds(void **state)
{
	struct service *s = *state;
	struct client *c = follow(s);
	const int64_t start = clock_mono_us(), before = cpu_us();
	const int unparked = atomic_load(&s->unparked);
	int64_t used;

	assert_true(read_until(c, "\n"));
	used = cpu_us() - before;
	assert_in_range((clock_mono_us() - start) / 1000, 14900, 15500);
	assert_int_equal(atomic_load(&s->unparked), unparked + 1);
	if (used > 150000) /* a hundredth; sanitizers have a thread of their own */
		fail_msg("%lld us of CPU in fifteen silent seconds", (long long)used);
	/* And it still wakes for a line. */
	service_emit(s);
	assert_true(read_until(c, "line 1\n"));
	service_end_stream(s);
	assert_true(read_until(c, "0\r\n\r\n"));
	client_free(c);
}

static void a_follower_that_left_is_found_by_the_next_line(void **state)
{
	struct service *s = *state;
	struct client *c = follow(s);
	const int ended = atomic_load(&s->ended);

	client_free(c);
	for (int i = 0; i < 100 && atomic_load(&s->ended) == ended; i++) {
		service_emit(s);
		usleep(20000);
	}
	assert_int_equal(atomic_load(&s->ended), ended + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_arrive_as_they_come_and_the_connection_goes_on_after),
	    cmocka_unit_test(a_burst_of_lines_is_lost_nowhere),
	    cmocka_unit_test(a_silent_stream_costs_no_cpu_and_sends_a_newline_after_fifteen_seconds),
	    cmocka_unit_test(a_follower_that_left_is_found_by_the_next_line),
	};

	return cmocka_run_group_tests(tests, service_setup, service_teardown);
}
