/* backup_folder.h: a folder of backups of one vault:
 *
 *   manifest.json              what is here; replaced as a whole, so it is the old one or the new one
 *   data-TIME.dump             one a backup: the schema vault without the rows of customer_key
 *   customer_key-TIME.dump     the newest copy of customer_key, and no other
 *
 * The dumps are pg_dump's custom format. A file that the manifest does not name is what an interrupted run left, and
 * goes with the next one. SHA-256 tells damage; it does not tell a forger, who can write a manifest, too. */
#ifndef CTL_BACKUP_FOLDER_H
#define CTL_BACKUP_FOLDER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BACKUPS_MAX 1000
#define BACKUP_EPOCHS_MAX 64
#define BACKUP_NAME_MAX 64
#define BACKUP_VAULT_MAX 64

struct backup_part {
	char name[BACKUP_NAME_MAX]; /* empty: there is none */
	int64_t made_at_us;         /* what was committed by then is in it */
	int64_t size, rows;         /* rows: customers, or their keys */
	uint8_t sha256[32];
	int32_t schema;             /* number of the newest migration */
	int64_t position;           /* of the ledger, as the database knew it; 0: nobody had been erased */
	uint8_t hash[32];           /* of the ledger at this position */
};

struct backup_epoch {
	uint32_t epoch;
	int64_t keys; /* wrapped under it */
};

struct backup_manifest {
	char vault[BACKUP_VAULT_MAX]; /* empty: a new folder */
	struct backup_part keys;
	struct backup_epoch epochs[BACKUP_EPOCHS_MAX]; /* of keys */
	size_t n_epochs;
	struct backup_part data[BACKUPS_MAX]; /* oldest first */
	size_t n_data;
};

struct backup_folder {
	const char *path; /* borrowed */
	int fd;           /* locked as long as it is open */
};

enum backup_use { BACKUP_WRITE, BACKUP_READ };

/* Opens and locks (against another run that writes) the folder and reads its manifest. BACKUP_WRITE makes a missing one, of
 * mode 0700. ERR_IO; ERR_BUSY: another run; ERR_CONFLICT: it holds something else than backups; ERR_MALFORMED_JSON: the
 * manifest is damaged; each with a line in why. Owner of *m: caller (free). The folder is to be closed in any case. */
enum err backup_open(struct backup_folder *f, const char *path, enum backup_use use, struct backup_manifest **m, struct buf *why) MUST_CHECK;
void backup_close(struct backup_folder *f);
/* Puts m in the manifest's place, durably, and deletes the dumps that it does not name. */
enum err backup_commit(const struct backup_folder *f, const struct backup_manifest *m, struct buf *why) MUST_CHECK;
/* Parses a manifest. ERR_MALFORMED_JSON: it is none that backup_commit writes. */
enum err backup_parse(const void *text, size_t len, struct backup_manifest *m) MUST_CHECK;
void backup_print(const struct backup_manifest *m, struct buf *out);

#endif
