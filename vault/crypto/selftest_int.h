/* selftest_int.h: known-answer tests of every primitive, run at start. */
#ifndef CRYPTO_SELFTEST_INT_H
#define CRYPTO_SELFTEST_INT_H

#include "base/err.h"

#include <stdint.h>

/* Published answers. They are a parameter so that a test can show that each
 * one is really compared. */
struct selftest_answers {
	uint8_t gcm[60 + 16]; /* McGrew and Viega, test case 16: ciphertext, tag */
	uint8_t sha256[32];   /* FIPS 180-4: "abc" */
	uint8_t hmac[32];     /* RFC 4231, test case 2 */
	uint8_t hkdf[42];     /* RFC 5869, A.1 */
	uint8_t block[16];    /* NIST SP 800-38A, F.1.5, first block */
	uint8_t siv[16 + 20]; /* RFC 5297 with AES-256 and no associated data */
	uint8_t sign[64];     /* RFC 8032, 7.1, test 2 */
};
extern const struct selftest_answers selftest_answers;

/* ERR_CRYPTO where an answer is another, or decryption does not give the
 * question back or accepts a wrong tag; the log names the primitive. */
enum err selftest_run(const struct selftest_answers *answers) MUST_CHECK;

#endif
