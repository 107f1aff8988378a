/* Secret memory and what secret_start forbids. */
#include "crypto/secret.h"
#include "crypto/secret_int.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
	(void)state;
	return secret_start();
}

static void start_forbids_cores_and_tracers(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 0);
	assert_int_equal(limit.rlim_max, 0);
#ifdef __SANITIZE_ADDRESS__
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1); /* the exception that secret.c names */
#else
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
}

/* Flags of the kernel's mapping that holds address, from /proc/self/smaps; "" if
 * there is none. The file belongs to root while the process is not dumpable. */
static void flags_of(const void *address, char out[static 256])
{
	const int dumpable = prctl(PR_GET_DUMPABLE);
	char line[512];
	unsigned long from, to;
	int inside = 0;
	FILE *f;

	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	f = fopen("/proc/self/smaps", "re");
	assert_non_null(f);
	out[0] = 0;
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(out, 256, "%.255s", line + 8);
	}
	fclose(f);
	assert_int_equal(prctl(PR_SET_DUMPABLE, dumpable), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* RLIMIT_MEMLOCK may be small, or nothing: then secret.c warns and goes on. */
static bool may_lock_as_much(void)
{
	void *probe = mmap(NULL, SECRET_ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may;

	assert_ptr_not_equal(probe, MAP_FAILED);
	may = mlock(probe, SECRET_ARENA) == 0;
	munmap(probe, SECRET_ARENA);
	return may;
}
#endif

static void the_arena_is_locked_and_neither_dumped_nor_inherited(void **state)
{
	void *secret = secret_alloc(32);
	char flags[256];

	(void)state;
	assert_non_null(secret);
	flags_of(secret, flags);
	assert_non_null(strstr(flags, " dd"));
	assert_non_null(strstr(flags, " dc"));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	assert_null(strstr(flags, " lo")); /* the sanitizers make mlock do nothing */
#else
	assert_int_equal(strstr(flags, " lo") != NULL, may_lock_as_much());
#endif
	secret_free(secret);
}

static void memory_is_zeroed_and_wiped_when_given_back(void **state)
{
	uint8_t *first = secret_alloc(100), *second;

	(void)state;
	assert_non_null(first);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(first[i], 0);
	memset(first, 0x55, 100);
	secret_free(first);
	second = secret_alloc(100);
	assert_ptr_equal(second, first);
	for (size_t i = 0; i < 128; i++)
		assert_int_equal(second[i], 0);
	secret_free(second);
}

static void runs_do_not_overlap_and_room_is_found_again(void **state)
{
	uint8_t *given[200];
	unsigned seed = 1;

	(void)state;
	memset(given, 0, sizeof given);
	for (size_t round = 0; round < 20000; round++) {
		const size_t i = (size_t)rand_r(&seed) % 200, len = 1 + (size_t)rand_r(&seed) % 1200;

		if (given[i]) {
			size_t was;

			memcpy(&was, given[i], sizeof was);
			for (size_t k = sizeof was; k < was; k++)
				assert_int_equal(given[i][k], (uint8_t)i);
			secret_free(given[i]);
			given[i] = NULL;
		} else if (len >= sizeof len) {
			given[i] = secret_alloc(len);
			assert_non_null(given[i]);
			memset(given[i], (int)i, len);
			memcpy(given[i], &len, sizeof len);
		}
	}
	for (size_t i = 0; i < 200; i++)
		secret_free(given[i]);
	assert_int_equal(secret_in_use(), 0);
}

static void the_arena_can_be_filled_and_no_more(void **state)
{
	void *all = secret_alloc(SECRET_ARENA), *one, *rest;

	(void)state;
	assert_non_null(all);
	assert_null(secret_alloc(1));
	secret_free(all);
	assert_null(secret_alloc(SECRET_ARENA + 1));
	assert_null(secret_alloc(SIZE_MAX));
	assert_null(secret_alloc(0));
	one = secret_alloc(1);
	rest = secret_alloc(SECRET_ARENA - SECRET_SLOT);
	assert_non_null(one);
	assert_non_null(rest);
	assert_null(secret_alloc(1));
	secret_free(one);
	secret_free(rest);
	secret_free(NULL);
}

/* Runs what in a child; gives the signal that ended it, 0 after a plain end, -1 after a failed one. */
static int end_of_child(void (*what)(uint8_t *), uint8_t *secret)
{
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would print a report */
		signal(SIGABRT, SIG_DFL);
		what(secret);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void touch(uint8_t *secret)
{
	*(volatile uint8_t *)secret = 1;
}

static void touch_after_alloc(uint8_t *secret)
{
	void *own = secret_alloc(32);

	if (own)
		touch(secret);
}

static void alloc_and_free(uint8_t *secret)
{
	uint8_t *own = secret_alloc(32);

	if (!own)
		_exit(1);
	memset(own, 1, 32);
	secret_free(secret); /* the parent's: nothing to be done */
	secret_free(own);
}

static void a_child_dies_on_its_parents_keys_and_has_memory_of_its_own(void **state)
{
	uint8_t *secret = secret_alloc(32);

	(void)state;
	assert_int_equal(end_of_child(touch, secret), SIGSEGV);
	assert_int_equal(end_of_child(touch_after_alloc, secret), SIGSEGV);
	assert_int_equal(end_of_child(alloc_and_free, secret), 0);
	secret_free(secret);
}

static uint8_t *own_arena(void)
{
	uint8_t *all = secret_alloc(SECRET_ARENA);

	if (!all)
		_exit(1);
	return all;
}

static void write_before(uint8_t *secret)
{
	(void)secret;
	touch(own_arena() - 1);
}

static void write_behind(uint8_t *secret)
{
	(void)secret;
	touch(own_arena() + SECRET_ARENA);
}

static void free_twice(uint8_t *secret)
{
	secret_free(secret);
	secret_free(secret);
}

static void guard_pages_stop_writes_past_the_arena(void **state)
{
	(void)state;
	assert_int_equal(end_of_child(write_before, NULL), SIGSEGV);
	assert_int_equal(end_of_child(write_behind, NULL), SIGSEGV);
}

static void a_foreign_pointer_is_not_taken_back(void **state)
{
	static uint8_t foreign[64];
	int status;
	const pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		/* A program that has not forked: as its own parent would be. */
		prctl(PR_SET_DUMPABLE, 1); /* else only root may follow the link */
		execl("/proc/self/exe", "test_secret", "free-twice", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(end_of_child(free_twice, foreign), 0); /* a child can't tell it from its parent's */
}

static void *alloc_in_turns(void *rounds)
{
	for (int i = 0; i < *(const int *)rounds; i++) {
		uint8_t *secret = secret_alloc(1 + (size_t)i % 300);

		if (!secret)
			return rounds;
		memset(secret, i, 1);
		secret_free(secret);
	}
	return NULL;
}

static void threads_share_the_arena(void **state)
{
	pthread_t threads[4];
	int rounds = 2000;
	void *failed;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, alloc_in_turns, &rounds), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(secret_in_use(), 0);
}

static void comparison_and_wiping_do_what_they_say(void **state)
{
	uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 4};

	(void)state;
	assert_true(secret_equal(a, b, 4));
	b[3] = 5;
	assert_false(secret_equal(a, b, 4));
	assert_true(secret_equal(a, b, 3));
	secret_wipe(a, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(a[i], 0);
	secret_wipe(NULL, 0);
	assert_int_equal(secret_random(a, SIZE_MAX), ERR_CRYPTO);
}

static void a_stopped_arena_can_start_again(void **state)
{
	(void)state;
	secret_stop();
	assert_int_equal(secret_start(), ERR_OK);
	assert_int_equal(secret_in_use(), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(start_forbids_cores_and_tracers),
	    cmocka_unit_test(the_arena_is_locked_and_neither_dumped_nor_inherited),
	    cmocka_unit_test(memory_is_zeroed_and_wiped_when_given_back),
	    cmocka_unit_test(runs_do_not_overlap_and_room_is_found_again),
	    cmocka_unit_test(the_arena_can_be_filled_and_no_more),
	    cmocka_unit_test(a_child_dies_on_its_parents_keys_and_has_memory_of_its_own),
	    cmocka_unit_test(guard_pages_stop_writes_past_the_arena),
	    cmocka_unit_test(a_foreign_pointer_is_not_taken_back),
	    cmocka_unit_test(threads_share_the_arena),
	    cmocka_unit_test(comparison_and_wiping_do_what_they_say),
	    cmocka_unit_test(a_stopped_arena_can_start_again),
	};

	if (argc == 2 && strcmp(argv[1], "free-twice") == 0) {
		signal(SIGABRT, SIG_DFL);
		free_twice(secret_alloc(32));
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}
