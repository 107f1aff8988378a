/* test_envelope.c: certificates that are taken and refused, and that OpenSSL's command opens what was enclosed, byte for byte. */
#include "crypto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_envelope.XXXXXX";

static int __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[2048], inner[1600];
	va_list list;

	va_start(list, format);
	vsnprintf(inner, sizeof inner, format, list);
	va_end(list);
	snprintf(command, sizeof command, "cd %s && { %s; } >log 2>&1", folder, inner);
	return system(command);
}

static size_t slurp(const char *name, char *room, size_t size)
{
	char path[256];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(room, 1, size, f);
	fclose(f);
	return n;
}

/* A certificate NAME.pem with NAME.key: what `openssl req -newkey KIND` makes, with more arguments. */
static size_t certificate(const char *name, const char *kind, const char *more, char pem[static ENVELOPE_PEM_MAX])
{
	assert_int_equal(run("openssl req -x509 -nodes -newkey %s -keyout %s.key -out %s.pem -subj /CN=x %s", kind, name, name, more), 0);
	assert_int_equal(run("cp %s.pem current", name), 0);
	return slurp("current", pem, ENVELOPE_PEM_MAX);
}

#define USAGE "-addext keyUsage=critical,"

static enum err check(const char *name, const char *kind, const char *more)
{
	char pem[ENVELOPE_PEM_MAX];
	uint8_t sha256[32];
	const size_t len = certificate(name, kind, more, pem);

	return envelope_check(pem, len, sha256);
}

static void keys_that_can_receive_are_taken(void **state)
{
	(void)state;
	assert_int_equal(check("a", "rsa:2048", ""), ERR_OK);
	assert_int_equal(check("a", "rsa:3072", USAGE "keyEncipherment"), ERR_OK);
	assert_int_equal(check("a", "ec -pkeyopt ec_paramgen_curve:P-256", ""), ERR_OK);
	assert_int_equal(check("a", "ec -pkeyopt ec_paramgen_curve:P-384", USAGE "keyAgreement"), ERR_OK);
}

static void keys_that_cannot_or_are_weak_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check("a", "rsa:1024", ""), ERR_MALFORMED);
	assert_int_equal(check("a", "rsa:2048", USAGE "digitalSignature"), ERR_MALFORMED);
	assert_int_equal(check("a", "ec -pkeyopt ec_paramgen_curve:P-256", USAGE "digitalSignature"), ERR_MALFORMED);
	assert_int_equal(check("a", "ec -pkeyopt ec_paramgen_curve:secp224r1", ""), ERR_MALFORMED);
	assert_int_equal(check("a", "ed25519", ""), ERR_MALFORMED);
}

static void a_certificate_that_has_ended_is_refused(void **state)
{
	char pem[ENVELOPE_PEM_MAX];
	uint8_t sha256[32];
	size_t len;

	(void)state;
	assert_int_equal(run("openssl req -new -nodes -newkey rsa:2048 -keyout e.key -out e.csr -subj /CN=x && "
	                     "openssl x509 -req -in e.csr -signkey e.key -days -1 -out current"), 0);
	len = slurp("current", pem, sizeof pem);
	assert_int_equal(envelope_check(pem, len, sha256), ERR_MALFORMED);
	assert_int_equal(envelope_fingerprint(pem, len, sha256), ERR_OK);
}

static void what_is_no_single_certificate_is_refused(void **state)
{
	char pem[ENVELOPE_PEM_MAX], twice[2 * ENVELOPE_PEM_MAX], key[4096];
	uint8_t sha256[32];
	const size_t len = certificate("b", "rsa:2048", "", pem), key_len = slurp("b.key", key, sizeof key);

	(void)state;
	memcpy(twice, pem, len);
	memcpy(twice + len, pem, len);
	assert_int_equal(envelope_check(twice, 2 * len, sha256), ERR_MALFORMED);
	assert_int_equal(envelope_check(key, key_len, sha256), ERR_MALFORMED);
	assert_int_equal(envelope_check("", 0, sha256), ERR_MALFORMED);
	assert_int_equal(envelope_check(pem, len - 40, sha256), ERR_MALFORMED);
}

struct out {
	FILE *f;
	size_t n, most;
};

static enum err to_file(void *ctx, const void *bytes, size_t len)
{
	struct out *o = ctx;

	if (o->n + len > o->most)
		return ERR_IO;
	o->n += len;
	return fwrite(bytes, 1, len, o->f) == len ? ERR_OK : ERR_IO;
}

static void round_trip(const char *kind, size_t size)
{
	char pem[ENVELOPE_PEM_MAX], path[256], *text = malloc(size + 1);
	const size_t len = certificate("c", kind, "", pem);
	struct envelope *v;
	struct out o = {.most = SIZE_MAX};

	snprintf(path, sizeof path, "%s/plain", folder);
	o.f = fopen(path, "w");
	for (size_t i = 0; i < size; i++)
		text[i] = (char)(i * 7 + i / 251);
	assert_int_equal(fwrite(text, 1, size, o.f), size);
	fclose(o.f);
	snprintf(path, sizeof path, "%s/cms", folder);
	o.f = fopen(path, "w");
	assert_int_equal(envelope_new(pem, len, to_file, &o, &v), ERR_OK);
	for (size_t at = 0; at < size;) {
		const size_t n = size - at < 10007 ? size - at : 10007;

		assert_int_equal(envelope_write(v, text + at, n), ERR_OK);
		at += n;
	}
	assert_int_equal(envelope_end(v), ERR_OK);
	envelope_free(v);
	fclose(o.f);
	free(text);
	assert_true(o.n >= size);
	assert_int_equal(run("openssl cms -decrypt -inform DER -in cms -recip c.pem -inkey c.key -binary -out again && cmp plain again"), 0);
	assert_int_equal(run("openssl cms -cmsout -print -inform DER -in cms | grep -q aes-256-cbc && ! grep -q plain cms"), 0);
}

static void what_is_enclosed_is_opened_by_openssl(void **state)
{
	(void)state;
	round_trip("rsa:2048", 0);
	round_trip("rsa:2048", 1);
	round_trip("rsa:2048", 3000000);
	round_trip("ec -pkeyopt ec_paramgen_curve:P-256", 100000);
	round_trip("ec -pkeyopt ec_paramgen_curve:P-521", 16);
}

static void the_key_is_wrapped_with_sha_256(void **state)
{
	(void)state;
	round_trip("rsa:2048", 10);
	assert_int_equal(run("openssl cms -cmsout -print -inform DER -in cms | grep -q rsaesOaep && openssl cms -cmsout -print -inform DER -in cms | grep -q sha256"), 0);
	round_trip("ec -pkeyopt ec_paramgen_curve:P-256", 10);
	assert_int_equal(run("openssl cms -cmsout -print -inform DER -in cms | grep -q dhSinglePass-stdDH-sha256kdf-scheme"), 0);
}

static void a_failing_sink_ends_it(void **state)
{
	char pem[ENVELOPE_PEM_MAX];
	static char text[100000];
	const size_t len = certificate("d", "rsa:2048", "", pem);
	struct envelope *v;
	struct out o = {.f = fopen("/dev/null", "w"), .most = 20000};
	enum err e = ERR_OK;

	(void)state;
	assert_int_equal(envelope_new(pem, len, to_file, &o, &v), ERR_OK);
	for (int i = 0; i < 10 && !e; i++)
		e = envelope_write(v, text, sizeof text);
	assert_int_equal(e, ERR_IO);
	envelope_free(v);
	fclose(o.f);
	envelope_free(NULL);
}

static void memory_stays_flat(void **state)
{
	char pem[ENVELOPE_PEM_MAX];
	static char text[65536];
	const size_t len = certificate("f", "rsa:2048", "", pem);
	struct envelope *v;
	struct out o = {.f = fopen("/dev/null", "w"), .most = SIZE_MAX};
	long pages[2];

	(void)state;
	assert_int_equal(envelope_new(pem, len, to_file, &o, &v), ERR_OK);
	for (int round = 0; round < 2; round++) {
		FILE *f;

		for (int i = 0; i < (round ? 2000 : 50); i++) /* 3 MB, then 131 MB */
			assert_int_equal(envelope_write(v, text, sizeof text), ERR_OK);
		f = fopen("/proc/self/statm", "r");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d %ld", &pages[round]), 1);
		fclose(f);
	}
	assert_int_equal(envelope_end(v), ERR_OK);
	envelope_free(v);
	fclose(o.f);
	assert_true(pages[1] - pages[0] < 1024); /* 4 MB */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_that_can_receive_are_taken),
	    cmocka_unit_test(keys_that_cannot_or_are_weak_are_refused),
	    cmocka_unit_test(a_certificate_that_has_ended_is_refused),
	    cmocka_unit_test(what_is_no_single_certificate_is_refused),
	    cmocka_unit_test(what_is_enclosed_is_opened_by_openssl),
	    cmocka_unit_test(the_key_is_wrapped_with_sha_256),
	    cmocka_unit_test(a_failing_sink_ends_it),
	    cmocka_unit_test(memory_stays_flat),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)!chdir("/");
	(void)run("rm -f -- *");
	rmdir(folder);
	return failed;
}
