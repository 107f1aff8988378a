/* program.c: pipes to and from PostgreSQL's programs. */
#include "vault/ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* more, then what of our environment it does not set. Strings are borrowed. */
static char **environment(char *const *more)
{
	size_t n_more = 0, n_own = 0, n = 0;
	char **all;

	while (more && more[n_more])
		n_more++;
	while (environ[n_own])
		n_own++;
	all = calloc(n_more + n_own + 1, sizeof *all);
	for (size_t i = 0; all && i < n_more; i++)
		all[n++] = more[i];
	for (size_t i = 0; all && i < n_own; i++) {
		const size_t name_len = strcspn(environ[i], "=") + 1;
		size_t k = 0;

		while (k < n_more && strncmp(more[k], environ[i], name_len) != 0)
			k++;
		if (k == n_more)
			all[n++] = environ[i];
	}
	return all;
}

enum err program_start(struct program *p, enum program_pipe direction, const char *const *argv, char *const *more, struct buf *why)
{
	const int theirs = direction == PROGRAM_READ ? 1 : 0;
	char **env = environment(more);
	posix_spawn_file_actions_t actions;
	int ends[2], failed;

	*p = (struct program){.name = argv[0], .fd = -1};
	if (!env || pipe2(ends, O_CLOEXEC)) {
		free(env);
		buf_printf(why, "%s: no pipe", argv[0]);
		return ERR_IO;
	}
	posix_spawn_file_actions_init(&actions);
	failed = posix_spawn_file_actions_adddup2(&actions, ends[theirs], theirs);
	if (!failed) {
		char *const *words;

		memcpy(&words, &argv, sizeof words); /* posix_spawn changes none of them */
		failed = posix_spawnp(&p->pid, argv[0], &actions, NULL, words, env);
	}
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	close(ends[theirs]);
	p->fd = ends[1 - theirs];
	if (!failed)
		return ERR_OK;
	close(p->fd);
	*p = (struct program){.name = argv[0], .fd = -1};
	buf_printf(why, "%s: %s (is PostgreSQL's client installed, and in PATH?)", argv[0], strerror(failed));
	return ERR_IO;
}

enum err program_read(struct program *p, void *room, size_t len, size_t *got, struct buf *why)
{
	ssize_t n;

	do
		n = read(p->fd, room, len);
	while (n < 0 && errno == EINTR);
	*got = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		return ERR_OK;
	buf_printf(why, "%s: %s", p->name, strerror(errno));
	return ERR_IO;
}

enum err program_write(struct program *p, const void *bytes, size_t len, struct buf *why)
{
	while (len) {
		const ssize_t n = write(p->fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			buf_printf(why, "%s: %s", p->name, errno == EPIPE ? "it ended too early" : strerror(errno));
			return ERR_IO;
		}
		bytes = (const char *)bytes + n;
		len -= (size_t)n;
	}
	return ERR_OK;
}

static int wait_for(struct program *p)
{
	int status = 0;

	if (p->pid && p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	while (p->pid && waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	return status;
}

enum err program_end(struct program *p, struct buf *why)
{
	const int status = wait_for(p);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ERR_OK;
	if (!why->len)
		buf_printf(why, "%s failed", p->name);
	return ERR_IO;
}

void program_kill(struct program *p)
{
	if (p->pid)
		kill(p->pid, SIGKILL);
	wait_for(p);
}
