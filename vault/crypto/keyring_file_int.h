/* keyring_file_int.h: key files, one at a time: found, checked, read, put in place.
 *
 * why gets one line, which begins with the path. Any thread. */
#ifndef CRYPTO_KEYRING_FILE_INT_H
#define CRYPTO_KEYRING_FILE_INT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KEY_FILE_NAME_MAX 256

/* ERR_IO, with errno told. */
enum err key_file_error(struct buf *why, const char *path, const char *what) MUST_CHECK;
/* Opens the folder of path and checks it, and gives its last name (borrowed from path). Owner of *fd: caller. */
enum err key_folder_open(const char *path, int *fd, const char **name, struct buf *why) MUST_CHECK;
/* Reads a whole key file of at most `most` bytes into out, after all checks. */
enum err key_file_read(const char *path, uint8_t *out, size_t most, size_t *len, struct buf *why) MUST_CHECK;
/* Writes and syncs a file of this name in the folder; one that is there is replaced. path: for messages. */
enum err key_file_beside(int folder, const char *temporary, const char *path, const uint8_t *bytes, size_t len, mode_t mode,
                         struct buf *why) MUST_CHECK;
/* Puts a file in place in one step, under the folder's lock. With replace false an existing one is ERR_CONFLICT. */
enum err key_file_put(const char *path, const uint8_t *bytes, size_t len, mode_t mode, bool replace, struct buf *why) MUST_CHECK;
/* ERR_CONFLICT: it exists; hint says what to do. */
enum err key_file_absent(const char *path, const char *hint, struct buf *why) MUST_CHECK;

#endif
