/* secret.c: one mapping between two guard pages, given out in runs of slots.
 *
 * The mapping is not inherited by a fork (MADV_DONTFORK): a child that touches
 * its parent's keys dies, where wiped pages would let it go on with keys of
 * zeros. A child that asks for secret memory gets a mapping of its own. */
#include "crypto/secret.h"

#include "base/log.h"
#include "crypto/secret_int.h"
#include "crypto/selftest_int.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLOTS (SECRET_ARENA / SECRET_SLOT)

static struct {
	pthread_mutex_t lock;
	uint8_t *base;        /* first byte between the guards; NULL: not mapped */
	uint16_t runs[SLOTS]; /* slots of the run that begins here; 0: none does */
	size_t used;          /* slots in use */
	bool forked;          /* pointers from before a fork may still be given back */
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static bool fork_watched;

static size_t guard_len(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void before_fork(void)
{
	pthread_mutex_lock(&arena.lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&arena.lock);
}

/* The hole that MADV_DONTFORK left is closed, so that no later mapping turns up under an old pointer. */
static void in_child(void)
{
	if (arena.base) {
		(void)!mmap(arena.base, SECRET_ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		arena.base = NULL;
		arena.used = 0;
		memset(arena.runs, 0, sizeof arena.runs);
		arena.forked = true;
	}
	pthread_mutex_unlock(&arena.lock);
}

static void watch_forks(void)
{
	fork_watched = pthread_atfork(before_fork, in_parent, in_child) == 0;
}

static void warn(const char *what)
{
	log_event(LOG_WARN, "secret_memory_unprotected", "call=%s reason=\"%s\"", what, strerror(errno));
}

static bool map_arena(void)
{
	const size_t guard = guard_len();
	uint8_t *all = mmap(NULL, SECRET_ARENA + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *base;

	if (all == MAP_FAILED)
		return false;
	base = all + guard;
	if (mprotect(base, SECRET_ARENA, PROT_READ | PROT_WRITE) != 0 ||
	    madvise(base, SECRET_ARENA, MADV_DONTFORK) != 0) {
		munmap(all, SECRET_ARENA + 2 * guard);
		return false;
	}
	if (mlock(base, SECRET_ARENA) != 0)
		warn("mlock");
	if (madvise(base, SECRET_ARENA, MADV_DONTDUMP) != 0)
		warn("madvise");
	arena.base = base;
	return true;
}

/* First run of n free slots, or SLOTS. */
static size_t find_room(size_t n)
{
	size_t free_from = 0;

	for (size_t i = 0; i < SLOTS;) {
		if (arena.runs[i]) {
			i += arena.runs[i];
			free_from = i;
		} else if (++i - free_from == n) {
			return free_from;
		}
	}
	return SLOTS;
}

void *secret_alloc(size_t len)
{
	const size_t n = len <= SECRET_ARENA ? (len + SECRET_SLOT - 1) / SECRET_SLOT : SLOTS + 1;
	void *at = NULL;
	size_t slot;

	if (n == 0 || n > SLOTS || pthread_once(&fork_once, watch_forks) != 0 || !fork_watched)
		return NULL;
	pthread_mutex_lock(&arena.lock);
	if (arena.base || map_arena()) {
		slot = find_room(n);
		if (slot < SLOTS) {
			arena.runs[slot] = (uint16_t)n;
			arena.used += n;
			at = arena.base + slot * SECRET_SLOT;
		}
	}
	pthread_mutex_unlock(&arena.lock);
	return at;
}

void secret_free(void *secret)
{
	const uintptr_t at = (uintptr_t)secret;
	uintptr_t base;
	size_t slot = SLOTS;

	if (!secret)
		return;
	pthread_mutex_lock(&arena.lock);
	base = (uintptr_t)arena.base;
	if (base && at >= base && at < base + SECRET_ARENA && (at - base) % SECRET_SLOT == 0)
		slot = (at - base) / SECRET_SLOT;
	if (slot < SLOTS && arena.runs[slot]) {
		OPENSSL_cleanse(secret, arena.runs[slot] * SECRET_SLOT);
		arena.used -= arena.runs[slot];
		arena.runs[slot] = 0;
	} else if (!arena.forked) {
		abort(); /* not ours, or given back twice: the program is broken */
	}
	pthread_mutex_unlock(&arena.lock);
}

size_t secret_in_use(void)
{
	size_t used;

	pthread_mutex_lock(&arena.lock);
	used = arena.used * SECRET_SLOT;
	pthread_mutex_unlock(&arena.lock);
	return used;
}

void secret_wipe(void *bytes, size_t len)
{
	if (len)
		OPENSSL_cleanse(bytes, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

enum err secret_random(void *out, size_t len)
{
	if (len <= INT32_MAX && RAND_priv_bytes(out, (int)len) == 1)
		return ERR_OK;
	ERR_clear_error();
	return ERR_CRYPTO;
}

/* A core or a tracer would see every key. */
static bool forbid_dumps(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return false;
#ifdef __SANITIZE_ADDRESS__
	return true; /* the leak checker traces the process at its end */
#else
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
}

enum err secret_start(void)
{
	void *probe;

	if (!forbid_dumps()) {
		log_event(LOG_ERROR, "secret_start_failed", "call=setrlimit/prctl reason=\"%s\"", strerror(errno));
		return ERR_CRYPTO;
	}
	probe = secret_alloc(1);
	if (!probe) {
		log_event(LOG_ERROR, "secret_start_failed", "call=mmap reason=\"%s\"", strerror(errno));
		return ERR_MEMORY;
	}
	secret_free(probe);
	return selftest_run(&selftest_answers);
}

void secret_stop(void)
{
	pthread_mutex_lock(&arena.lock);
	if (arena.base) {
		OPENSSL_cleanse(arena.base, SECRET_ARENA);
		munmap(arena.base - guard_len(), SECRET_ARENA + 2 * guard_len());
		arena.base = NULL;
		arena.used = 0;
		memset(arena.runs, 0, sizeof arena.runs);
	}
	pthread_mutex_unlock(&arena.lock);
}
