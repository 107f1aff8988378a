/* secret.h: memory for keys: one arena, mlocked, MADV_DONTDUMP, wiped when
 * given back; and comparison and randomness for secrets. */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Once, at start, before threads: forbids core dumps and ptrace
 * (RLIMIT_CORE 0, PR_SET_DUMPABLE 0), maps the arena, runs the known-answer
 * tests of every primitive that the vault uses. ERR_MEMORY, ERR_CRYPTO. After
 * any change of user, which would make the process dumpable again.
 * A failed mlock (RLIMIT_MEMLOCK) is logged, not fatal. */
enum err secret_start(void) MUST_CHECK;
/* Wipes and unmaps the arena, whatever is still in use. */
void secret_stop(void);

/* len zeroed bytes that never reach swap or a core; NULL: no room (256 KiB in
 * all). Safe from any thread. A child of a fork does not inherit them: it dies
 * on touching one, rather than go on with a key of zeros. */
void *secret_alloc(size_t len);
/* Wipes and gives back; NULL is allowed. Aborts on a pointer that secret_alloc did not give. */
void secret_free(void *secret);
void secret_wipe(void *bytes, size_t len);
/* Constant time. */
bool secret_equal(const void *a, const void *b, size_t len);
/* Bytes from the OS-seeded DRBG of OpenSSL. ERR_CRYPTO. */
enum err secret_random(void *out, size_t len) MUST_CHECK;

#endif
