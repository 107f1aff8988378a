/* backup_run.c: configuration, exit codes and progress of backup and restore. */
#include "vault/ctl/backup_int.h"

#include "ctl/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool backup_run_begin(const struct arguments *a, struct backup_run *r)
{
	*r = (struct backup_run){.environment = NULL};
	buf_init(&r->why, 0);
	umask(077);               /* dumps are for their owner alone */
	signal(SIGPIPE, SIG_IGN); /* a program that ended early is an error of the write */
	if (config_load(&r->config, arguments_option(a, "config"), &r->why) != ERR_OK) {
		fputs(r->why.len ? buf_string(&r->why) : "error: out of memory\n", stderr);
		return false;
	}
	if (!*r->config.migrate_url) {
		complain(CTL_USAGE, "no database is named: set VAULT_MIGRATE_URL, or give --config");
		return false;
	}
	if (db_environment(r->config.migrate_url, &r->environment)) {
		complain(CTL_USAGE, "VAULT_MIGRATE_URL can't be read (postgresql://... or key=value pairs)");
		return false;
	}
	return true;
}

void backup_run_end(struct backup_run *r)
{
	db_environment_free(r->environment);
	config_fini(&r->config);
	buf_fini(&r->why);
}

int backup_failed(struct backup_run *r, enum err e)
{
	const int code = e == ERR_CONFLICT || e == ERR_BUSY || e == ERR_LEDGER ? CTL_REFUSED
	                 : e == ERR_UNAVAILABLE                                 ? CTL_UNREACHED
	                 : e == ERR_MALFORMED_JSON || e == ERR_SEAL             ? CTL_FAILED
	                                                                        : CTL_SERVER;

	return complain(code, "%s", r->why.len ? buf_string(&r->why) : err_text(e));
}

void backup_size(int64_t bytes, char out[static 24])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 1000 && unit < 4) {
		n /= 1000;
		unit++;
	}
	snprintf(out, 24, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void backup_progress(const char *what, int64_t bytes, bool end)
{
	static int64_t shown;
	char size[24];

	if (!isatty(STDERR_FILENO) || (!end && bytes - shown < 1000000 && shown <= bytes))
		return;
	shown = bytes;
	backup_size(bytes, size);
	fprintf(stderr, "\r%s: %-12s%s", what, size, end ? "\n" : "");
}
