/* slice.h: customers in 4,096 slices, so that the rows of one can be held against the audit log in one short
 * transaction. A slice is the top twelve bits of the customer's id; they are a MAC of its sref, so the log's
 * records fall into the same slices, and nobody without the keyring can tell which.
 *
 * The sum of a slice is the sum, modulo 2^64 twice, of a MAC of (sref, version, SHA-256 of the row) over its
 * customers. Each write's record says what it wrote and what it replaced, so the log gives the same sum: what a
 * write adds, less what it took away. A row that was changed, rolled back, removed or added makes them differ. */
#ifndef APP_SLICE_H
#define APP_SLICE_H

#include "crypto/mac.h"
#include "store/reads.h"
#include "vault/app/customer.h"

#define SLICES 4096u
#define SLICE_SHIFT 51

struct slice_sum {
	uint64_t a, b;
};

/* mac: under KEYRING_AUDIT_MAC. */
enum err slice_of(struct mac *mac, const uint8_t sref[static SREF_LEN], uint32_t *slice) MUST_CHECK;
/* Puts a random id into the slice of its customer. */
int64_t slice_id(uint32_t slice, int64_t random);
uint32_t slice_of_id(int64_t id);
enum err slice_add(struct mac *mac, struct slice_sum *sum, const uint8_t sref[static SREF_LEN], uint32_t version,
                   const uint8_t row_sha256[static 32]) MUST_CHECK;
enum err slice_take(struct mac *mac, struct slice_sum *sum, const uint8_t sref[static SREF_LEN], uint32_t version,
                    const uint8_t row_sha256[static 32]) MUST_CHECK;

/* What audit records call row_sha256: SHA-256 over the columns header and fields as stored. */
enum err slice_row_sha256(const struct customer_row *row, uint8_t out[static 32]) MUST_CHECK;

#endif
