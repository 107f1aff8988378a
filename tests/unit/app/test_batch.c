/* What requests do to each other in one batch, over several rounds, and when a
 * batch is run again. A real database; no TLS. */
#include "base/metrics.h"
#include "tests/unit/app/service.h"

#define ONBOARDING {"X-Purpose", "onboarding"}
#define SUPPORT {"X-Purpose", "support"}
#define LARGE 2000 /* bytes of a value that stands in a row of its own */

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_of(const char *format, ...)
{
	va_list args;
	char *out = NULL;

	va_start(args, format);
	if (vasprintf(&out, format, args) < 0)
		abort();
	va_end(args);
	return out;
}

/* n times c */
static char *many(char c, size_t n)
{
	char *out = calloc(1, n + 1);

	memset(out, c, n);
	return out;
}

static int start_one(void **state)
{
	(void)state;
	service_start(1, 10000);
	return 0;
}

static int start_two(void **state)
{
	(void)state;
	service_start(2, 10000);
	return 0;
}

static int start_poor(void **state)
{
	(void)state;
	service_start(1, 5);
	return 0;
}

static int end(void **state)
{
	(void)state;
	service_stop();
	return 0;
}

/* A name that no test of this or an earlier run has used. */
static char *unique(const char *what)
{
	static int n;

	return text_of("%s-%d-%lld-%d", what, (int)getpid(), (long long)clock_now_us(), n++);
}

static struct db *superuser(void)
{
	struct db *db = NULL;
	struct buf why;

	buf_init(&why, 0);
	if (db_open(cluster_superuser_url, NULL, &db, &why))
		fail_msg("%s", buf_string(&why));
	buf_fini(&why);
	return db;
}

static void script(struct db *db, const char *sql)
{
	if (db_script(db, sql))
		fail_msg("%s", db_error(db));
}

/* Creates a customer and gives its token for crm-core; the caller frees. */
static char *create(const char *ref, const char *fields)
{
	char *body = ref ? text_of("{\"external_ref\":\"%s\",\"fields\":%s}", ref, fields) : text_of("{\"fields\":%s}", fields);
	struct call c = {.identity = CORE, .method = "POST", .path = "/v1/customers", .headers = ONBOARDING, .body = body};
	char *token;

	if (call_run(&c) != 201)
		fail_msg("%s", c.text);
	token = call_string(&c, "customer");
	call_end(&c);
	free(body);
	return token;
}

/* The service desk's token of the customer with this e-mail. */
static char *found_by_desk(const char *email)
{
	char *body = text_of("{\"where\":{\"email\":\"%s\"}}", email), *token;
	struct call c = {.identity = DESK, .method = "POST", .path = "/v1/customers:search", .headers = SUPPORT, .body = body};

	if (call_run(&c) != 200)
		fail_msg("%s", c.text);
	token = call_string(&c, "customer");
	call_end(&c);
	free(body);
	return token;
}

/* Waits until some session of the service waits for a lock. */
static void wait_blocked(int64_t how_many)
{
	for (int i = 0; service_sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'vault_service'") <
	                how_many;
	     i++) {
		if (i > 500)
			fail_msg("nothing waits");
		usleep(10000);
	}
}

/* Runs calls[1..] in one batch: calls[0] holds the executor back at a lock until all are queued. */
static void run_together(struct call *calls, size_t n)
{
	struct db *db = superuser();

	script(db, "BEGIN; LOCK vault.customer IN ACCESS EXCLUSIVE MODE");
	assert_false(call_begin(&calls[0]));
	call_submit(&calls[0]);
	wait_blocked(1);
	for (size_t i = 1; i < n; i++) {
		assert_false(call_begin(&calls[i]));
		call_submit(&calls[i]);
	}
	script(db, "COMMIT");
	db_close(db);
	for (size_t i = 0; i < n; i++) {
		call_wait(&calls[i], 20);
		call_answer(&calls[i]);
	}
}

static void assert_status(struct call *c, int status)
{
	if (c->reply->status != status)
		fail_msg("%s %s: %d %s", c->method, c->path, c->reply->status, c->text);
}

/* A lock is taken in a round of its own. Who waits for one must not take another's reads for it. */
static void an_update_by_reference_waits_for_its_lock_beside_a_large_read(void **state)
{
	char *email = unique("large"), *wechat = many('w', LARGE), *ref = unique("ref"), *token, *desk, *path, *desk_path, *body;

	(void)state;
	body = text_of("{\"email\":\"%s@example.com\",\"wechat\":\"%s\"}", email, wechat);
	token = create(ref, body);
	free(body);
	body = text_of("%s@example.com", email);
	desk = found_by_desk(body);
	free(body);
	path = text_of("/v1/customers/%s", token);
	desk_path = text_of("/v1/customers/%s", desk);
	body = text_of("{\"external_ref\":\"%s\",\"fields\":{\"name\":\"Ann Li\"}}", ref);
	{
		struct call calls[] = {
		    {.identity = CORE, .method = "GET", .path = path, .headers = ONBOARDING},
		    {.identity = CORE, .method = "PUT", .path = "/v1/customers:by-ref", .headers = ONBOARDING, .body = body},
		    {.identity = DESK, .method = "GET", .path = desk_path, .headers = SUPPORT, .query = {"fields", "wechat", "form", "masked"}},
		};

		run_together(calls, 3);
		assert_status(&calls[1], 200);
		assert_status(&calls[2], 200);
		for (int i = 0; i < 3; i++)
			call_end(&calls[i]);
	}
	free(body);
	free(path);
	free(desk_path);
	free(desk);
	free(token);
	free(ref);
	free(wechat);
	free(email);
}

/* The old value of an indexed field names its index entry; a large one must be read for that. */
static void an_update_by_reference_replaces_a_large_indexed_value(void **state)
{
	const int64_t alarms = metric_get(METRIC_SEAL_FAILURES);
	char *ref = unique("ref"), *old = many('o', LARGE), *new = many('n', LARGE), *fields, *token, *body;
	struct call c = {.identity = CORE, .method = "PUT", .path = "/v1/customers:by-ref", .headers = ONBOARDING};

	(void)state;
	fields = text_of("{\"wechat\":\"%s\"}", old);
	token = create(ref, fields);
	body = text_of("{\"external_ref\":\"%s\",\"fields\":{\"wechat\":\"%s\"}}", ref, new);
	c.body = body;
	call_run(&c);
	assert_status(&c, 200);
	call_end(&c);
	assert_int_equal(metric_get(METRIC_SEAL_FAILURES), alarms);
	free(body);
	free(token);
	free(fields);
	free(new);
	free(old);
	free(ref);
}

/* A customer at version 1 in the tables, version 2 put away; the caller frees the two tokens. */
static void two_versions(struct db *db, char **core, char **desk)
{
	char *name = unique("race"), *value = many('1', LARGE), *fields, *path, *etag, *body;
	struct call get = {.identity = CORE, .method = "GET", .headers = ONBOARDING};
	struct call patch = {.identity = CORE, .method = "PATCH"};

	fields = text_of("{\"email\":\"%s@example.com\",\"wechat\":\"%s\"}", name, value);
	*core = create(NULL, fields);
	free(fields);
	script(db, "DROP TABLE IF EXISTS one_c, one_l, two_c, two_l;"
	           "CREATE TABLE one_c AS SELECT * FROM vault.customer ORDER BY created_at DESC LIMIT 1;"
	           "CREATE TABLE one_l AS SELECT * FROM vault.customer_large WHERE customer_id IN (SELECT customer_id FROM one_c)");
	fields = text_of("%s@example.com", name);
	*desk = found_by_desk(fields);
	free(fields);
	path = text_of("/v1/customers/%s", *core);
	get.path = path;
	call_run(&get);
	assert_status(&get, 200);
	etag = strdup(call_reply_header(&get, "ETag"));
	call_end(&get);
	memset(value, '2', LARGE);
	body = text_of("{\"fields\":{\"wechat\":\"%s\"}}", value);
	patch.path = path;
	patch.body = body;
	patch.headers[0] = "X-Purpose";
	patch.headers[1] = "onboarding";
	patch.headers[2] = "If-Match";
	patch.headers[3] = etag;
	call_run(&patch);
	assert_status(&patch, 200);
	call_end(&patch);
	script(db, "CREATE TABLE two_c AS SELECT * FROM vault.customer WHERE customer_id IN (SELECT customer_id FROM one_c);"
	           "CREATE TABLE two_l AS SELECT * FROM vault.customer_large WHERE customer_id IN (SELECT customer_id FROM one_c);"
	           "DELETE FROM vault.customer WHERE customer_id IN (SELECT customer_id FROM one_c);"
	           "DELETE FROM vault.customer_large WHERE customer_id IN (SELECT customer_id FROM one_c);"
	           "INSERT INTO vault.customer SELECT * FROM one_c; INSERT INTO vault.customer_large SELECT * FROM one_l");
	free(body);
	free(etag);
	free(path);
	free(value);
	free(name);
}

#define TO_VERSION_2                                                                                                   \
	"UPDATE vault.customer c SET version = n.version, header = n.header, fields = n.fields FROM two_c n "             \
	"WHERE n.customer_id = c.customer_id; UPDATE vault.customer_large l SET version = n.version, sealed = n.sealed "  \
	"FROM two_l n WHERE n.customer_id = l.customer_id;"

/* Another executor's update between a reader's two rounds is no tampering. */
static void a_large_value_that_changes_between_two_rounds_is_read_anew(void **state)
{
	const int64_t alarms = metric_get(METRIC_SEAL_FAILURES);
	struct db *db = superuser();
	char *core, *desk, *path;
	struct call c = {.identity = DESK, .method = "GET", .headers = SUPPORT, .query = {"fields", "wechat", "form", "masked"}};

	(void)state;
	two_versions(db, &core, &desk);
	path = text_of("/v1/customers/%s", desk);
	c.path = path;
	script(db, "BEGIN; LOCK vault.customer_large IN ACCESS EXCLUSIVE MODE");
	assert_false(call_begin(&c));
	call_submit(&c);
	wait_blocked(1); /* it has read version 1 of the row */
	script(db, TO_VERSION_2 " COMMIT");
	call_wait(&c, 20);
	call_answer(&c);
	assert_status(&c, 200);
	assert_non_null(strstr(c.text, "\"version\":2"));
	assert_non_null(strstr(c.text, "2***"));
	assert_int_equal(metric_get(METRIC_SEAL_FAILURES), alarms);
	call_end(&c);
	db_close(db);
	free(path);
	free(core);
	free(desk);
}

/* If it never fits, it is tampering after all, and the request still ends. */
static void a_large_value_that_never_fits_its_row_is_an_alarm(void **state)
{
	const int64_t alarms = metric_get(METRIC_SEAL_FAILURES);
	struct db *db = superuser();
	char *core, *desk, *path;
	struct call c = {.identity = DESK, .method = "GET", .headers = SUPPORT, .query = {"fields", "wechat", "form", "masked"}};

	(void)state;
	two_versions(db, &core, &desk);
	script(db, "UPDATE vault.customer_large l SET version = n.version, sealed = n.sealed FROM two_l n WHERE n.customer_id = l.customer_id");
	path = text_of("/v1/customers/%s", desk);
	c.path = path;
	call_run(&c);
	assert_status(&c, 500);
	assert_non_null(strstr(c.text, "\"internal\""));
	assert_true(metric_get(METRIC_SEAL_FAILURES) > alarms);
	call_end(&c);
	db_close(db);
	free(path);
	free(core);
	free(desk);
}

static void a_request_that_ends_before_it_was_submitted_gives_its_slot_back(void **state)
{
	char *token = create(NULL, "{}"), *path = text_of("/v1/customers/%s", token);

	(void)state;
	for (int i = 0; i < 80; i++) { /* the queue holds 64 */
		struct call c = {.identity = CORE, .method = "GET", .path = path, .headers = ONBOARDING};

		if (call_begin(&c))
			fail_msg("refused after %d", i);
		call_end(&c);
	}
	free(path);
	free(token);
}

static void who_may_write_nothing_makes_no_customer(void **state)
{
	static const struct {
		const char *identity, *purpose, *body;
	} tries[] = {
	    {"spiffe://crm.example/svc/analytics", "analytics", "{}"},
	    {"spiffe://crm.example/svc/analytics", "analytics", "{\"external_ref\":\"mine\"}"},
	    {DESK, "support", "{\"external_ref\":\"mine\"}"}, /* may write records, no field */
	    {CORE, "support", "{}"},
	};
	const int64_t before = service_sql("SELECT count(*) FROM vault.customer");

	(void)state;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		for (int put = 0; put < 2; put++) {
			struct call c = {.identity = tries[i].identity,
			                 .method = put ? "PUT" : "POST",
			                 .path = put ? "/v1/customers:by-ref" : "/v1/customers",
			                 .headers = {"X-Purpose", tries[i].purpose},
			                 .body = put ? "{\"external_ref\":\"mine\"}" : tries[i].body};

			call_run(&c);
			assert_status(&c, 403);
			call_end(&c);
		}
	assert_int_equal(service_sql("SELECT count(*) FROM vault.customer"), before);
}

/* Batch items that failed in a first run must be looked at anew in the second. */
static void an_item_that_failed_in_a_run_that_was_undone_is_decided_anew(void **state)
{
	char *ref = unique("ref"), *body;
	struct db *db = superuser();

	(void)state;
	/* A sealer that fails once would do; here the uniqueness of a reference does: another session's customer is there in
	 * the first run and gone in the second, which a lock on the segments lets happen in between. */
	{
		char *token = create(ref, "{\"name\":\"Ann Li\"}");

		free(token);
	}
	body = text_of("{\"mode\":\"partial\",\"items\":[{\"external_ref\":\"%s\",\"fields\":{\"name\":\"Bob Li\"}}]}", ref);
	{
		struct call c = {.identity = CORE, .method = "POST", .path = "/v1/customers:batch", .headers = ONBOARDING, .body = body};

		script(db, "BEGIN; LOCK vault.audit_segment IN ACCESS EXCLUSIVE MODE");
		assert_false(call_begin(&c));
		call_submit(&c);
		wait_blocked(1);
		script(db, "DELETE FROM vault.customer WHERE customer_id IN (SELECT customer_id FROM vault.customer ORDER BY created_at DESC LIMIT 1);"
		           "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_service' AND wait_event_type = 'Lock'; COMMIT");
		call_wait(&c, 20);
		call_answer(&c);
		assert_status(&c, 200);
		assert_null(strstr(c.text, "external_ref_taken"));
		call_end(&c);
	}
	db_close(db);
	free(body);
	free(ref);
}

static void set_header(struct call *c, const char *name, const char *value)
{
	size_t i = 0;

	while (c->headers[i])
		i += 2;
	c->headers[i] = name;
	c->headers[i + 1] = value;
}

static void a_key_used_for_another_kind_of_record_is_refused(void **state)
{
	char *token = create(NULL, "{\"name\":\"Ann Li\"}"), *key = unique("key");
	static const char *const kinds[] = {"order", "complaint"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *path = text_of("/v1/customers/%s/records/%s", token, kinds[i]);
		struct call c = {.identity = CORE, .method = "POST", .path = path, .headers = ONBOARDING, .body = "{\"data\":{\"a\":1}}"};

		set_header(&c, "Idempotency-Key", key);
		call_run(&c);
		assert_status(&c, i ? 422 : 201);
		call_end(&c);
		free(path);
	}
	free(key);
	free(token);
}

static int64_t records_like(const char *text)
{
	char *sql = text_of("SELECT count(*) FROM vault.audit_segment WHERE position('%s' IN encode(bodies, 'escape')) > 0", text);
	const int64_t n = service_sql(sql);

	free(sql);
	return n;
}

static void a_repeated_record_is_recorded_as_read(void **state)
{
	char *token = create(NULL, "{\"name\":\"Ann Li\"}"), *key = unique("key"), *path = text_of("/v1/customers/%s/records/order", token);
	char *pattern, *answers[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct call c = {.identity = CORE, .method = "POST", .path = path, .headers = ONBOARDING, .body = "{\"data\":{\"a\":1}}"};

		set_header(&c, "Idempotency-Key", key);
		set_header(&c, "X-Ticket", i ? key : "first");
		call_run(&c);
		assert_status(&c, 201);
		answers[i] = call_string(&c, "record");
		call_end(&c);
	}
	assert_string_equal(answers[0], answers[1]);
	pattern = text_of("\"ticket\":\"%s\"", key);
	assert_int_equal(records_like(pattern), 1);
	free(pattern);
	pattern = text_of("{\"activity\":\"create\",%%\"ticket\":\"%s\"%%", key);
	{
		char *sql = text_of("SELECT count(*) FROM vault.audit_segment WHERE count = 1 AND substr(encode(bodies, 'escape'), 1) LIKE '%%%s'", pattern);

		assert_int_equal(service_sql(sql), 0);
		free(sql);
	}
	free(pattern);
	for (int i = 0; i < 2; i++)
		free(answers[i]);
	free(path);
	free(key);
	free(token);
}

static void a_budget_holds_within_one_batch(void **state)
{
	char *bodies[12];
	struct call calls[13];
	char *token = create(NULL, "{}"), *path = text_of("/v1/customers/%s", token);
	int found = 0, refused = 0;

	(void)state;
	service_sql("TRUNCATE vault.search_value, vault.search_spent");
	calls[0] = (struct call){.identity = CORE, .method = "GET", .path = path, .headers = ONBOARDING};
	for (int i = 0; i < 12; i++) {
		bodies[i] = text_of("{\"where\":{\"email\":\"n%d@example.com\"}}", i);
		calls[i + 1] = (struct call){.identity = DESK, .method = "POST", .path = "/v1/customers:search", .headers = SUPPORT, .body = bodies[i]};
	}
	run_together(calls, 13);
	for (int i = 1; i < 13; i++) {
		found += calls[i].reply->status == 200;
		refused += calls[i].reply->status == 429;
	}
	assert_int_equal(found, 5);
	assert_int_equal(refused, 7);
	for (int i = 0; i < 13; i++)
		call_end(&calls[i]);
	for (int i = 0; i < 12; i++)
		free(bodies[i]);
	free(path);
	free(token);
}

/* The wait for other nodes' batches is cut off, more than once; the change was made, and once. */
static void a_change_whose_wait_was_cut_off_is_not_made_twice(void **state)
{
	char *token = create(NULL, "{\"name\":\"Ann Li\"}"), *path = text_of("/v1/customers/%s/tokens:revoke", token);
	struct call c = {.identity = CORE, .method = "POST", .path = path, .headers = ONBOARDING};
	struct db *db = superuser();

	(void)state;
	script(db, "BEGIN; SELECT pg_advisory_xact_lock_shared(7203, 0)"); /* as a batch that takes long */
	assert_false(call_begin(&c));
	call_submit(&c);
	for (int i = 0; i < 2; i++) { /* the first wait, and that of the first new connection */
		wait_blocked(1);
		service_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'vault_service' AND wait_event = 'advisory'");
		usleep(100000);
	}
	wait_blocked(1);
	assert_int_equal(atomic_load(&c.woken), 0);
	script(db, "COMMIT");
	db_close(db);
	call_wait(&c, 20);
	call_answer(&c);
	assert_status(&c, 200);
	assert_non_null(strstr(c.text, "\"version\":2"));
	call_end(&c);
	free(path);
	free(token);
}

static void a_refusal_names_the_customer_by_its_random_id(void **state)
{
	char *email = unique("refused"), *fields = text_of("{\"email\":\"%s@example.com\"}", email), *token = create(NULL, fields), *desk, *path;
	char *address = text_of("%s@example.com", email), *pattern;
	struct call c = {.identity = DESK, .method = "POST", .headers = SUPPORT};

	(void)state;
	desk = found_by_desk(address);
	path = text_of("/v1/customers/%s/tokens:revoke", desk);
	c.path = path;
	set_header(&c, "X-Ticket", email);
	c.method = "PATCH";
	free(path);
	path = text_of("/v1/customers/%s", desk);
	c.path = path;
	c.body = "{\"fields\":{\"name\":\"Bob Li\"}}";
	set_header(&c, "If-Match", "*");
	call_run(&c);
	assert_status(&c, 403);
	call_end(&c);
	pattern = text_of("\"sref\":\"[0-9a-f]{32}\",\"state\":-?[0-9]+,\"ticket\":\"%s\"", email);
	{
		char *sql = text_of("SELECT count(*) FROM vault.audit_segment WHERE encode(bodies, 'escape') ~ '%s'", pattern);

		assert_int_equal(service_sql(sql), 1);
		free(sql);
	}
	free(pattern);
	free(address);
	free(path);
	free(desk);
	free(token);
	free(fields);
	free(email);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, start_one, end)
#define TWO(name) cmocka_unit_test_setup_teardown(name, start_two, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ONE(an_update_by_reference_waits_for_its_lock_beside_a_large_read),
	    ONE(an_update_by_reference_replaces_a_large_indexed_value),
	    ONE(a_large_value_that_changes_between_two_rounds_is_read_anew),
	    ONE(a_large_value_that_never_fits_its_row_is_an_alarm),
	    ONE(a_request_that_ends_before_it_was_submitted_gives_its_slot_back),
	    TWO(who_may_write_nothing_makes_no_customer),
	    ONE(an_item_that_failed_in_a_run_that_was_undone_is_decided_anew),
	    ONE(a_key_used_for_another_kind_of_record_is_refused),
	    ONE(a_repeated_record_is_recorded_as_read),
	    cmocka_unit_test_setup_teardown(a_budget_holds_within_one_batch, start_poor, end),
	    ONE(a_change_whose_wait_was_cut_off_is_not_made_twice),
	    ONE(a_refusal_names_the_customer_by_its_random_id),
	};

	return cmocka_run_group_tests(tests, service_set_up, service_tear_down);
}
