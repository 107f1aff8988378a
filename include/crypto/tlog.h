/* tlog.h: the texts of a transparency log, as C2SP has them: checkpoints
 * (tlog-checkpoint), paths of tiles (tlog-tiles), proofs (tlog-proof) and the
 * request to a witness (tlog-witness). Readers take what comes from anywhere,
 * accept one text for each meaning, and answer ERR_MALFORMED to all else. Any thread. */
#ifndef CRYPTO_TLOG_H
#define CRYPTO_TLOG_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/merkle.h"
#include "crypto/note.h"

#include <stdbool.h>

/* What a checkpoint says. Extension lines are read past and never written. */
struct checkpoint {
	char origin[NOTE_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[MERKLE_HASH_LEN];
};
/* The text of the note, which checkpoint_read takes. It is the caller's to have it signed or verified. */
void checkpoint_write(const struct checkpoint *c, struct buf *out);
enum err checkpoint_read(const char *text, size_t len, struct checkpoint *out) MUST_CHECK;
/* Parses a whole note, verifies the key's signature, reads the text, and compares the origin with
 * the key's name: what a client does with a checkpoint. ERR_MALFORMED, ERR_NOT_FOUND (not signed by
 * that key), ERR_SEAL. note may be NULL; it borrows bytes. */
enum err checkpoint_open(const char *bytes, size_t len, const struct note_key *key, struct note *note,
                         struct checkpoint *out) MUST_CHECK;

/* A tile, by what stands behind "tile/" in its path: 0/x001/234.p/17, entries/000. */
struct tlog_tile {
	bool entries;   /* of entries, else of hashes */
	unsigned level; /* of tiles, 0 to 63; 0 for entries */
	uint64_t index;
	unsigned width; /* 1 to 256; below 256: a partial one */
};
#define TLOG_TILE_TEXT_MAX 64
void tlog_tile_write(const struct tlog_tile *t, char out[static TLOG_TILE_TEXT_MAX]);
enum err tlog_tile_read(const char *text, size_t len, struct tlog_tile *out) MUST_CHECK;

/* A proof that an entry is in the tree of a checkpoint. Reading borrows note, the checkpoint's
 * whole note, from the text; its lines of signature are not looked at. extra is not proven by it; a longer one than
 * there is room for is read past. */
#define TLOG_EXTRA_MAX 64
struct tlog_proof {
	uint8_t extra[TLOG_EXTRA_MAX]; /* bytes for the reader; the vault's: the leaf hash of the record */
	size_t extra_len;
	uint64_t index;
	struct merkle_proof path;
	const char *note;
	size_t note_len;
};
void tlog_proof_write(const struct tlog_proof *p, struct buf *out);
enum err tlog_proof_read(const char *text, size_t len, struct tlog_proof *out) MUST_CHECK;

/* The body of add-checkpoint: the size that the witness knows, what leads from there to the
 * checkpoint, and the checkpoint's note (borrowed). */
struct tlog_addition {
	uint64_t old_size;
	struct merkle_proof path;
	const char *note;
	size_t note_len;
};
void tlog_addition_write(const struct tlog_addition *a, struct buf *out);
enum err tlog_addition_read(const char *text, size_t len, struct tlog_addition *out) MUST_CHECK;

#endif
