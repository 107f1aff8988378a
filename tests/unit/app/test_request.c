/* A request on its connection's side: the moves between its states, and what
 * its head may say. No database: none of these gets that far. */
#include "base/clock.h"
#include "base/metrics.h"
#include "crypto/secret.h"
#include "vault/app/req_int.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct app app;
	struct queue *single, *bulk;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	*state = w;
	if (!w || queue_new(2, &w->app.single) || queue_new(2, &w->app.bulk))
		return -1;
	pthread_mutex_init(&w->app.snapshot_lock, NULL);
	w->app.body_memory_max = 1 << 20;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	pthread_mutex_destroy(&w->app.snapshot_lock);
	queue_free(w->app.single);
	queue_free(w->app.bulk);
	free(w);
	return 0;
}

/* ---- states ---- */

/* As include/app/req.h draws them. */
static bool drawn(enum req_state from, enum req_state to)
{
	switch (from) {
	case REQ_HEADERS: return to == REQ_BODY || to == REQ_FAILED;
	case REQ_BODY: return to == REQ_PLANNED || to == REQ_FAILED;
	case REQ_PLANNED: return to == REQ_QUEUED || to == REQ_FAILED;
	case REQ_QUEUED: return to == REQ_STORED || to == REQ_FAILED;
	case REQ_STORED: return to == REQ_REPLIED || to == REQ_FAILED;
	case REQ_REPLIED:
	case REQ_FAILED:
	case REQ_STATES: return false;
	}
	return false;
}

static bool survives(enum req_state from, enum req_state to)
{
	const pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct req r = {.state = from};

		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		signal(SIGABRT, SIG_DFL);
		req_move(&r, to);
		_exit(r.state == to ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGABRT);
	return WIFEXITED(status);
}

static void every_move_is_allowed_or_ends_the_process(void **state)
{
	(void)state;
	for (int from = 0; from < REQ_STATES; from++)
		for (int to = 0; to < REQ_STATES; to++)
			if (survives((enum req_state)from, (enum req_state)to) != drawn((enum req_state)from, (enum req_state)to))
				fail_msg("from %d to %d", from, to);
}

/* ---- heads ---- */

struct head {
	const char *method, *path, *name, *value; /* one header */
	const char *query[4];
};

static const char *header_of(void *connection, const char *name)
{
	const struct head *h = connection;

	return h->name && !strcasecmp(h->name, name) ? h->value : NULL;
}

static void each_query(void *connection, void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	const struct head *h = connection;

	for (size_t i = 0; i < 4 && h->query[i]; i += 2)
		each(ctx, h->query[i], h->query[i + 1]);
}

static struct req *begin(struct world *w, struct head *h)
{
	static const uint8_t certificate[32] = {7};
	const struct req_head head = {.spiffe_id = "spiffe://crm.example/svc/x",
	                              .certificate_sha256 = certificate,
	                              .method = h->method ? h->method : "GET",
	                              .path = h->path ? h->path : "/v1/customers/cus1x",
	                              .connection = h,
	                              .header = header_of,
	                              .query_each = each_query};
	enum err refused = ERR_OK;
	size_t limit = 0;
	struct req *r = req_begin(&w->app, &head, &limit, &refused);

	assert_non_null(r);
	assert_int_equal(r->state, REQ_BODY);
	return r;
}

static void assert_head(struct world *w, struct head h, enum err e)
{
	struct req *r = begin(w, &h);

	if (r->err != e)
		fail_msg("%s: %s gives %s", h.name ? h.name : h.path, h.value ? h.value : "", err_code(r->err));
	req_end(r);
}

static char *repeated(char c, size_t n)
{
	static char text[4][256];
	static size_t next;
	char *out = text[next++ % 4];

	memset(out, c, n);
	out[n] = 0;
	return out;
}

static void ids_are_of_few_characters_and_at_most_64(void **state)
{
	static const char *const names[] = {"X-Request-Id", "X-Ticket"};
	static const char *const good[] = {"a", "A.b_c-9", "0"}, *const bad[] = {"", "a b", "a\"b", "a\nb", "é", "a/b"};

	for (size_t n = 0; n < 2; n++) {
		for (size_t i = 0; i < sizeof good / sizeof *good; i++)
			assert_head(*state, (struct head){.name = names[n], .value = good[i]}, ERR_OK);
		for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
			assert_head(*state, (struct head){.name = names[n], .value = bad[i]}, ERR_BAD_HEADER);
		assert_head(*state, (struct head){.name = names[n], .value = repeated('a', 64)}, ERR_OK);
		assert_head(*state, (struct head){.name = names[n], .value = repeated('a', 65)}, ERR_BAD_HEADER);
	}
}

static void a_request_id_is_taken_or_made_and_never_one_that_was_refused(void **state)
{
	struct head given = {.name = "X-Request-Id", .value = "mine-1"}, none = {0}, bad = {.name = "X-Request-Id", .value = "<script>"};
	struct req *a = begin(*state, &given), *b = begin(*state, &none), *c = begin(*state, &bad), *d = begin(*state, &none);

	assert_string_equal(a->request_id, "mine-1");
	assert_true(strlen(b->request_id) >= 16);
	assert_true(strlen(c->request_id) >= 16);
	assert_null(strchr(c->request_id, '<'));
	assert_string_not_equal(b->request_id, d->request_id);
	req_end(a);
	req_end(b);
	req_end(c);
	req_end(d);
}

static void of_a_traceparent_the_trace_id_is_kept(void **state)
{
	struct head h = {.name = "traceparent", .value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
	struct req *r = begin(*state, &h);
	static const char *const bad[] = {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
	                                  "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
	                                  "000af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
	                                  "00-0af7651916cd43dd8448eb211c80319cXb7ad6b7169203331-01",
	                                  "00-0af7651916cd43dd-448eb211c80319c-b7ad6b7169203331-01",
	                                  "00-00000000000000000000000000000000-b7ad6b7169203331-01"};

	assert_int_equal(r->err, ERR_OK);
	assert_string_equal(r->trace_id, "0af7651916cd43dd8448eb211c80319c");
	req_end(r);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_head(*state, (struct head){.name = "traceparent", .value = bad[i]}, ERR_BAD_HEADER);
}

static void other_headers_are_printable_and_bounded(void **state)
{
	static const struct {
		const char *name;
		size_t most;
	} headers[] = {{"X-Purpose", 64}, {"Idempotency-Key", 128}, {"If-Match", 128}};

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		assert_head(*state, (struct head){.name = headers[i].name, .value = repeated('a', headers[i].most)}, ERR_OK);
		assert_head(*state, (struct head){.name = headers[i].name, .value = repeated('a', headers[i].most + 1)}, ERR_BAD_HEADER);
		assert_head(*state, (struct head){.name = headers[i].name, .value = ""}, ERR_BAD_HEADER);
		assert_head(*state, (struct head){.name = headers[i].name, .value = "a\x7f"}, ERR_BAD_HEADER);
		assert_head(*state, (struct head){.name = headers[i].name, .value = "\xc3\xa9"}, ERR_BAD_HEADER);
	}
}

static void a_body_is_json_or_unnamed(void **state)
{
	static const char *const good[] = {"application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"},
	                         *const bad[] = {"text/plain", "application/jsonp", "application/json5", "application"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_head(*state, (struct head){"POST", "/v1/customers", "Content-Type", good[i], {NULL}}, ERR_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_head(*state, (struct head){"POST", "/v1/customers", "Content-Type", bad[i], {NULL}}, ERR_MEDIA_TYPE);
	assert_head(*state, (struct head){"POST", "/v1/customers", NULL, NULL, {NULL}}, ERR_OK);
	assert_head(*state, (struct head){"GET", "/v1/customers/cus1x", "Content-Type", "text/plain", {NULL}}, ERR_OK);
}

static void a_query_holds_known_names_once(void **state)
{
	assert_head(*state, (struct head){.query = {"fields", "a,b", "form", "plain"}}, ERR_OK);
	assert_head(*state, (struct head){.query = {"form", "plain", "form", "masked"}}, ERR_BAD_PARAMETER);
	assert_head(*state, (struct head){.query = {"email", "a@example.com"}}, ERR_BAD_PARAMETER);
	assert_head(*state, (struct head){.query = {"form", NULL}}, ERR_BAD_PARAMETER);
}

static void routes_are_found_or_say_what_they_allow(void **state)
{
	struct head h = {.method = "DELETE", .path = "/v1/customers/cus1x"};
	struct req *r = begin(*state, &h);

	assert_int_equal(r->err, ERR_METHOD);
	assert_string_equal(r->allow, "GET, PATCH");
	assert_true(req_ready(r));
	assert_int_equal(req_reply(r)->status, 405);
	assert_int_equal(r->state, REQ_FAILED);
	req_end(r);
	assert_head(*state, (struct head){.path = "/v1/nothing"}, ERR_NO_ROUTE);
	assert_head(*state, (struct head){.path = "/v1/customers/"}, ERR_NO_ROUTE);
	assert_head(*state, (struct head){.path = "/v1/customers/a/b"}, ERR_NO_ROUTE);
	assert_head(*state, (struct head){.path = "/"}, ERR_NO_ROUTE);
}

static void before_the_first_configuration_nothing_is_served(void **state)
{
	struct head h = {.name = "X-Purpose", .value = "support"};
	struct req *r = begin(*state, &h);

	assert_true(req_ready(r));
	assert_int_equal(req_reply(r)->status, 503);
	assert_non_null(strstr((const char *)req_reply(r)->body, "\"unavailable\""));
	req_end(r);
}

static void a_draining_node_says_so(void **state)
{
	struct world *w = *state;
	struct head h = {.name = "X-Purpose", .value = "support"};
	struct req *r = begin(w, &h);

	atomic_store(&w->app.draining, true);
	assert_true(req_ready(r));
	assert_non_null(strstr((const char *)req_reply(r)->body, "\"stopping\""));
	req_end(r);
}

static void a_body_where_none_belongs_is_refused(void **state)
{
	struct head h = {.name = "X-Purpose", .value = "support"};
	struct req *r = begin(*state, &h);

	assert_int_equal(req_body(r, "{}", 2), ERR_OK);
	assert_true(req_ready(r));
	assert_int_equal(req_reply(r)->status, 400);
	req_end(r);
}

static void an_error_of_keys_or_files_is_told_as_internal(void **state)
{
	static const enum err kept[] = {ERR_NOT_FOUND, ERR_BUSY, ERR_UNAVAILABLE, ERR_POLICY_DENIED, ERR_MEMORY,
	                                ERR_NO_EPOCH /* of this node: another one may hold it */},
	                      hidden[] = {ERR_SEAL, ERR_CRYPTO, ERR_KEYRING, ERR_DATABASE, ERR_SCHEMA, ERR_IO, ERR_CONFIG};

	(void)state;
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		assert_int_equal(req_public(kept[i]), kept[i]);
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		assert_int_equal(req_public(hidden[i]), ERR_INTERNAL);
	assert_int_equal(req_public(ERR_STREAM_LOST), ERR_AUDIT);
}

static void numbers_in_a_query_are_bounded_and_never_cut(void **state)
{
	static const struct {
		const char *text;
		enum err e;
	} cases[] = {{"1", ERR_OK},          {"200", ERR_OK},         {"201", ERR_LIMIT},
	             {"0", ERR_BAD_PARAMETER}, {"-1", ERR_BAD_PARAMETER}, {"", ERR_BAD_PARAMETER},
	             {"1x", ERR_BAD_PARAMETER}, {"99999999999999999999", ERR_BAD_PARAMETER}, {"+1", ERR_BAD_PARAMETER}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct head h = {.path = "/v1/customers/cus1x/records/order", .query = {"limit", cases[i].text}};
		struct req *r = begin(*state, &h);
		int64_t v = 0;

		assert_int_equal(req_query_number(r, "limit", 1, 200, 50, &v), cases[i].e);
		req_end(r);
	}
}

static enum err feed(struct req *r, size_t len)
{
	char *bytes = calloc(1, len);
	enum err e;

	assert_non_null(bytes);
	e = req_body(r, bytes, len);
	free(bytes);
	return e;
}

static void large_bodies_in_flight_share_a_bounded_memory(void **state)
{
	struct world *w = *state;
	struct head h = {.method = "POST", .path = "/v1/customers:batch"};
	struct req *first = begin(w, &h), *second = begin(w, &h), *small[64];
	const int64_t refused = metric_get(METRIC_BODIES_REFUSED);

	assert_int_equal(feed(first, 500 << 10), ERR_OK);
	assert_int_equal(feed(second, 400 << 10), ERR_OK);
	assert_int_equal(feed(second, 400 << 10), ERR_BUSY);
	assert_int_equal(metric_get(METRIC_BODIES_REFUSED), refused + 1);
	assert_null(second->body.data); /* given back at once, not when the client has gone */
	for (size_t i = 0; i < sizeof small / sizeof *small; i++) { /* who sends little is not in the way */
		small[i] = begin(w, &h);
		assert_int_equal(feed(small[i], 60 << 10), ERR_OK);
	}
	assert_int_equal(feed(first, 300 << 10), ERR_OK);
	req_end(second);
	req_end(first);
	for (size_t i = 0; i < sizeof small / sizeof *small; i++)
		req_end(small[i]);
	assert_int_equal(atomic_load(&w->app.body_memory), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(every_move_is_allowed_or_ends_the_process),
	    T(ids_are_of_few_characters_and_at_most_64),
	    T(a_request_id_is_taken_or_made_and_never_one_that_was_refused),
	    T(of_a_traceparent_the_trace_id_is_kept),
	    T(other_headers_are_printable_and_bounded),
	    T(a_body_is_json_or_unnamed),
	    T(a_query_holds_known_names_once),
	    T(routes_are_found_or_say_what_they_allow),
	    T(before_the_first_configuration_nothing_is_served),
	    T(a_draining_node_says_so),
	    T(a_body_where_none_belongs_is_refused),
	    T(an_error_of_keys_or_files_is_told_as_internal),
	    T(numbers_in_a_query_are_bounded_and_never_cut),
	    T(large_bodies_in_flight_share_a_bounded_memory),
	};

	if (secret_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
