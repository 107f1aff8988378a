/* test_openapi.c: the description of the API against the table of routes and
 * the list of errors, both ways; and the table of vault/ERRORS.md likewise. */
#include "store/embed.h"
#include "vault/app/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct doc *doc;

static const char *text_of(const struct node *n)
{
	size_t len;
	const char *text = node_string(n, &len);

	return text ? text : "";
}

static const struct node *at(const char *path)
{
	const struct node *n = doc_root(doc);
	char part[64];

	while (*path) {
		const size_t len = strcspn(path, "/");

		assert_true(len < sizeof part);
		memcpy(part, path, len);
		part[len] = 0;
		n = node_get(n, part);
		path += len + (path[len] == '/');
	}
	return n;
}

static int load(void **state)
{
	(void)state;
	for (const struct embedded *f = embedded; f->path; f++)
		if (!strcmp(f->path, "vault/app/openapi.json"))
			return doc_parse(f->start, (size_t)(f->end - f->start), &doc);
	return 1;
}

static int unload(void **state)
{
	(void)state;
	doc_free(doc);
	return 0;
}

static const struct node *operation_of(const struct route *r)
{
	char method[16] = "";

	for (size_t i = 0; r->method[i]; i++)
		method[i] = (char)tolower((unsigned char)r->method[i]);
	return node_get(node_get(at("paths"), r->pattern), method);
}

/* Follows one "$ref". */
static const struct node *resolved(const struct node *n)
{
	const char *reference = text_of(node_get(n, "$ref"));

	return strncmp(reference, "#/", 2) ? n : at(reference + 2);
}

/* Counts parameters that stand in place and, where name is given, have it. */
static size_t parameters(const struct node *operation, const char *in, const char *name)
{
	const struct node *list = node_get(operation, "parameters");
	size_t n = 0;

	for (size_t i = 0; i < node_count(list); i++) {
		const struct node *p = resolved(node_at(list, i));

		n += !strcmp(text_of(node_get(p, "in")), in) && (!name || !strcmp(text_of(node_get(p, "name")), name));
	}
	return n;
}

static void every_route_is_described(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++) {
		const struct node *o = operation_of(&routes[i]);

		if (!o)
			fail_msg("%s %s is not described", routes[i].method, routes[i].pattern);
		assert_string_equal(text_of(node_get(o, "operationId")), routes[i].operation);
	}
}

static void nothing_else_is_described(void **state)
{
	struct node_iter paths = node_members(at("paths"));
	const struct node *path;
	size_t n = 0;

	(void)state;
	while ((path = node_next(&paths)))
		n += node_count(path);
	assert_int_equal(n, route_count());
}

static void parameters_are_those_of_the_route(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++) {
		const struct route *r = &routes[i];
		const struct node *o = operation_of(r);
		size_t query = 0, parts = 0;

		for (; query < sizeof r->query / sizeof *r->query && r->query[query]; query++)
			if (parameters(o, "query", r->query[query]) != 1)
				fail_msg("%s: parameter %s is not described", r->operation, r->query[query]);
		assert_int_equal(parameters(o, "query", NULL), query);
		for (const char *open = r->pattern; (open = strchr(open, '{')); open++, parts++) {
			char name[32];

			snprintf(name, sizeof name, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
			assert_int_equal(parameters(o, "path", name), 1);
		}
		assert_int_equal(parameters(o, "path", NULL), parts);
		assert_int_equal(parameters(o, "header", "X-Purpose"), (r->flags & ROUTE_PURPOSE) != 0);
		assert_int_equal(parameters(o, "header", "Idempotency-Key"), (r->flags & ROUTE_IDEMPOTENT) != 0);
		assert_int_equal(node_get(o, "requestBody") != NULL, (r->flags & ROUTE_BODY) != 0);
	}
}

static void content_is_complete(const char *operation, const struct node *content)
{
	struct node_iter media = node_members(content);
	const struct node *m;

	assert_true(node_count(content) > 0);
	while ((m = node_next(&media)))
		if (!node_get(m, "schema") || !node_get(m, "example"))
			fail_msg("%s: a body lacks its schema or an example", operation);
}

static void every_body_has_a_schema_and_an_example(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count(); i++) {
		const struct node *o = operation_of(&routes[i]), *reply;
		struct node_iter replies = node_members(node_get(o, "responses"));
		size_t good = 0;

		if (node_get(o, "requestBody"))
			content_is_complete(routes[i].operation, node_get(node_get(o, "requestBody"), "content"));
		while ((reply = node_next(&replies))) {
			content_is_complete(routes[i].operation, node_get(resolved(reply), "content"));
			good += replies.key[0] == '2';
		}
		assert_true(good > 0);
	}
}

static void look_at_references(const struct node *n)
{
	struct node_iter members = node_members(n);
	const struct node *child;

	if (node_type(n) == NODE_ARRAY)
		for (size_t i = 0; i < node_count(n); i++)
			look_at_references(node_at(n, i));
	while ((child = node_next(&members))) {
		if (!strcmp(members.key, "$ref") && !resolved(n))
			fail_msg("%s leads nowhere", text_of(child));
		look_at_references(child);
	}
}

static void every_reference_leads_somewhere(void **state)
{
	(void)state;
	look_at_references(doc_root(doc));
}

static void codes_are_those_of_the_list(void **state)
{
	const struct node *codes = at("components/schemas/Code/enum");

	(void)state;
	assert_int_equal(node_count(codes), ERR_COUNT - 1); /* all but ok */
	for (int e = 1; e < ERR_COUNT; e++) {
		size_t i = 0;

		while (i < node_count(codes) && strcmp(text_of(node_at(codes, i)), err_code((enum err)e)) != 0)
			i++;
		if (i == node_count(codes))
			fail_msg("code %s is not described", err_code((enum err)e));
	}
}

static void the_version_is_this_builds(void **state)
{
	(void)state;
	assert_string_equal(text_of(at("info/version")), VAULT_VERSION);
	assert_string_equal(text_of(at("openapi")), "3.1.0");
}

/* The file's table holds each error's line, and as many lines as there are errors. */
static void the_table_of_errors_is_the_list(void **state)
{
	FILE *f = fopen("vault/ERRORS.md", "r");
	char line[400], wanted[400];
	int rows = 0;

	(void)state;
	assert_non_null(f);
	for (enum err e = 1; fgets(line, sizeof line, f);) {
		if (strncmp(line, "| `", 3) != 0)
			continue;
		rows++;
		assert_true(e < ERR_COUNT);
		snprintf(wanted, sizeof wanted, "| `%s` | %d | %s |\n", err_code(e), err_status(e), err_text(e));
		assert_string_equal(line, wanted);
		e++;
	}
	fclose(f);
	assert_int_equal(rows, ERR_COUNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_route_is_described),
	    cmocka_unit_test(nothing_else_is_described),
	    cmocka_unit_test(parameters_are_those_of_the_route),
	    cmocka_unit_test(every_body_has_a_schema_and_an_example),
	    cmocka_unit_test(every_reference_leads_somewhere),
	    cmocka_unit_test(codes_are_those_of_the_list),
	    cmocka_unit_test(the_version_is_this_builds),
	    cmocka_unit_test(the_table_of_errors_is_the_list),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
