/* alg.c: one fetch a process of each algorithm. */
#include "crypto/alg_int.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

static struct alg algorithms;
static bool complete;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
	struct alg *a = &algorithms;

	a->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	a->ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	a->siv = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	a->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	a->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	complete = a->gcm && a->ecb && a->siv && a->hmac && a->sha256 && a->hkdf;
}

const struct alg *alg_get(void)
{
	if (pthread_once(&once, fetch_all) != 0 || !complete)
		return NULL;
	return &algorithms;
}
