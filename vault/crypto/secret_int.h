/* secret_int.h: what tests look at. */
#ifndef CRYPTO_SECRET_INT_H
#define CRYPTO_SECRET_INT_H

#include <stddef.h>

#define SECRET_ARENA ((size_t)256 << 10)
#define SECRET_SLOT ((size_t)64)

/* Bytes in use, in whole slots. */
size_t secret_in_use(void);

#endif
