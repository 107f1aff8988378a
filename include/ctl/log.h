/* log.h: where a log lies and the keys that it is checked with: what the audit
 * commands that need no vault share. All say on standard error what is wrong. */
#ifndef CTL_LOG_H
#define CTL_LOG_H

#include "ctl/commands.h"
#include "ctl/verify.h"

/* A verifier key: its text, or the path of a file whose first line is one. */
bool log_key(const char *given, const char *option, enum note_type type, struct note_key *out);
/* --log, --witnesses and --quorum. Without --quorum all of the witnesses must have cosigned. */
bool log_keys(const struct arguments *a, struct verify_keys *out);
/* A file that holds a checkpoint of the log, signed by its key. */
bool log_checkpoint_file(const char *path, const struct verify_keys *keys, struct checkpoint *out);

/* Is it an address, else a directory? */
bool log_is_url(const char *where);

/* A log in a directory. Symbolic links are not followed, and what is no regular file is not there. */
struct log_folder {
	int fd;
};
bool log_folder_open(const char *path, struct log_folder *f);
struct log_source log_folder_source(struct log_folder *f);
void log_folder_close(struct log_folder *f);

/* A log at a URL, over mutual TLS as all commands. code: why it could not be read. */
struct log_remote {
	const struct arguments *a;
	const char *url;
	const char *number; /* of an older log of the vault, or NULL */
	int code;
};
struct log_source log_remote_source(struct log_remote *r);

/* "error: NAME at record N: TEXT; WHAT" on standard error, or with --json an object on standard output.
 * Returns CTL_FAILED. */
int log_tell_fault(const struct arguments *a, const struct verify_fault *fault);

/* ---- file.c ---- */

/* Puts a file in the place of path, whole or not at all, on disk when it returns. False with a line in why. */
bool file_replace(const char *path, const void *bytes, size_t len, struct buf *why);
/* The same below a directory, without waiting for the disk; makes folders that are missing. */
bool file_put_at(int folder, const char *path, const void *bytes, size_t len, struct buf *why);
/* Takes path + ".lock" for this process, until it ends. False with a line in why. */
bool file_lock(const char *path, struct buf *why);

#endif
