/* witness.h: a witness of one log (C2SP tlog-witness): it cosigns a checkpoint
 * only when what it cosigned before is a beginning of it. Pure but for its state
 * file; one thread.
 *
 * The state file holds the last checkpoint with the log's signature and the
 * witness's own, or nothing before the first; it is on disk before a
 * cosignature leaves. Who loses the file loses the witness: without it the
 * witness would cosign a second history, so it does not start without one. */
#ifndef CTL_WITNESS_H
#define CTL_WITNESS_H

#include "crypto/tlog.h"

struct witness {
	struct note_key log, own;
	uint8_t *seed;        /* of own, in secret memory */
	const char *state;    /* path */
	struct checkpoint last; /* size 0 and the empty tree's root before the first */
	uint64_t last_time;   /* of the last cosignature, seconds since 1970 */
	struct buf note;      /* the state file's content */
	struct hash *hash;
};

struct witness_reply {
	unsigned status;
	const char *type; /* of the body */
	struct buf body;
};

/* Most bytes of a body that add-checkpoint takes. */
#define WITNESS_BODY_MAX (NOTE_MAX + 4096)

/* w has keys, seed and state set, the rest 0. fresh: the state file must not be there and is made; else it must
 * be, and be signed by both. ERR_CONFLICT, ERR_NOT_FOUND, ERR_SEAL, ERR_IO with one line in why. */
enum err witness_open(struct witness *w, bool fresh, struct buf *why) MUST_CHECK;
void witness_close(struct witness *w);

/* One request. now: seconds since 1970. reply->body is an empty buffer of the caller's. */
void witness_handle(struct witness *w, const char *method, const char *path, const void *body, size_t len, uint64_t now,
                    struct witness_reply *reply);

/* The key file: two lines, the verifier key of the cosignatures and "seed HEX". */
enum err witness_key_read(const char *text, size_t len, struct note_key *own, uint8_t seed[static SIGN_SEED_LEN]) MUST_CHECK;
enum err witness_key_write(const struct note_key *own, const uint8_t seed[static SIGN_SEED_LEN], struct buf *out) MUST_CHECK;

#endif
