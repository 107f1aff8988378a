/* note.h: signed notes (C2SP signed-note v1.0.0): a text, an empty line, and
 * lines of signatures by named keys; Ed25519 signatures of the text, and
 * cosignatures of a checkpoint with a time (C2SP tlog-cosignature, Ed25519).
 *
 * What a note says counts only after note_verify. Any thread. */
#ifndef CRYPTO_NOTE_H
#define CRYPTO_NOTE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/sign.h"

#define NOTE_NAME_MAX 200             /* bytes of a key's name */
#define NOTE_MAX ((size_t)128 << 10) /* bytes of a note */
#define NOTE_SIGNATURES_MAX 32
#define NOTE_KEY_TEXT_MAX 272 /* of a verifier key, with NUL */

/* Signature types; numbers of C2SP. */
enum note_type { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

/* Who a signature is of: name, id and public half. */
struct note_key {
	char name[NOTE_NAME_MAX + 1];
	enum note_type type;
	uint32_t id;
	uint8_t public_key[SIGN_PUBLIC_LEN];
};

/* The key of that name; the id follows from the rest. ERR_MALFORMED: no name for a key (empty, too
 * long, with a space, a plus, a control character, or not UTF-8). */
enum err note_key_of(const char *name, enum note_type type, const uint8_t public_key[static SIGN_PUBLIC_LEN],
                     struct note_key *out) MUST_CHECK;
/* A verifier key, NAME+HEX+BASE64. ERR_MALFORMED also where the id is not that of name and key, or the type another. */
enum err note_key_read(const char *text, size_t len, struct note_key *out) MUST_CHECK;
void note_key_write(const struct note_key *key, char out[static NOTE_KEY_TEXT_MAX]);

/* A note taken apart; borrows its bytes. */
struct note {
	const char *text;
	size_t text_len; /* with its last newline */
	size_t n;
	struct note_signature {
		const char *name, *base64; /* base64: of the id and the signature; not decoded */
		size_t name_len, base64_len;
	} signatures[NOTE_SIGNATURES_MAX];
};

/* ERR_MALFORMED: not a note, or over a limit. */
enum err note_parse(const char *bytes, size_t len, struct note *out) MUST_CHECK;
/* Every line that bears the key's name and id must verify. ERR_NOT_FOUND: there is none; ERR_SEAL: one
 * does not. *time: of a cosignature, the newest, in seconds since 1970; NULL: not wanted. */
enum err note_verify(const struct note *n, const struct note_key *key, uint64_t *time) MUST_CHECK;
/* Appends a line of signature by the key of seed, which must be that of key, over a text that ends in
 * a newline. time: of a cosignature, in seconds since 1970. The caller writes text and the empty line. */
enum err note_sign(const struct note_key *key, const uint8_t seed[static SIGN_SEED_LEN], const char *text, size_t text_len,
                   uint64_t time, struct buf *out) MUST_CHECK;

#endif
