/* test_route.c: paths against the table of routes. */
#include "vault/app/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct arena arena;
static const char *params[ROUTE_PARAMS_MAX];
static const char *allowed;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	memset(params, 0, sizeof params);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static const struct route *find(const char *method, const char *path)
{
	memset(params, 0, sizeof params);
	return route_find(method, path, &arena, params, &allowed);
}

static void assert_operation(const char *method, const char *path, const char *operation)
{
	const struct route *r = find(method, path);

	assert_non_null(r);
	assert_string_equal(r->operation, operation);
	assert_null(allowed);
}

static void every_route_finds_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++)
		assert_ptr_equal(find(routes[i].method, routes[i].pattern), &routes[i]);
}

static void operations_and_routes_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++)
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(routes[i].operation, routes[k].operation);
			assert_true(strcmp(routes[i].method, routes[k].method) || strcmp(routes[i].pattern, routes[k].pattern));
		}
}

static void parts_of_a_path_are_taken(void **state)
{
	(void)state;
	assert_operation("DELETE", "/v1/customers/cus1abc/records/order/rec1x", "record.delete");
	assert_string_equal(params[0], "cus1abc");
	assert_string_equal(params[1], "order");
	assert_string_equal(params[2], "rec1x");
	assert_operation("GET", "/v1/audit/records/12-3051", "audit.read");
	assert_string_equal(params[0], "12-3051");
	assert_operation("PUT", "/v1/fields/a.b%c\xc3\xa4", "field.put");
	assert_string_equal(params[0], "a.b%c\xc3\xa4");
}

static void a_verb_behind_a_part_is_no_part_of_it(void **state)
{
	(void)state;
	assert_operation("POST", "/v1/audiences/crm_core:revoke", "audience.revoke");
	assert_string_equal(params[0], "crm_core");
	assert_operation("POST", "/v1/customers/cus1abc/tokens:revoke", "customer.revoke_tokens");
	assert_operation("POST", "/v1/customers:search", "customer.search");
	assert_null(find("POST", "/v1/audiences/crm_core:rename"));
	assert_null(find("POST", "/v1/audiences/crm_core"));
	assert_null(find("POST", "/v1/audiences/:revoke"));
	assert_null(find("GET", "/v1/customers/cus1abc:search"));
	assert_null(find("GET", "/v1/fields/a:b"));
}

static void paths_that_are_nearly_right_are_not_found(void **state)
{
	static const char *const wrong[] = {"",
	                                    "/",
	                                    "v1/whoami",
	                                    "//v1/whoami",
	                                    "/v1//whoami",
	                                    "/v1/whoami/",
	                                    "/v1/whoami/x",
	                                    "/v1/who",
	                                    "/V1/whoami",
	                                    "/v1/fields/",
	                                    "/v1/customers/cus1/records",
	                                    "/v1/customers/cus1/records/",
	                                    "/v1/customers/cus1/records/order/rec1/more",
	                                    "/openapi.json/"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_null(find("GET", wrong[i]));
		assert_null(allowed);
	}
}

static void another_method_names_those_that_there_are(void **state)
{
	(void)state;
	assert_null(find("DELETE", "/v1/fields/email"));
	assert_string_equal(allowed, "GET, PUT");
	assert_null(find("PATCH", "/v1/whoami"));
	assert_string_equal(allowed, "GET");
	assert_null(find("get", "/v1/whoami"));
	assert_string_equal(allowed, "GET");
	assert_null(find("PUT", "/v1/customers/cus1abc/records/order"));
	assert_string_equal(allowed, "POST, GET");
}

static void the_table_keeps_its_own_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++) {
		const struct route *r = &routes[i];
		const bool body = (r->flags & ROUTE_BODY) != 0;

		assert_non_null(r->decide);
		assert_int_equal(body, r->body_limit > 0);
		if (!strcmp(r->method, "GET") || !strcmp(r->method, "DELETE"))
			assert_false(body);
		if (r->flags & ROUTE_IDEMPOTENT)
			assert_string_equal(r->method, "POST");
		if (strstr(r->pattern, "/v1/customers") || strstr(r->pattern, "/v1/tokens")) /* data is asked for with a purpose */
			assert_true(r->flags & ROUTE_PURPOSE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_route_finds_itself, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(operations_and_routes_are_unique, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(parts_of_a_path_are_taken, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_verb_behind_a_part_is_no_part_of_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(paths_that_are_nearly_right_are_not_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(another_method_names_those_that_there_are, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_table_keeps_its_own_rules, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
