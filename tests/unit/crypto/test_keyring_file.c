/* Root key and keyring as files: checks, replacement, death in between. */
#include "base/clock.h"
#include "crypto/keyring_int.h"
#include "crypto/secret.h"
#include "crypto/secret_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char folder[64], keyring_path[128], root_path[128];
static struct buf why;

/* Each test has a folder with a fresh keyring and root key. */
static int set_up(void **state)
{
	(void)state;
	buf_init(&why, 0);
	if (secret_start() != ERR_OK)
		return -1;
	snprintf(folder, sizeof folder, "/tmp/keyring-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(keyring_path, sizeof keyring_path, "%s/keyring", folder);
	snprintf(root_path, sizeof root_path, "%s/root", folder);
	return keyring_init(keyring_path, root_path, 1000000, &why) == ERR_OK && why.len == 0 ? 0 : -1;
}

/* Names in the folder but for "." and "..", which it can also remove. */
static size_t count_files(bool and_remove)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (and_remove)
			unlinkat(dirfd(d), e->d_name, e->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	}
	closedir(d);
	return n;
}

static int tear_down(void **state)
{
	const size_t kept = secret_in_use();

	(void)state;
	chmod(folder, 0700);
	count_files(true);
	buf_fini(&why);
	secret_stop();
	return rmdir(folder) || kept != 0;
}

static size_t read_bytes(const char *path, uint8_t *out, size_t room)
{
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, room, f);
	fclose(f);
	return n;
}

/* Over what is there, mode and all. */
static void write_bytes(const char *path, const uint8_t *bytes, size_t len)
{
	const int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static uint64_t open_fingerprint(void)
{
	struct keyring *k;
	uint64_t fingerprint;

	buf_reset(&why);
	assert_int_equal(keyring_open(keyring_path, root_path, &k, &why), ERR_OK);
	assert_int_equal(why.len, 0);
	fingerprint = keyring_fingerprint(k);
	keyring_free(k);
	return fingerprint;
}

static void assert_line(const char *path, const char *word)
{
	assert_int_equal(strncmp(buf_string(&why), path, strlen(path)), 0);
	assert_int_equal(buf_string(&why)[strlen(path)], ':');
	assert_null(strchr(buf_string(&why), '\n'));
	assert_non_null(strstr(buf_string(&why), word));
	buf_reset(&why);
}

static void assert_refused(enum err want, const char *path, const char *word)
{
	struct keyring *k;

	buf_reset(&why);
	assert_int_equal(keyring_open(keyring_path, root_path, &k, &why), want);
	assert_null(k);
	assert_line(path, word);
}

static void init_makes_two_files_that_open(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(root_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(st.st_size, KEY_LEN);
	assert_int_equal(stat(keyring_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(open_fingerprint() == open_fingerprint());
	assert_int_equal(count_files(false), 2);
}

static void init_touches_nothing_that_exists(void **state)
{
	uint8_t before[2][512], after[2][512];
	const size_t keyring_len = read_bytes(keyring_path, before[0], 512);

	(void)state;
	assert_int_equal(read_bytes(root_path, before[1], 512), KEY_LEN);
	assert_int_equal(keyring_init(keyring_path, root_path, 1000, &why), ERR_CONFLICT);
	assert_line(keyring_path, "exists");
	assert_int_equal(read_bytes(keyring_path, after[0], 512), keyring_len);
	assert_int_equal(read_bytes(root_path, after[1], 512), KEY_LEN);
	assert_memory_equal(before[0], after[0], keyring_len);
	assert_memory_equal(before[1], after[1], KEY_LEN);
	assert_int_equal(unlink(keyring_path), 0);
	assert_int_equal(keyring_init(keyring_path, root_path, 1000, &why), ERR_CONFLICT);
	assert_line(root_path, "exists");
	assert_int_equal(count_files(false), 1);
}

static void an_init_that_fails_leaves_nothing(void **state)
{
	char nowhere[160];

	(void)state;
	count_files(true);
	snprintf(nowhere, sizeof nowhere, "%s/none/keyring", folder);
	assert_int_equal(keyring_init(nowhere, root_path, 1000, &why), ERR_IO);
	assert_line(nowhere, "folder");
	assert_int_equal(count_files(false), 0);
	assert_int_equal(keyring_init(keyring_path, folder, 1000, &why), ERR_CONFLICT);
	buf_reset(&why);
	snprintf(nowhere, sizeof nowhere, "%s/", folder);
	assert_int_equal(keyring_init(keyring_path, nowhere, 1000, &why), ERR_CONFLICT);
	buf_reset(&why);
	assert_int_equal(keyring_init(root_path, root_path, 1000, &why), ERR_CONFLICT);
	assert_int_equal(count_files(false), 0);
}

static void a_missing_file_says_what_to_do(void **state)
{
	(void)state;
	assert_int_equal(unlink(keyring_path), 0);
	assert_refused(ERR_IO, keyring_path, "key init");
	assert_int_equal(unlink(root_path), 0);
	assert_refused(ERR_IO, root_path, "key init");
}

static void each_changed_byte_on_disk_is_found(void **state)
{
	uint8_t bytes[512];
	const size_t len = read_bytes(keyring_path, bytes, sizeof bytes);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 0xff;
		write_bytes(keyring_path, bytes, len);
		bytes[i] ^= 0xff;
		assert_refused(ERR_KEYRING, keyring_path, i < 8 ? "version" : i < 16 ? "another root" : "damaged");
	}
	for (size_t cut = 0; cut < len; cut++) {
		write_bytes(keyring_path, bytes, cut);
		assert_refused(ERR_KEYRING, keyring_path, "restore it");
	}
	write_bytes(keyring_path, bytes, len);
	open_fingerprint();
}

static void a_changed_or_cut_root_key_is_found(void **state)
{
	uint8_t bytes[KEY_LEN + 2] = {0};

	(void)state;
	assert_int_equal(read_bytes(root_path, bytes, sizeof bytes), KEY_LEN);
	assert_int_equal(chmod(root_path, 0600), 0);
	for (size_t i = 0; i < KEY_LEN; i++) {
		bytes[i] ^= 1;
		write_bytes(root_path, bytes, KEY_LEN);
		bytes[i] ^= 1;
		assert_refused(ERR_KEYRING, keyring_path, "another root key");
	}
	for (size_t len = 0; len <= KEY_LEN + 2; len++) {
		if (len == KEY_LEN)
			continue;
		write_bytes(root_path, bytes, len);
		assert_refused(ERR_KEYRING, root_path, len > KEY_LEN + 1 ? "34 bytes" : "a root key has 32 bytes");
	}
}

static void a_mode_that_lets_others_in_is_refused(void **state)
{
	static const mode_t bad[] = {0404, 0440, 0640, 0644, 0602, 0620, 0700, 0500, 0666, 0777, 04600, 02600, 01600};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(chmod(root_path, bad[i]), 0);
		assert_refused(ERR_KEYRING, root_path, "chmod");
		assert_int_equal(chmod(root_path, 0400), 0);
		assert_int_equal(chmod(keyring_path, bad[i]), 0);
		assert_refused(ERR_KEYRING, keyring_path, "chmod");
		assert_int_equal(chmod(keyring_path, 0600), 0);
	}
	assert_int_equal(chmod(root_path, 0600), 0);
	assert_int_equal(chmod(keyring_path, 0400), 0);
	open_fingerprint();
}

static void a_folder_that_others_may_write_is_refused(void **state)
{
	(void)state;
	assert_int_equal(chmod(folder, 0770), 0);
	assert_refused(ERR_KEYRING, root_path, "chmod go-w");
	assert_int_equal(chmod(folder, 0702), 0);
	assert_refused(ERR_KEYRING, root_path, "chmod go-w");
	assert_int_equal(chmod(folder, 01777), 0);
	open_fingerprint();
	assert_int_equal(chmod(folder, 0755), 0);
	open_fingerprint();
}

static void only_our_own_or_roots_files_are_taken(void **state)
{
	(void)state;
	assert_true(keyring_owner_fits(1000, 1000));
	assert_true(keyring_owner_fits(0, 1000));
	assert_false(keyring_owner_fits(1001, 1000));
	assert_false(keyring_owner_fits(1000, 0));
	if (geteuid() != 0)
		return; /* only root can give a file away to show the rest */
	assert_int_equal(chown(keyring_path, 12345, (gid_t)-1), 0);
	assert_refused(ERR_KEYRING, keyring_path, "uid 12345");
	assert_int_equal(chown(root_path, 12345, (gid_t)-1), 0);
	assert_refused(ERR_KEYRING, root_path, "uid 12345");
	assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
	assert_refused(ERR_KEYRING, root_path, "folder belongs to uid 12345");
	assert_int_equal(chown(folder, 0, (gid_t)-1), 0);
}

static void links_folders_and_fifos_are_refused(void **state)
{
	char real[160];

	(void)state;
	snprintf(real, sizeof real, "%s/real", folder);
	assert_int_equal(rename(keyring_path, real), 0);
	assert_int_equal(symlink("real", keyring_path), 0);
	assert_refused(ERR_KEYRING, keyring_path, "symbolic link");
	assert_int_equal(unlink(keyring_path), 0);
	assert_int_equal(mkdir(keyring_path, 0600), 0);
	assert_refused(ERR_KEYRING, keyring_path, "not a regular file");
	assert_int_equal(rmdir(keyring_path), 0);
	assert_int_equal(mkfifo(keyring_path, 0600), 0);
	assert_refused(ERR_KEYRING, keyring_path, "not a regular file");
	assert_int_equal(unlink(keyring_path), 0);
	assert_int_equal(rename(real, keyring_path), 0);
	open_fingerprint();
}

static void a_file_too_long_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(truncate(keyring_path, KEYRING_FILE_MAX + 1), 0);
	assert_refused(ERR_KEYRING, keyring_path, "more than such a file");
}

/* From here on a call of this number kills the process before it has any effect. */
static bool die_at(long number)
{
	struct sock_filter steps[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {COUNT(steps), steps};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void a_writer_that_dies_at_any_step_leaves_the_old_keyring(void **state)
{
	static const long steps[] = {SYS_flock, SYS_unlinkat, SYS_fchmod, SYS_write, SYS_fsync, SYS_renameat};
	const uint64_t before = open_fingerprint();

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		int status;
		const pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			uint8_t root[KEY_LEN];
			struct keyring *k;

			if (keyring_root(root_path, root, &why) || keyring_generate(1000, 1, &k) || !die_at(steps[i]))
				_exit(1);
			_exit(keyring_write(k, keyring_path, root, true, &why) == ERR_OK ? 2 : 3);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		assert_true(open_fingerprint() == before);
	}
}

/* In a child: writes two keyrings in turn for ever, after telling their fingerprints. */
static void rewrite_for_ever(int tell)
{
	uint8_t *root = secret_alloc(KEY_LEN);
	struct keyring *k[2];
	uint64_t fingerprints[2];

	if (!root || keyring_root(root_path, root, &why) != ERR_OK)
		_exit(1);
	for (size_t i = 0; i < 2; i++) {
		if (keyring_generate(1000, 1, &k[i]) != ERR_OK)
			_exit(2);
		fingerprints[i] = keyring_fingerprint(k[i]);
	}
	if (write(tell, fingerprints, sizeof fingerprints) != sizeof fingerprints)
		_exit(3);
	for (size_t i = 0;; i++)
		if (keyring_write(k[i % 2], keyring_path, root, true, &why) != ERR_OK)
			_exit(4);
}

static pid_t start_writer(uint64_t fingerprints[static 2])
{
	int pipes[2];
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		rewrite_for_ever(pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], fingerprints, 16), 16);
	close(pipes[0]);
	return child;
}

static void kill_writer(pid_t child)
{
	int status;

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#define KILLS 100

static int64_t time_of_a_write(void)
{
	uint8_t root[KEY_LEN];
	struct keyring *k;
	int64_t from;

	assert_int_equal(keyring_root(root_path, root, &why), ERR_OK);
	assert_int_equal(keyring_open(keyring_path, root_path, &k, &why), ERR_OK);
	from = clock_mono_us();
	for (int i = 0; i < 4; i++)
		assert_int_equal(keyring_write(k, keyring_path, root, true, &why), ERR_OK);
	keyring_free(k);
	return (clock_mono_us() - from) / 4 + 1;
}

static void a_killed_writer_leaves_one_whole_keyring(void **state)
{
	uint64_t before = open_fingerprint();
	uint64_t fingerprints[2];
	int64_t lifetime_us = time_of_a_write();
	size_t replaced = 0, kept = 0;
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < KILLS; i++) {
		const pid_t child = start_writer(fingerprints);
		uint64_t after;

		usleep((useconds_t)(rand_r(&seed) % (lifetime_us + 1)));
		kill_writer(child);
		after = open_fingerprint();
		assert_true(after == before || after == fingerprints[0] || after == fingerprints[1]);
		if (after == before) {
			kept++;
			lifetime_us = lifetime_us * 5 / 4 + 1;
		} else {
			replaced++;
			lifetime_us = lifetime_us * 4 / 5;
		}
		assert_true(count_files(false) <= 3); /* one leftover at most, which the next writer removes */
		before = after;
	}
	assert_true(replaced > 0 && kept > 0); /* else no kill came in the middle */
}

static void two_writers_do_not_mix(void **state)
{
	uint64_t fingerprints[4];
	const pid_t one = start_writer(fingerprints), two = start_writer(fingerprints + 2);
	const uint64_t before = open_fingerprint();

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		const uint64_t now = open_fingerprint();

		assert_true(now == before || now == fingerprints[0] || now == fingerprints[1] || now == fingerprints[2] ||
		            now == fingerprints[3]);
		usleep(500);
	}
	kill_writer(one);
	kill_writer(two);
	open_fingerprint();
}

static void a_leftover_of_a_dead_writer_does_not_hinder(void **state)
{
	char leftover[160];
	uint8_t root[KEY_LEN];
	struct keyring *k;

	(void)state;
	snprintf(leftover, sizeof leftover, "%s/.keyring.new", folder);
	write_bytes(leftover, (const uint8_t *)"half", 4);
	assert_int_equal(keyring_root(root_path, root, &why), ERR_OK);
	assert_int_equal(keyring_generate(1000, 1, &k), ERR_OK);
	assert_int_equal(keyring_write(k, keyring_path, root, true, &why), ERR_OK);
	assert_true(open_fingerprint() == keyring_fingerprint(k));
	assert_int_equal(count_files(false), 2);
	assert_int_equal(keyring_write(k, keyring_path, root, false, &why), ERR_CONFLICT);
	assert_line(keyring_path, "exists");
	assert_int_equal(count_files(false), 2);
	keyring_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(init_makes_two_files_that_open, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(init_touches_nothing_that_exists, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_init_that_fails_leaves_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_missing_file_says_what_to_do, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(each_changed_byte_on_disk_is_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_changed_or_cut_root_key_is_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_mode_that_lets_others_in_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_folder_that_others_may_write_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_our_own_or_roots_files_are_taken, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(links_folders_and_fifos_are_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_too_long_is_not_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_writer_that_dies_at_any_step_leaves_the_old_keyring, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_killed_writer_leaves_one_whole_keyring, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(two_writers_do_not_mix, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_leftover_of_a_dead_writer_does_not_hinder, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
