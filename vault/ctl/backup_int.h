/* backup_int.h: what backup and restore share. */
#ifndef CTL_BACKUP_INT_H
#define CTL_BACKUP_INT_H

#include "base/config.h"
#include "ctl/arguments.h"
#include "db/connection.h"

/* A run of either command: where the database is. */
struct backup_run {
	struct config config;
	char **environment; /* of PostgreSQL's programs */
	struct buf why;
};
/* Reads --config; false where that fails or no database is named: it has been said. backup_run_end in any case. */
bool backup_run_begin(const struct arguments *a, struct backup_run *r);
void backup_run_end(struct backup_run *r);
/* e as an exit code, with why on standard error. */
int backup_failed(struct backup_run *r, enum err e);

/* "data: 120 MB" on standard error, over the line before, where people look at it; end: the line is done. */
void backup_progress(const char *what, int64_t bytes, bool end);
/* 1536 as "1.5 kB". */
void backup_size(int64_t bytes, char out[static 24]);

#endif
