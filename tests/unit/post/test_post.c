/* test_post.c: which URLs may be sent to, and what becomes of a message: against receivers on loopback. */
#include "post/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void only_https_without_a_password_is_an_address(void **state)
{
	static const char *const good[] = {"https://crm.example/hook", "https://crm.example:8443/a?b=c", "https://10.0.0.1/", "HTTPS://crm.example/"};
	static const char *const bad[] = {"", "http://crm.example/", "ftp://crm.example/", "file:///etc/passwd", "crm.example/hook", "https://",
	                                  "https://user@crm.example/", "https://user:word@crm.example/", "https://crm.example/#x", "https://crm.example/a b",
	                                  "https://crm.example/\r\nX: y", "https://crm.example/\xc3\xa4", "http://127.0.0.1/", "javascript:alert(1)"};
	char url[POST_URL_MAX + 2] = "https://crm.example/";

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(post_url_valid(good[i], false));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (post_url_valid(bad[i], false))
			fail_msg("%s", bad[i]);
	memset(url + 20, 'x', POST_URL_MAX - 20);
	assert_true(post_url_valid(url, false));
	url[POST_URL_MAX] = 'x';
	assert_false(post_url_valid(url, false));
}

static void plain_http_goes_to_loopback_alone_and_only_where_allowed(void **state)
{
	(void)state;
	assert_true(post_url_valid("http://127.0.0.1:1234/x", true));
	assert_true(post_url_valid("http://[::1]:1234/x", true));
	assert_false(post_url_valid("http://127.0.0.1:1234/x", false));
	assert_false(post_url_valid("http://localhost/x", true)); /* a name can be made to lead anywhere */
	assert_false(post_url_valid("http://127.0.0.1.example/x", true));
	assert_false(post_url_valid("http://127.0.0.1@crm.example/", true));
	assert_false(post_url_valid("http://crm.example/", true));
}

/* ---- a receiver that says one thing to each who comes ---- */

struct receiver {
	int fd, most;
	char url[64], got[4096];
	const char *reply; /* NULL: silence */
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct receiver *r = arg;

	for (int i = 0; i < r->most; i++) {
		const int c = accept(r->fd, NULL, NULL);
		size_t n = 0;
		ssize_t k = 1;

		if (c < 0)
			break;
		while (k > 0 && !strstr(r->got, "}")) {
			k = recv(c, r->got + n, sizeof r->got - 1 - n, 0);
			n += k > 0 ? (size_t)k : 0;
			r->got[n] = 0;
		}
		if (r->reply)
			(void)!send(c, r->reply, strlen(r->reply), MSG_NOSIGNAL);
		else
			(void)!recv(c, r->got + n, 1, 0); /* until the other end gives up */
		close(c);
	}
	return NULL;
}

static void open_receiver(struct receiver *r, const char *reply)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	*r = (struct receiver){.fd = socket(AF_INET, SOCK_STREAM, 0), .most = 1, .reply = reply};
	assert_int_equal(bind(r->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d/hook", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void close_receiver(struct receiver *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static const struct post_settings for_tests = {.ca_file = "", .loopback = true, .timeout_ms = 600};

static const char *sent_to(const char *reply, char trouble[static 24])
{
	struct receiver r;
	struct post_message m = {.headers = {"webhook-id: msg_1"}, .body = "{\"a\":1}", .len = 7};

	open_receiver(&r, reply);
	m.url = r.url;
	assert_int_equal(post_all(&for_tests, &m, 1, never, NULL), ERR_OK);
	close_receiver(&r);
	if (!*m.trouble) {
		assert_non_null(strstr(r.got, "POST /hook HTTP/1.1\r\n"));
		assert_non_null(strstr(r.got, "webhook-id: msg_1\r\n"));
		assert_non_null(strstr(r.got, "Content-Type: application/json\r\n"));
		assert_non_null(strstr(r.got, "\r\n\r\n{\"a\":1}"));
	}
	memcpy(trouble, m.trouble, sizeof m.trouble);
	return trouble;
}

static void the_status_says_whether_it_was_taken(void **state)
{
	char t[24];

	(void)state;
	assert_string_equal(sent_to("HTTP/1.1 204 No Content\r\n\r\n", t), "");
	assert_string_equal(sent_to("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", t), "");
	assert_string_equal(sent_to("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", t), "status_503");
	assert_string_equal(sent_to("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", t), "status_302"); /* not followed */
	assert_string_equal(sent_to("nonsense\r\n\r\n", t), "broken_connection");
	assert_string_equal(sent_to("", t), "broken_connection");
}

static void a_silent_receiver_holds_up_no_other(void **state)
{
	struct receiver silent, quick;
	struct post_message m[3] = {{.body = "{}", .len = 2}, {.body = "{}", .len = 2}, {.url = "http://127.0.0.1:1/", .body = "{}", .len = 2}};
	struct timespec before, after;

	(void)state;
	open_receiver(&silent, NULL);
	open_receiver(&quick, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	m[0].url = silent.url;
	m[1].url = quick.url;
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(post_all(&for_tests, m, 3, never, NULL), ERR_OK);
	clock_gettime(CLOCK_MONOTONIC, &after);
	close_receiver(&silent);
	close_receiver(&quick);
	assert_string_equal(m[0].trouble, "timeout");
	assert_string_equal(m[1].trouble, "");
	assert_string_equal(m[2].trouble, "no_connection");
	assert_true(after.tv_sec - before.tv_sec < 5);
}

static void a_reply_without_end_is_given_up(void **state)
{
	static char reply[200000] = "HTTP/1.1 200 OK\r\nContent-Length: 199000\r\n\r\n";
	char t[24];

	(void)state;
	memset(reply + strlen(reply), 'x', 199000);
	assert_string_equal(sent_to(reply, t), "reply_too_large");
}

static void at_stop_nothing_is_waited_for(void **state)
{
	struct receiver r;
	struct post_message m = {.body = "{}", .len = 2};

	(void)state;
	open_receiver(&r, NULL);
	m.url = r.url;
	assert_int_equal(post_all(&for_tests, &m, 1, at_once, NULL), ERR_OK);
	close_receiver(&r);
	assert_string_equal(m.trouble, "stopping");
}

static void a_ca_file_that_is_none_sends_nothing(void **state)
{
	const struct post_settings s = {.ca_file = "/nonexistent/ca.pem", .timeout_ms = 600};
	struct receiver r;
	struct post_message m = {.body = "{}", .len = 2};
	char url[80];

	(void)state;
	open_receiver(&r, NULL);
	snprintf(url, sizeof url, "https%.60s", r.url + 4);
	m.url = url;
	assert_int_equal(post_all(&s, &m, 1, never, NULL), ERR_OK);
	close_receiver(&r);
	assert_string_not_equal(m.trouble, "");
	assert_null(strstr(r.got, "POST"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_https_without_a_password_is_an_address),
	    cmocka_unit_test(plain_http_goes_to_loopback_alone_and_only_where_allowed),
	    cmocka_unit_test(the_status_says_whether_it_was_taken),
	    cmocka_unit_test(a_silent_receiver_holds_up_no_other),
	    cmocka_unit_test(a_reply_without_end_is_given_up),
	    cmocka_unit_test(at_stop_nothing_is_waited_for),
	    cmocka_unit_test(a_ca_file_that_is_none_sends_nothing),
	};

	if (post_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
