/* Counters, histograms and the page. */
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

static struct buf page;

static bool page_has(const char *text)
{
	buf_reset(&page);
	metrics_render(&page);
	assert_true(buf_ok(&page));
	return strstr(buf_string(&page), text) != NULL;
}

static void each_metric_is_on_the_page_with_type_and_help(void **state)
{
	(void)state;
#define X(id, type, name, help) assert_true(page_has("# HELP " name " " help "\n# TYPE " name " " #type "\n" name " "));
	METRIC_LIST(X)
#undef X
	assert_true(page_has("vault_build_info{version=\"" VAULT_VERSION "\"} 1\n"));
}

static void gauges_go_down_and_are_set(void **state)
{
	(void)state;
	metric_add(METRIC_CONNECTIONS, 5);
	metric_add(METRIC_CONNECTIONS, -2);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 3);
	metric_set(METRIC_CONNECTIONS, 0);
	assert_true(page_has("\nvault_connections 0\n"));
}

static void requests_are_counted_by_route_and_status(void **state)
{
	static const char *const names[] = {"GET /v1/customers/{cus}", "odd \"name\"\\"};

	(void)state;
	assert_int_equal(metrics_routes(names, 2), ERR_OK);
	metric_request(0, 200, 1500);
	metric_request(0, 200, 500);
	metric_request(0, 404, 100);
	metric_request(1, 418, 100);
	metric_request(2, 200, 100); /* no such route: only in the histogram */
	assert_true(page_has("vault_requests_total{route=\"GET /v1/customers/{cus}\",status=\"200\"} 2\n"));
	assert_true(page_has("vault_requests_total{route=\"GET /v1/customers/{cus}\",status=\"404\"} 1\n"));
	assert_true(page_has("vault_requests_total{route=\"odd \\\"name\\\"\\\\\",status=\"other\"} 1\n"));
	assert_true(page_has("vault_request_time_seconds_total{route=\"GET /v1/customers/{cus}\"} 0.002100\n"));
	assert_true(page_has("vault_request_duration_seconds_count 5\n"));
	assert_true(page_has("vault_request_duration_seconds_bucket{le=\"0.0001\"} 3\n"));
	assert_true(page_has("vault_request_duration_seconds_bucket{le=\"0.0005\"} 4\n"));
	assert_true(page_has("vault_request_duration_seconds_sum 0.002300\n"));
}

static void histograms_are_cumulative_and_hold_what_is_too_large(void **state)
{
	(void)state;
	histogram_observe(HISTOGRAM_BATCH, 100);
	histogram_observe(HISTOGRAM_BATCH, 101);
	histogram_observe(HISTOGRAM_BATCH, 20000000);
	assert_true(page_has("vault_batch_duration_seconds_bucket{le=\"0.0001\"} 1\n"));
	assert_true(page_has("vault_batch_duration_seconds_bucket{le=\"0.00025\"} 2\n"));
	assert_true(page_has("vault_batch_duration_seconds_bucket{le=\"10\"} 2\n"));
	assert_true(page_has("vault_batch_duration_seconds_bucket{le=\"+Inf\"} 3\n"));
	assert_true(page_has("vault_batch_duration_seconds_sum 20.000201\n"));
}

static void batch_sizes_have_buckets_of_powers_of_two(void **state)
{
	(void)state;
	metric_batch_size(1);
	metric_batch_size(200);
	metric_batch_size(1000);
	assert_true(page_has("vault_batch_size_bucket{le=\"1\"} 1\n"));
	assert_true(page_has("vault_batch_size_bucket{le=\"128\"} 1\n"));
	assert_true(page_has("vault_batch_size_bucket{le=\"256\"} 2\n"));
	assert_true(page_has("vault_batch_size_bucket{le=\"+Inf\"} 3\n"));
	assert_true(page_has("vault_batch_size_sum 1201\n"));
}

static void *add(void *unused)
{
	for (int i = 0; i < 100000; i++)
		metric_add(METRIC_BATCHES, 1);
	return unused;
}

static void threads_lose_no_count(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, add, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_get(METRIC_BATCHES), 400000);
}

/* Prometheus reads a name once; a second HELP or TYPE is an error there. */
static void no_name_is_described_twice(void **state)
{
	const char *at;

	(void)state;
	assert_true(page_has("# TYPE"));
	for (at = buf_string(&page); (at = strstr(at, "# TYPE ")) != NULL; at++) {
		char line[256];
		const size_t len = strcspn(at, "\n");

		assert_true(len < sizeof line);
		memcpy(line, at, len);
		line[len] = 0;
		assert_null(strstr(at + len, line));
	}
}

static int fini(void **state)
{
	(void)state;
	buf_fini(&page);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_metric_is_on_the_page_with_type_and_help),
	    cmocka_unit_test(gauges_go_down_and_are_set),
	    cmocka_unit_test(requests_are_counted_by_route_and_status),
	    cmocka_unit_test(histograms_are_cumulative_and_hold_what_is_too_large),
	    cmocka_unit_test(batch_sizes_have_buckets_of_powers_of_two),
	    cmocka_unit_test(threads_lose_no_count),
	    cmocka_unit_test(no_name_is_described_twice),
	};

	buf_init(&page, 0);
	return cmocka_run_group_tests(tests, NULL, fini);
}
