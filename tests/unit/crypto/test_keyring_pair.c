/* Root key and keyring as a pair: epochs added, turned, destroyed under a new root; backups; death at each system call. */
#include "crypto/keyring_int.h"
#include "crypto/secret.h"
#include "crypto/secret_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], keyring_path[128], root_path[128], backup_path[128], key_path[128];
static struct buf why;

static int set_up(void **state)
{
	(void)state;
	buf_init(&why, 0);
	if (secret_start() != ERR_OK)
		return -1;
	snprintf(folder, sizeof folder, "/tmp/keyring-pair-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(keyring_path, sizeof keyring_path, "%s/keyring", folder);
	snprintf(root_path, sizeof root_path, "%s/root", folder);
	snprintf(backup_path, sizeof backup_path, "%s/backup", folder);
	snprintf(key_path, sizeof key_path, "%s/backup-key", folder);
	return keyring_init(keyring_path, root_path, 1000000, &why) == ERR_OK ? 0 : -1;
}

static size_t count_files(bool and_remove)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		n++;
		if (and_remove)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	return n;
}

static int tear_down(void **state)
{
	const size_t kept = secret_in_use();

	(void)state;
	count_files(true);
	buf_fini(&why);
	secret_stop();
	return rmdir(folder) || kept != 0;
}

static struct keyring *opened(void)
{
	struct keyring *k;

	buf_reset(&why);
	if (keyring_open(keyring_path, root_path, &k, &why))
		fail_msg("%s", buf_string(&why));
	return k;
}

static void assert_epochs(const char *states)
{
	static const char letters[] = "parx"; /* pending, active, retiring, destroyed */
	struct keyring *k = opened();
	size_t n;
	const struct keyring_epoch *epochs = keyring_epochs(k, &n);

	assert_int_equal(n, strlen(states));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(letters[epochs[i].state], states[i]);
		assert_int_equal(keyring_kek(k, epochs[i].epoch) == NULL, states[i] == 'x');
	}
	keyring_free(k);
}

static void ok(enum err e)
{
	if (e)
		fail_msg("%s: %s", err_code(e), buf_string(&why));
	buf_reset(&why);
}

static void rotated(void)
{
	uint32_t epoch;

	ok(keyring_add_epoch(keyring_path, root_path, 100, &epoch, &why));
	assert_int_equal(epoch, 2);
	ok(keyring_turn(keyring_path, root_path, 2, 200, &why));
}

static void an_epoch_is_pending_then_active_and_the_other_retires(void **state)
{
	uint32_t epoch;
	struct keyring *k;
	size_t n;

	(void)state;
	ok(keyring_add_epoch(keyring_path, root_path, 100, &epoch, &why));
	assert_epochs("ap");
	ok(keyring_add_epoch(keyring_path, root_path, 100, &epoch, &why)); /* again: the same one */
	assert_int_equal(epoch, 2);
	assert_epochs("ap");
	ok(keyring_turn(keyring_path, root_path, 2, 200, &why));
	ok(keyring_turn(keyring_path, root_path, 2, 300, &why));
	assert_epochs("ra");
	k = opened();
	assert_int_equal(keyring_epochs(k, &n)[0].retired_at_us, 200);
	keyring_free(k);
	assert_int_equal(keyring_turn(keyring_path, root_path, 9, 300, &why), ERR_NO_EPOCH);
	assert_epochs("ra");
}

static void other_keys_survive_a_rotation_and_a_destruction(void **state)
{
	struct keyring *before = opened(), *after;
	uint64_t check, other;

	(void)state;
	rotated();
	ok(keyring_destroy(keyring_path, root_path, 1, &why));
	after = opened();
	assert_memory_equal(before->keys, after->keys, sizeof before->keys);
	assert_int_equal(keyring_index_bits(before), keyring_index_bits(after));
	assert_true(keyring_check(before, 1, &check) && keyring_check(after, 2, &other) && check != other);
	assert_false(keyring_check(after, 1, &check));
	keyring_free(before);
	keyring_free(after);
}

static void only_a_retiring_epoch_is_destroyed(void **state)
{
	uint32_t epoch;

	(void)state;
	assert_int_equal(keyring_destroy(keyring_path, root_path, 1, &why), ERR_NO_EPOCH);
	ok(keyring_add_epoch(keyring_path, root_path, 100, &epoch, &why));
	assert_int_equal(keyring_destroy(keyring_path, root_path, 2, &why), ERR_NO_EPOCH);
	assert_int_equal(keyring_destroy(keyring_path, root_path, 3, &why), ERR_NO_EPOCH);
	assert_epochs("ap");
}

/* The bytes of the old files are wanted after they are gone: through descriptors that were open. */
static void old_files_are_overwritten_and_the_old_root_opens_nothing_newer(void **state)
{
	static uint8_t old_root[KEY_LEN], new_file[KEYRING_FILE_MAX], was[64];
	uint8_t zeros[KEY_LEN] = {0};
	struct keyring *k;
	int root, keyring, now;
	ssize_t len;

	(void)state;
	rotated();
	ok(keyring_root(root_path, old_root, &why));
	root = open(root_path, O_RDONLY | O_CLOEXEC);
	keyring = open(keyring_path, O_RDONLY | O_CLOEXEC);
	assert_true(root >= 0 && keyring >= 0);
	ok(keyring_destroy(keyring_path, root_path, 1, &why));
	assert_int_equal(pread(root, was, KEY_LEN, 0), KEY_LEN);
	assert_memory_equal(was, zeros, KEY_LEN);
	assert_int_equal(pread(keyring, was, KEY_LEN, 16), KEY_LEN);
	assert_memory_equal(was, zeros, KEY_LEN);
	close(root);
	close(keyring);
	assert_int_equal(count_files(false), 2);
	now = open(keyring_path, O_RDONLY | O_CLOEXEC);
	len = read(now, new_file, sizeof new_file);
	close(now);
	assert_int_equal(keyring_unseal("FILE", new_file, (size_t)len, old_root, &k, &why), ERR_KEYRING);
	assert_epochs("xa");
}

/* ---- death ---- */

/* Runs destroy in a child that is killed at its nth system call. false: it ended before. */
static bool killed_at(size_t n, int (*work)(void))
{
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(9);
		raise(SIGSTOP);
		_exit(work());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return true;
}

static int destroy_one(void)
{
	return (int)keyring_destroy(keyring_path, root_path, 1, &why);
}

static int restore_backup(void)
{
	return (int)keyring_restore(keyring_path, root_path, backup_path, key_path, &why);
}

static void whoever_dies_at_any_system_call_leaves_a_pair_that_opens(void **state)
{
	size_t before = 0, after = 0, n = 0;
	bool dies = true;

	(void)state;
	while (dies) {
		struct keyring *k;

		count_files(true);
		ok(keyring_init(keyring_path, root_path, 1000000, &why));
		rotated();
		dies = killed_at(++n, destroy_one);
		k = opened();
		before += keyring_kek(k, 1) != NULL;
		after += keyring_kek(k, 1) == NULL;
		assert_non_null(keyring_kek(k, 2));
		keyring_free(k);
		ok(keyring_destroy(keyring_path, root_path, 1, &why));
		assert_epochs("xa");
		assert_int_equal(count_files(false), 2);
	}
	assert_true(n > 100 && before > 10 && after > 10); /* enter and exit of each call count */
}

static void a_change_after_a_death_finishes_what_was_begun(void **state)
{
	bool dies = true;

	(void)state;
	for (size_t n = 1; dies; n += 3) {
		uint32_t epoch;

		count_files(true);
		ok(keyring_init(keyring_path, root_path, 1000000, &why));
		rotated();
		dies = killed_at(n, destroy_one);
		ok(keyring_add_epoch(keyring_path, root_path, 300, &epoch, &why));
		assert_int_equal(epoch, 3);
		assert_int_equal(count_files(false), 2);
		ok(keyring_destroy(keyring_path, root_path, 1, &why));
		assert_epochs("xap");
	}
}

static void a_restore_that_dies_on_an_empty_machine_can_be_done_again(void **state)
{
	struct keyring *k;
	bool dies = true;

	(void)state;
	ok(keyring_backup(keyring_path, root_path, backup_path, key_path, &k, &why));
	keyring_free(k);
	for (size_t n = 1; dies; n += 2) {
		unlink(keyring_path);
		unlink(root_path);
		dies = killed_at(n, restore_backup);
		ok(restore_backup());
		assert_epochs("a");
		assert_int_equal(count_files(false), 4);
	}
}

/* ---- backups ---- */

static void a_backup_opens_with_its_own_key_alone(void **state)
{
	struct keyring *k, *again;
	struct stat st;
	uint64_t fingerprint;

	(void)state;
	ok(keyring_backup(keyring_path, root_path, backup_path, key_path, &k, &why));
	fingerprint = keyring_fingerprint(k);
	keyring_free(k);
	assert_int_equal(stat(backup_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(keyring_open(backup_path, root_path, &again, &why), ERR_KEYRING);
	ok(keyring_open(backup_path, key_path, &again, (buf_reset(&why), &why)));
	assert_true(keyring_fingerprint(again) == fingerprint);
	keyring_free(again);
}

static void a_backup_replaces_nothing_and_takes_another_key_than_the_root(void **state)
{
	struct keyring *k;

	(void)state;
	assert_int_equal(keyring_backup(keyring_path, root_path, backup_path, root_path, &k, &why), ERR_KEYRING);
	assert_int_equal(count_files(false), 2);
	ok(keyring_backup(keyring_path, root_path, backup_path, key_path, &k, (buf_reset(&why), &why)));
	keyring_free(k);
	assert_int_equal(keyring_backup(keyring_path, root_path, backup_path, key_path, &k, &why), ERR_CONFLICT);
	assert_null(k);
	assert_int_equal(keyring_backup(keyring_path, root_path, keyring_path, key_path, &k, &why), ERR_CONFLICT);
	assert_epochs("a");
}

static void a_restored_keyring_has_a_root_of_its_own_and_follows_the_one_that_is_there(void **state)
{
	uint8_t old_root[KEY_LEN], new_root[KEY_LEN];
	struct keyring *k;

	(void)state;
	ok(keyring_root(root_path, old_root, &why));
	rotated();
	ok(keyring_backup(keyring_path, root_path, backup_path, key_path, &k, &why));
	keyring_free(k);
	ok(restore_backup());
	assert_epochs("ra");
	ok(keyring_root(root_path, new_root, &why));
	assert_memory_not_equal(old_root, new_root, KEY_LEN);
	ok(keyring_destroy(keyring_path, root_path, 1, &why));
	assert_int_equal(restore_backup(), ERR_KEYRING); /* it would bring epoch 1 back */
	assert_non_null(strstr(buf_string(&why), "destroyed"));
	assert_epochs("xa");
}

static void a_keyring_of_another_vault_or_another_rotation_is_no_successor(void **state)
{
	struct keyring *a = opened(), *other, *one, *two;

	(void)state;
	ok(keyring_generate(1000000, 1, &other));
	assert_int_equal(keyring_succeeds(other, a, &why), ERR_KEYRING);
	ok(keyring_with_epoch(a, 5, &one));
	ok(keyring_with_epoch(a, 5, &two));
	ok(keyring_succeeds(one, a, (buf_reset(&why), &why)));
	assert_int_equal(keyring_succeeds(a, one, &why), ERR_KEYRING);
	assert_int_equal(keyring_succeeds(two, one, &why), ERR_KEYRING);
	keyring_free(a);
	keyring_free(other);
	keyring_free(one);
	keyring_free(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_epoch_is_pending_then_active_and_the_other_retires),
	    TEST(other_keys_survive_a_rotation_and_a_destruction),
	    TEST(only_a_retiring_epoch_is_destroyed),
	    TEST(old_files_are_overwritten_and_the_old_root_opens_nothing_newer),
	    TEST(whoever_dies_at_any_system_call_leaves_a_pair_that_opens),
	    TEST(a_change_after_a_death_finishes_what_was_begun),
	    TEST(a_restore_that_dies_on_an_empty_machine_can_be_done_again),
	    TEST(a_backup_opens_with_its_own_key_alone),
	    TEST(a_backup_replaces_nothing_and_takes_another_key_than_the_root),
	    TEST(a_restored_keyring_has_a_root_of_its_own_and_follows_the_one_that_is_there),
	    TEST(a_keyring_of_another_vault_or_another_rotation_is_no_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
