/* restore_load.h: a backup's dumps into an empty database, as one transaction. */
#ifndef CTL_RESTORE_LOAD_H
#define CTL_RESTORE_LOAD_H

#include "vault/ctl/backup_folder.h"
#include "vault/ctl/backup_int.h"

/* Reads the part whole: is it what the manifest says? ERR_SEAL where not, ERR_IO, with a line in why. */
enum err restore_check(const struct backup_folder *f, const struct backup_part *p, struct buf *why) MUST_CHECK;
/* Schema and rows of data, then the rows of keys, then the mark that the restore has not ended: all of it or nothing,
 * whoever dies meanwhile. ERR_IO with a line in why; the programs say more on standard error. */
enum err restore_load(struct backup_run *run, const struct backup_folder *f, const struct backup_part *data, const struct backup_part *keys) MUST_CHECK;

#endif
