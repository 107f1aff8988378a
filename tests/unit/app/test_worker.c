/* Work in the background: one leader, a takeover, wake-ups, and the vault's own requests. A real database. */
#include "tests/unit/app/service.h"
#include "vault/app/audit_record.h"
#include "vault/app/internal.h"
#include "vault/app/worker.h"

#define TEST_LOCK 30001 /* no worker of the vault has it */

static const struct db_statement no_statements[] = {{NULL, NULL}};

static _Atomic int runs, failures_left;

static enum err count(struct app *app, struct worker *w, struct db *db, bool *more)
{
	(void)app;
	(void)w;
	*more = false;
	if (atomic_load(&failures_left) > 0) {
		atomic_fetch_sub(&failures_left, 1);
		return db_run(db, "SELECT 1/0", NULL, 0, NULL);
	}
	atomic_fetch_add(&runs, 1);
	return ERR_OK;
}

/* Once an hour: what runs more often was woken. */
static const struct worker_task counting[] = {{"count", (int64_t)3600 * 1000000, count}, {NULL, 0, NULL}};
static const struct worker_task often[] = {{"count", 1000, count}, {NULL, 0, NULL}};

static bool wait_for_runs(int at_least)
{
	const int64_t until = clock_mono_us() + 20000000;

	while (atomic_load(&runs) < at_least && clock_mono_us() < until)
		usleep(1000);
	return atomic_load(&runs) >= at_least;
}

static bool wait_for_lead(const struct worker *w)
{
	const int64_t until = clock_mono_us() + 20000000;

	while (!worker_leads(w) && clock_mono_us() < until)
		usleep(1000);
	return worker_leads(w);
}

static struct worker *start(const struct worker_task *tasks)
{
	struct worker *w;

	assert_int_equal(worker_start(service_app, "test", TEST_LOCK, no_statements, tasks, &w), ERR_OK);
	return w;
}

static int start_service(void **state)
{
	(void)state;
	atomic_store(&runs, 0);
	atomic_store(&failures_left, 0);
	service_start(1, 100);
	return 0;
}

static int stop_service(void **state)
{
	(void)state;
	service_stop();
	return 0;
}

static void a_second_worker_waits_until_the_first_has_gone(void **state)
{
	struct worker *one = start(counting), *two;

	(void)state;
	assert_true(wait_for_lead(one));
	two = start(counting);
	assert_true(wait_for_runs(1));
	usleep(1200000); /* it has looked at least once */
	assert_false(worker_leads(two));
	assert_int_equal(atomic_load(&runs), 1);
	worker_stop(one);
	assert_true(wait_for_lead(two));
	assert_true(wait_for_runs(2));
	worker_stop(two);
}

#define HOLDER "FROM pg_locks WHERE locktype = 'advisory' AND classid = 7204 AND objid = 30001 AND granted"

static void a_leader_whose_connection_is_cut_is_replaced(void **state)
{
	const int64_t until = clock_mono_us() + 20000000;
	struct worker *one = start(often), *two;
	int64_t first, now;
	int before;

	(void)state;
	assert_true(wait_for_lead(one));
	two = start(often);
	first = service_sql("SELECT pid::int8 " HOLDER);
	service_sql("SELECT count(pg_terminate_backend(pid))::int8 " HOLDER);
	do
		now = service_sql("SELECT pid::int8 " HOLDER);
	while ((!now || now == first) && clock_mono_us() < until);
	assert_true(now && now != first);
	before = atomic_load(&runs);
	assert_true(wait_for_runs(before + 2));
	while (worker_leads(one) == worker_leads(two) && clock_mono_us() < until)
		usleep(1000);
	assert_true(worker_leads(one) != worker_leads(two));
	worker_stop(one);
	worker_stop(two);
}

static void a_worker_that_is_woken_runs_at_once(void **state)
{
	struct worker *w = start(counting);

	(void)state;
	assert_true(wait_for_runs(1));
	worker_wake(w);
	assert_true(wait_for_runs(2));
	worker_stop(w);
	worker_wake(NULL);
	worker_stop(NULL);
}

static void a_task_that_fails_runs_again(void **state)
{
	struct worker *w;

	(void)state;
	atomic_store(&failures_left, 3);
	w = start(often);
	assert_true(wait_for_runs(1));
	assert_int_equal(atomic_load(&failures_left), 0);
	worker_stop(w);
}

struct act {
	enum err result;
	int decided;
};

static enum step act_decide(struct req *r, struct batch *b)
{
	struct act *a = r->plan;
	const struct audit_entry entry = {.activity = "manage", .object = "test:act", .state = -1};

	a->decided++;
	r->err = a->result ? a->result : audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route act_route = {.method = "", .pattern = "", .operation = "test.act", .flags = ROUTE_INTERNAL | ROUTE_SOLO, .decide = act_decide};

static void the_vault_s_own_request_is_recorded_under_its_node(void **state)
{
	struct act a = {ERR_OK, 0};
	const char *records = "SELECT coalesce(sum((length(t) - length(replace(t, 'vault:unit', ''))) / 10), 0)::int8 "
	                      "FROM (SELECT encode(bodies, 'escape') AS t FROM vault.audit_segment) x WHERE t LIKE '%test.act%'";
	const int64_t before = service_sql(records);

	(void)state;
	assert_int_equal(internal_run(service_app, &act_route, &a, NULL), ERR_OK);
	assert_int_equal(a.decided, 1);
	assert_int_equal(service_sql(records), before + 1);
	a.result = ERR_CONFLICT;
	assert_int_equal(internal_run(service_app, &act_route, &a, "support"), ERR_CONFLICT);
	assert_int_equal(service_sql(records), before + 2); /* a failure is recorded, too */
	assert_int_equal(internal_run(service_app, &act_route, &a, "no such purpose"), ERR_UNKNOWN_PURPOSE);
}

static void no_path_leads_to_an_internal_route(void **state)
{
	struct call c = {.identity = CORE, .method = "", .path = ""};

	(void)state;
	assert_int_equal(call_run(&c), 404);
	call_end(&c);
}

#define WITH_SERVICE(f) cmocka_unit_test_setup_teardown(f, start_service, stop_service)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_SERVICE(a_second_worker_waits_until_the_first_has_gone),
	    WITH_SERVICE(a_leader_whose_connection_is_cut_is_replaced),
	    WITH_SERVICE(a_worker_that_is_woken_runs_at_once),
	    WITH_SERVICE(a_task_that_fails_runs_again),
	    WITH_SERVICE(the_vault_s_own_request_is_recorded_under_its_node),
	    WITH_SERVICE(no_path_leads_to_an_internal_route),
	};

	return cmocka_run_group_tests(tests, service_set_up, service_tear_down);
}
