/* restore_load.c: pg_restore turns each dump into SQL, and one psql runs it all between a BEGIN and a COMMIT of ours. (Its
 * option for one transaction would commit what it has when its input ends, also where we have died.) */
#include "vault/ctl/restore_load.h"

#include "crypto/mac.h"
#include "vault/ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536
#define PATH_ROOM 4352

static enum err hash_file(int fd, const char *name, int64_t *size, uint8_t sha256[static 32])
{
	uint8_t piece[PIECE];
	struct hash *hash = NULL;
	ssize_t n = 1;
	enum err e = hash_new(&hash);

	*size = 0;
	while (!e && n) {
		n = read(fd, piece, sizeof piece);
		if (n < 0)
			e = errno == EINTR ? ERR_OK : ERR_IO;
		else
			e = hash_add(hash, piece, (size_t)n);
		*size += n > 0 ? n : 0;
		backup_progress(name, *size, n == 0);
	}
	if (!e)
		e = hash_end(hash, sha256);
	hash_free(hash);
	return e;
}

enum err restore_check(const struct backup_folder *f, const struct backup_part *p, struct buf *why)
{
	const int fd = openat(f->fd, p->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t sha256[32];
	int64_t size = 0;
	enum err e = fd < 0 ? ERR_IO : hash_file(fd, "checking", &size, sha256);

	if (e)
		buf_printf(why, "%s/%s: %s", f->path, p->name, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!e && (size != p->size || memcmp(sha256, p->sha256, sizeof sha256) != 0)) {
		buf_printf(why, "%s/%s is damaged: it is not what the manifest says", f->path, p->name);
		e = ERR_SEAL;
	}
	return e;
}

static enum err feed(struct backup_run *run, struct program *psql, const struct backup_folder *f, const struct backup_part *p)
{
	char path[PATH_ROOM];
	const char *const argv[] = {"pg_restore", "--no-owner", "--file=-", path, NULL};
	struct program from;
	uint8_t piece[PIECE];
	size_t got = 1;
	int64_t fed = 0;
	enum err e;

	snprintf(path, sizeof path, "%s/%s", f->path, p->name);
	e = program_start(&from, PROGRAM_READ, argv, run->environment, &run->why);
	if (e)
		return e;
	while (!e && got) {
		e = program_read(&from, piece, sizeof piece, &got, &run->why);
		if (!e)
			e = program_write(psql, piece, got, &run->why);
		fed += (int64_t)got;
		backup_progress("loading", fed, got == 0);
	}
	if (e)
		program_kill(&from);
	else
		e = program_end(&from, &run->why);
	return e;
}

static enum err say(struct backup_run *run, struct program *psql, const char *sql)
{
	return program_write(psql, sql, strlen(sql), &run->why);
}

enum err restore_load(struct backup_run *run, const struct backup_folder *f, const struct backup_part *data, const struct backup_part *keys)
{
	static const char *const argv[] = {"psql",        "--no-psqlrc", "--quiet",           "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
	                                   "--set=SHOW_CONTEXT=never", "--output=/dev/null", "--file=-", NULL};
	char mark[160];
	struct program psql;
	enum err e = program_start(&psql, PROGRAM_WRITE, argv, run->environment, &run->why);

	if (e)
		return e;
	snprintf(mark, sizeof mark, "UPDATE vault.vault_identity SET restoring = '%s';\n", data->name); /* a name of backup_parse */
	e = say(run, &psql, "BEGIN;\n");
	if (!e)
		e = feed(run, &psql, f, data);
	if (!e)
		e = say(run, &psql, mark);
	if (!e)
		e = feed(run, &psql, f, keys);
	if (!e)
		e = say(run, &psql, "COMMIT;\n");
	if (e)
		program_kill(&psql); /* the server rolls back */
	else
		e = program_end(&psql, &run->why);
	return e;
}
