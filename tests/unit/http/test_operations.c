/* The plain operations listener. */
#include "client.h"

#include "base/metrics.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool is_ready;

static bool ready(void *ctx, struct buf *json)
{
	(void)ctx;
	if (!is_ready)
		buf_text(json, "{\"ready\":false,\"missing\":[\"database\"]}");
	return is_ready;
}

static int setup(void **state)
{
	static const struct http_probe probe = {.ready = ready};
	struct http_operations *o;
	struct buf why;

	buf_init(&why, 0);
	if (http_operations_start(0, &probe, &o, &why) != ERR_OK)
		return -1;
	buf_fini(&why);
	*state = o;
	return 0;
}

static int teardown(void **state)
{
	http_operations_stop(*state);
	return 0;
}

/* The whole answer to one request. */
static const char *ask(void *operations, const char *request)
{
	static char answer[65536];
	const int fd = connect_plain(http_operations_port(operations));
	size_t len = 0;
	ssize_t got;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	shutdown(fd, SHUT_WR);
	while ((got = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
		len += (size_t)got;
	close(fd);
	answer[len] = 0;
	return answer;
}

static void assert_answer(void **state, const char *path, const char *status, const char *content)
{
	char request[128];
	const char *answer;

	snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: l\r\n\r\n", path);
	answer = ask(*state, request);
	if (strncmp(answer + strlen("HTTP/1.x "), status, strlen(status)) != 0 || !strstr(answer, content))
		fail_msg("%s: %s", path, answer);
}

static void livez_says_ok(void **state)
{
	assert_answer(state, "/livez", "200", "ok");
}

static void readyz_follows_the_probe_and_names_what_is_missing(void **state)
{
	is_ready = true;
	assert_answer(state, "/readyz", "200", "{\"ready\":true}");
	is_ready = false;
	assert_answer(state, "/readyz", "503", "\"missing\":[\"database\"]");
}

static void metrics_are_prometheus_text(void **state)
{
	metric_set(METRIC_QUEUE_DEPTH, 17);
	assert_answer(state, "/metrics", "200", "\nvault_queue_depth 17\n");
	assert_answer(state, "/metrics", "200", "Content-Type: text/plain; version=0.0.4");
	metric_set(METRIC_QUEUE_DEPTH, 0);
}

static void other_paths_and_methods_are_problems(void **state)
{
	const char *answer;

	assert_answer(state, "/", "404", "\"code\":\"no_such_route\"");
	assert_answer(state, "/v1/customers", "404", "application/problem+json");
	answer = ask(*state, "POST /livez HTTP/1.0\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc");
	assert_non_null(strstr(answer, " 405 "));
	assert_non_null(strstr(answer, "Allow: GET, HEAD"));
	answer = ask(*state, "HEAD /livez HTTP/1.0\r\nHost: l\r\n\r\n");
	assert_non_null(strstr(answer, " 200 "));
}

static void a_port_in_use_is_named(void **state)
{
	static const struct http_probe probe = {.ready = ready};
	struct http_operations *second = NULL;
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(http_operations_start(http_operations_port(*state), &probe, &second, &why), ERR_IO);
	assert_null(second);
	assert_non_null(strstr(buf_string(&why), "VAULT_OPERATIONS_PORT"));
	buf_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(livez_says_ok),
	    cmocka_unit_test(readyz_follows_the_probe_and_names_what_is_missing),
	    cmocka_unit_test(metrics_are_prometheus_text),
	    cmocka_unit_test(other_paths_and_methods_are_problems),
	    cmocka_unit_test(a_port_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
