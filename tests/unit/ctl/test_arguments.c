/* The reader of the command line. */
#include "ctl/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int nothing(const struct arguments *a)
{
	(void)a;
	return CTL_OK;
}

static const struct ctl_option get_options[] = {
    {"fields", "A,B", NULL, "fields"}, {"url", "OTHER", "TEST_CTL_OTHER", "wins over the global one"}, {"all", NULL, NULL, "all"}, {0}};

static const struct ctl_command commands[] = {
    {NULL, "whoami", "", 0, 0, NULL, "who", "", nothing},
    {"customer", "get", "CUSTOMER", 1, 2, get_options, "get", "", nothing},
    {"customer", "put", "", 0, 0, NULL, "put", "", nothing},
    {0},
};

static struct arguments parsed;
static struct buf why;

#define READ(...) read_words((const char *[]){"vaultctl", __VA_ARGS__, NULL})

static bool read_words(const char **words)
{
	char *argv[16];
	int n = 0;

	for (; words[n]; n++)
		memcpy(&argv[n], &words[n], sizeof *words);
	buf_reset(&why);
	return arguments_read(n, argv, commands, &parsed, &why);
}

static void options_stand_anywhere_and_take_their_value_both_ways(void **state)
{
	(void)state;
	assert_true(READ("--json", "--purpose=support", "customer", "--cert", "c.pem", "get", "--fields", "a,b", "cus1x"));
	assert_string_equal(parsed.command->name, "get");
	assert_int_equal(parsed.n_words, 1);
	assert_string_equal(parsed.words[0], "cus1x");
	assert_string_equal(arguments_option(&parsed, "fields"), "a,b");
	assert_null(arguments_option(&parsed, "all"));
	assert_null(arguments_option(&parsed, "absent"));
	assert_string_equal(arguments_global(&parsed, GLOBAL_PURPOSE), "support");
	assert_string_equal(arguments_global(&parsed, GLOBAL_CERT), "c.pem");
	assert_non_null(parsed.globals[GLOBAL_JSON]);
}

static void a_commands_own_option_wins_over_the_global_one_of_its_name(void **state)
{
	(void)state;
	assert_true(READ("--url", "https://a", "customer", "get", "--url", "b", "x"));
	assert_string_equal(parsed.globals[GLOBAL_URL], "https://a");
	assert_string_equal(arguments_option(&parsed, "url"), "b");
}

static void an_option_that_is_missing_comes_from_its_variable(void **state)
{
	(void)state;
	setenv("VAULT_PURPOSE", "loyalty", 1);
	setenv("VAULT_CA", "", 1);
	setenv("TEST_CTL_OTHER", "there", 1);
	assert_true(READ("customer", "get", "x"));
	assert_string_equal(arguments_global(&parsed, GLOBAL_PURPOSE), "loyalty");
	assert_null(arguments_global(&parsed, GLOBAL_CA));
	assert_string_equal(arguments_option(&parsed, "url"), "there");
	assert_true(READ("--purpose", "support", "customer", "get", "x"));
	assert_string_equal(arguments_global(&parsed, GLOBAL_PURPOSE), "support");
	unsetenv("VAULT_PURPOSE");
	unsetenv("VAULT_CA");
	unsetenv("TEST_CTL_OTHER");
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_true(READ("customer", "get", "--", "--fields", "-x"));
	assert_int_equal(parsed.n_words, 2);
	assert_string_equal(parsed.words[1], "-x");
	assert_true(READ("customer", "get", "-"));
	assert_string_equal(parsed.words[0], "-");
}

static void faults_are_told_in_one_line(void **state)
{
	static const struct {
		const char *words[6];
		const char *why;
	} cases[] = {
	    {{"vaultctl"}, "no command is given"},
	    {{"vaultctl", "custmer"}, "unknown command \"custmer\"; near: customer"},
	    {{"vaultctl", "get"}, "unknown command \"get\""},
	    {{"vaultctl", "customer"}, "customer what?"},
	    {{"vaultctl", "customer", "whoami"}, "customer: unknown command \"whoami\""},
	    {{"vaultctl", "customer", "got", "x"}, "customer: unknown command \"got\"; near: get"},
	    {{"vaultctl", "customer", "get"}, "this command needs: CUSTOMER"},
	    {{"vaultctl", "customer", "put", "secret"}, "too many words after the command"},
	    {{"vaultctl", "--fields", "a"}, "unknown option \"--fields\"; a command's own options follow the command"},
	    {{"vaultctl", "whoami", "--purpse=secret"}, "unknown option \"--purpse\"; near: --purpose"},
	    {{"vaultctl", "whoami", "-j"}, "unknown option \"-j\""},
	    {{"vaultctl", "whoami", "--purpose"}, "--purpose needs a value: NAME"},
	    {{"vaultctl", "whoami", "--purpose", ""}, "--purpose needs a value: NAME"},
	    {{"vaultctl", "whoami", "--json=yes"}, "--json takes no value"},
	    {{"vaultctl", "whoami", "--json", "--json"}, "--json is given twice"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *words[7] = {NULL};

		memcpy(words, cases[i].words, sizeof cases[i].words);
		assert_false(read_words(words));
		assert_string_equal(buf_string(&why), cases[i].why);
	}
}

static void help_needs_no_words(void **state)
{
	(void)state;
	assert_true(READ("--help"));
	assert_null(parsed.command);
	assert_true(READ("customer", "-h"));
	assert_string_equal(parsed.group, "customer");
	assert_true(READ("customer", "get", "--help"));
	assert_string_equal(parsed.command->name, "get");
}

static void help_of_a_command_lists_its_options(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	help_command(&commands[1], &out);
	assert_non_null(strstr(buf_string(&out), "customer get CUSTOMER\n"));
	assert_non_null(strstr(buf_string(&out), "  --fields A,B\n      fields\n"));
	assert_non_null(strstr(buf_string(&out), "  --url OTHER  (or TEST_CTL_OTHER)\n"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_stand_anywhere_and_take_their_value_both_ways),
	    cmocka_unit_test(a_commands_own_option_wins_over_the_global_one_of_its_name),
	    cmocka_unit_test(an_option_that_is_missing_comes_from_its_variable),
	    cmocka_unit_test(two_dashes_end_the_options),
	    cmocka_unit_test(faults_are_told_in_one_line),
	    cmocka_unit_test(help_needs_no_words),
	    cmocka_unit_test(help_of_a_command_lists_its_options),
	};
	int failed;

	buf_init(&why, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_fini(&why);
	return failed;
}
