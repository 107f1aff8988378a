/* Configuration: file, environment, their faults, and the check of what they name. */
#include "base/config.h"
#include "base/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/vault-config-XXXXXX";
static char file[64];
static struct config config;
static struct buf report;

static const char *path_in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *path, const void *bytes, size_t len, mode_t mode)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static enum err load(const char *text)
{
	config_fini(&config);
	buf_reset(&report);
	if (text)
		write_file(file, text, strlen(text), 0600);
	return config_load(&config, text ? file : NULL, &report);
}

static void assert_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void assert_report(const char *format, ...)
{
	char expected[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof expected, format, args);
	va_end(args);
	assert_string_equal(buf_string(&report), expected);
}

static void assert_reported(const char *part)
{
	if (!strstr(buf_string(&report), part))
		fail_msg("\"%s\" is not in: %s", part, buf_string(&report));
}

static int clear_environment(void **state)
{
	(void)state;
	for (char **at = environ; *at;) {
		char name[64];

		if (sscanf(*at, "%63[^=]", name) == 1 && !strncmp(name, "VAULT_", 6) && unsetenv(name) == 0)
			at = environ;
		else
			at++;
	}
	return 0;
}

static void defaults_hold_where_nothing_is_set(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), ERR_OK);
	assert_int_equal(config.listen_port, 8443);
	assert_int_equal(config.operations_port, 9443);
	assert_string_equal(config.listen_address, "127.0.0.1");
	assert_string_equal(config.database_url, "");
	assert_int_equal(config.expected_customers, 1000000);
	assert_true(strlen(config.node) > 0);
	assert_int_equal(config.from[CONFIG_LISTEN_PORT], CONFIG_FROM_DEFAULT);
}

static void a_file_is_read_with_comments_quotes_and_crlf(void **state)
{
	(void)state;
	assert_int_equal(load("# comment\n\n  VAULT_LISTEN_PORT = 1234\r\nVAULT_DATABASE_URL=\"host=/run user=v # no\"\n"
	                      "VAULT_DENY_LIST=\"\"\nVAULT_NODE=n-1"),
	                 ERR_OK);
	assert_int_equal(config.listen_port, 1234);
	assert_string_equal(config.database_url, "host=/run user=v # no");
	assert_string_equal(config.node, "n-1");
	assert_int_equal(config.from[CONFIG_LISTEN_PORT], 3);
}

static void the_environment_wins_over_the_file(void **state)
{
	(void)state;
	setenv("VAULT_LISTEN_PORT", "4321", 1);
	setenv("VAULT_DATABASE_URL", "", 1);
	assert_int_equal(load("VAULT_LISTEN_PORT=1234\nVAULT_DATABASE_URL=host=x\n"), ERR_OK);
	assert_int_equal(config.listen_port, 4321);
	assert_string_equal(config.database_url, "");
	assert_int_equal(config.from[CONFIG_LISTEN_PORT], CONFIG_FROM_ENVIRONMENT);
}

static void unknown_keys_are_errors_with_place_and_near_word(void **state)
{
	(void)state;
	assert_int_equal(load("\nVAULT_LISTENPORT=1\nVAULT_ZZZZZZ=1\nPATH=/bin\nVALT_NODE=x\n"), ERR_CONFIG);
	assert_report("%s:2: VAULT_LISTENPORT: unknown key; near: VAULT_LISTEN_PORT\n"
	              "%s:3: VAULT_ZZZZZZ: unknown key\n"
	              "%s:4: a key without VAULT_: unknown key\n"
	              "%s:5: a key without VAULT_: unknown key; near: VAULT_NODE\n",
	              file, file, file, file);
	setenv("VAULT_IO_THREAD", "3", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_report("environment: VAULT_IO_THREAD: unknown key; near: VAULT_IO_THREADS\n");
	unsetenv("VAULT_IO_THREAD");
}

static void keys_of_the_client_may_stand_in_the_environment_only(void **state)
{
	(void)state;
	setenv("VAULT_CLIENT_KEY", "k.pem", 1);
	setenv("VAULT_URL", "https://127.0.0.1:8443", 1);
	assert_int_equal(load(NULL), ERR_OK);
	unsetenv("VAULT_CLIENT_KEY");
	unsetenv("VAULT_URL");
	assert_int_equal(load("VAULT_PURPOSE=support\n"), ERR_CONFIG);
	assert_report("%s:1: VAULT_PURPOSE: belongs to vaultctl, which reads it from its environment\n", file);
}

static void numbers_out_of_range_are_errors_and_keep_the_default(void **state)
{
	static const char *const bad[] = {"0", "65536", "-1", "8443x", "", "0x10", "99999999999999999999", "1 2", "+5"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "VAULT_LISTEN_PORT=%s\n", bad[i]);
		assert_int_equal(load(text), ERR_CONFIG);
		assert_report("%s:1: VAULT_LISTEN_PORT: must be a number from 1 to 65535\n", file);
		assert_int_equal(config.listen_port, 8443);
	}
	assert_int_equal(load("VAULT_IO_THREADS=64\nVAULT_QUEUE_LIMIT=16\n"), ERR_OK);
	assert_int_equal(load("VAULT_IO_THREADS=65\nVAULT_QUEUE_LIMIT=15\n"), ERR_CONFIG);
}

static void words_that_do_not_fit_their_key_are_errors(void **state)
{
	(void)state;
	assert_int_equal(load("VAULT_LISTEN_ADDRESS=localhost\nVAULT_NODE=a b\nVAULT_DEFAULT_COUNTRY=cn\n"
	                      "VAULT_LOG_LEVEL=loud\nVAULT_KEYRING=\n"),
	                 ERR_CONFIG);
	assert_report("%s:1: VAULT_LISTEN_ADDRESS: must be an IPv4 or IPv6 address\n"
	              "%s:2: VAULT_NODE: must be 1 to 64 of [A-Za-z0-9._-]\n"
	              "%s:3: VAULT_DEFAULT_COUNTRY: must be two capital letters (ISO 3166)\n"
	              "%s:4: VAULT_LOG_LEVEL: must be debug, info, warn or error\n"
	              "%s:5: VAULT_KEYRING: must not be empty\n",
	              file, file, file, file, file);
	assert_int_equal(load("VAULT_LISTEN_ADDRESS=::1\n"), ERR_OK);
}

static void faulty_lines_name_their_place_and_never_show_what_may_be_a_password(void **state)
{
	static const char text[] = "VAULT_DATABASE_URL postgres://u:sesame@h/db?sslmode=x\nsesame\nVAULT_NODE=\"sesame\n"
	                           "c2VzYW1lsesame=\nVAULT_LISTEN_PORT=sesame\nVAULT_LOG_LEVEL=sesame\n=sesame\n"
	                           "VAULT_DATABASE_URL=\"a\" sesame\nVAULT_KEYRING=se\x01same\n";

	(void)state;
	assert_int_equal(load(text), ERR_CONFIG);
	assert_null(strstr(buf_string(&report), "sesame"));
	for (int line = 1; line <= 9; line++) {
		char start[80];

		snprintf(start, sizeof start, "%s:%d: ", file, line);
		assert_reported(start);
	}
}

static void a_key_that_stands_twice_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(load("VAULT_NODE=a\nVAULT_NODE=b\n"), ERR_CONFIG);
	assert_report("%s:2: VAULT_NODE: stands in line 1 already\n", file);
	assert_string_equal(config.node, "a");
}

static void a_nul_in_a_line_is_an_error(void **state)
{
	static const char text[] = "VAULT_NODE=a\0b\n\0\nVAULT_LISTEN_PORT=7\n";

	(void)state;
	config_fini(&config);
	buf_reset(&report);
	write_file(file, text, sizeof text - 1, 0600);
	assert_int_equal(config_load(&config, file, &report), ERR_CONFIG);
	assert_report("%s:1: a line that is not KEY=VALUE\n%s:2: a line that is not KEY=VALUE\n", file, file);
	assert_int_equal(config.listen_port, 7);
}

static void a_file_that_is_missing_or_huge_is_an_error(void **state)
{
	const size_t len = 2 << 20;
	char *huge = malloc(len);

	(void)state;
	config_fini(&config);
	buf_reset(&report);
	assert_int_equal(config_load(&config, path_in_folder("absent"), &report), ERR_CONFIG);
	assert_reported("absent: can't be read: ");
	config_fini(&config);
	buf_reset(&report);
	assert_int_equal(config_load(&config, folder, &report), ERR_CONFIG);
	assert_reported("can't be read: ");
	assert_non_null(huge);
	memset(huge, '#', len);
	write_file(file, huge, len, 0600);
	free(huge);
	config_fini(&config);
	buf_reset(&report);
	assert_int_equal(config_load(&config, file, &report), ERR_CONFIG);
	assert_reported("is larger than a configuration can be");
}

/* A configuration in which config_check finds nothing. */
static void good_setup(void)
{
	char text[1024];

	write_file(path_in_folder("root"), "0123456789abcdef0123456789abcdef", 32, 0400);
	write_file(path_in_folder("keyring"), "k", 1, 0600);
	write_file(path_in_folder("server.pem"), "c", 1, 0644);
	write_file(path_in_folder("server.key"), "k", 1, 0640);
	mkdir(path_in_folder("bundles"), 0700);
	write_file(path_in_folder("bundles/crm.example.pem"), "c", 1, 0644);
	snprintf(text, sizeof text,
	         "VAULT_DATABASE_URL=host=/run\nVAULT_ROOT_KEY=%1$s/root\nVAULT_KEYRING=%1$s/keyring\n"
	         "VAULT_TLS_CERTIFICATE=%1$s/server.pem\nVAULT_TLS_KEY=%1$s/server.key\nVAULT_TRUST_BUNDLES=%1$s/bundles\n",
	         folder);
	assert_int_equal(load(text), ERR_OK);
}

static void check_finds_nothing_in_a_good_setup(void **state)
{
	(void)state;
	good_setup();
	assert_int_equal(config_check(&config, &report), ERR_OK);
	assert_report("%s", "");
}

static void check_names_key_and_file_of_each_fault(void **state)
{
	(void)state;
	good_setup();
	assert_int_equal(chmod(path_in_folder("root"), 0440), 0);
	write_file(path_in_folder("keyring"), "k", 1, 0644);
	write_file(path_in_folder("server.key"), "k", 1, 0604);
	unlink(path_in_folder("server.pem"));
	unlink(path_in_folder("bundles/crm.example.pem"));
	free(config.database_url);
	config.database_url = strdup("");
	assert_int_equal(config_check(&config, &report), ERR_CONFIG);
	assert_report("%1$s/c.env:1: VAULT_DATABASE_URL: is not set\n"
	              "%1$s/c.env:4: VAULT_TLS_CERTIFICATE: %1$s/server.pem: No such file or directory\n"
	              "%1$s/c.env:5: VAULT_TLS_KEY: %1$s/server.key: is open to others; its mode must be 0640 or less\n"
	              "%1$s/c.env:6: VAULT_TRUST_BUNDLES: %1$s/bundles: holds no .pem file that can be read\n"
	              "%1$s/c.env:3: VAULT_KEYRING: %1$s/keyring: has a wrong mode; it must be 0400 or 0600\n"
	              "%1$s/c.env:2: VAULT_ROOT_KEY: %1$s/root: has a wrong mode; it must be 0400 or 0600\n",
	              folder);
}

static void check_refuses_a_linked_a_short_and_an_odd_key_file(void **state)
{
	char target[128];

	(void)state;
	good_setup();
	snprintf(target, sizeof target, "%s", path_in_folder("keyring.real"));
	write_file(target, "k", 1, 0600);
	unlink(path_in_folder("keyring"));
	assert_int_equal(symlink(target, path_in_folder("keyring")), 0);
	write_file(path_in_folder("root"), "short", 5, 0400);
	unlink(path_in_folder("server.key"));
	assert_int_equal(mkfifo(path_in_folder("server.key"), 0600), 0);
	assert_int_equal(config_check(&config, &report), ERR_CONFIG);
	assert_reported("VAULT_KEYRING: ");
	assert_reported("is a symbolic link\n");
	assert_reported("is not a root key: it must be 32 bytes long\n");
	assert_reported("server.key: is not a regular file\n");
	unlink(path_in_folder("keyring"));
	unlink(path_in_folder("server.key"));
}

static void check_refuses_one_port_for_both_listeners_and_a_lost_deny_list(void **state)
{
	(void)state;
	good_setup();
	config.operations_port = config.listen_port;
	free(config.deny_list);
	config.deny_list = strdup("absent.deny");
	assert_int_equal(config_check(&config, &report), ERR_CONFIG);
	assert_report("default: VAULT_DENY_LIST: absent.deny: No such file or directory\n"
	              "default: VAULT_OPERATIONS_PORT: is the port of the mutual TLS listener too\n");
}

static void help_lists_each_key_with_default_and_range(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	config_help(&out);
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		assert_non_null(strstr(buf_string(&out), config_name((enum config_key)i)));
	assert_non_null(strstr(buf_string(&out), "  VAULT_IO_THREADS=2\n      Threads that serve connections (1 to 64).\n"));
	buf_fini(&out);
}

static void defaults_pass_their_own_checks(void **state)
{
	(void)state;
	/* A default out of its range would appear here as a line that names "default". */
	assert_int_equal(load(NULL), ERR_OK);
	assert_report("%s", "");
}

static void near_words_are_found_within_a_third_of_the_length(void **state)
{
	static const char *const known[] = {"search", "get", NULL, "put"};

	(void)state;
	assert_string_equal(near_word("serach", known, 4), "search");
	assert_string_equal(near_word("PUT", known, 4), "put");
	assert_string_equal(near_word("gt", known, 4), "get");
	assert_null(near_word("delete", known, 4));
	assert_null(near_word("", known, 4));
	assert_int_equal(near_distance("ab", "ba"), 1);
	assert_int_equal(near_distance("", "abc"), 3);
	assert_int_equal(near_distance("kitten", "sitting"), 3);
}

static int open_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/c.env", folder);
	buf_init(&report, 0);
	return 0;
}

static int close_folder(void **state)
{
	static const char *const names[] = {"bundles/crm.example.pem", "bundles", "root",  "keyring", "keyring.real",
	                                    "server.pem",              "server.key", "c.env"};

	(void)state;
	config_fini(&config);
	buf_fini(&report);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		(void)remove(path_in_folder(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_hold_where_nothing_is_set),
	    cmocka_unit_test(a_file_is_read_with_comments_quotes_and_crlf),
	    cmocka_unit_test_setup_teardown(the_environment_wins_over_the_file, NULL, clear_environment),
	    cmocka_unit_test(unknown_keys_are_errors_with_place_and_near_word),
	    cmocka_unit_test(keys_of_the_client_may_stand_in_the_environment_only),
	    cmocka_unit_test(numbers_out_of_range_are_errors_and_keep_the_default),
	    cmocka_unit_test(words_that_do_not_fit_their_key_are_errors),
	    cmocka_unit_test(faulty_lines_name_their_place_and_never_show_what_may_be_a_password),
	    cmocka_unit_test(a_key_that_stands_twice_is_an_error),
	    cmocka_unit_test(a_nul_in_a_line_is_an_error),
	    cmocka_unit_test(a_file_that_is_missing_or_huge_is_an_error),
	    cmocka_unit_test(check_finds_nothing_in_a_good_setup),
	    cmocka_unit_test(check_names_key_and_file_of_each_fault),
	    cmocka_unit_test(check_refuses_a_linked_a_short_and_an_odd_key_file),
	    cmocka_unit_test(check_refuses_one_port_for_both_listeners_and_a_lost_deny_list),
	    cmocka_unit_test(help_lists_each_key_with_default_and_range),
	    cmocka_unit_test(defaults_pass_their_own_checks),
	    cmocka_unit_test(near_words_are_found_within_a_third_of_the_length),
	};

	clear_environment(NULL);
	return cmocka_run_group_tests(tests, open_folder, close_folder);
}
