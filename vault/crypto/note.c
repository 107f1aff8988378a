/* note.c: signed notes. Nothing of a note is believed by parsing it. */
#include "crypto/note.h"

#include "crypto/base64_int.h"
#include "crypto/mac.h"

#include <stdio.h>
#include <string.h>

#define DASH "\xe2\x80\x94 " /* U+2014 and a space: how a line of signature begins */
#define SIGNATURE_MAX (4 + 8 + SIGN_LEN) /* id, time, Ed25519: longer ones are of types that we do not know */

/* Length of the character at text, or 0: no UTF-8 (RFC 3629). *code: which. */
static size_t character(const char *text, size_t len, uint32_t *code)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t c = (uint8_t)text[0];
	const size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	*code = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((uint8_t)text[i] & 0x3f);
	}
	return *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : n;
}

static bool is_text(const char *text, size_t len)
{
	uint32_t code;

	for (size_t n; len; text += n, len -= n) {
		n = character(text, len, &code);
		if (n == 0 || (code < 0x20 && code != '\n'))
			return false;
	}
	return true;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
	return c <= 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_name(const char *name, size_t len)
{
	uint32_t code;

	if (len == 0 || len > NOTE_NAME_MAX)
		return false;
	for (size_t n; len; name += n, len -= n) {
		n = character(name, len, &code);
		if (n == 0 || is_space(code) || code == '+')
			return false;
	}
	return true;
}

enum err note_key_of(const char *name, enum note_type type, const uint8_t public_key[static SIGN_PUBLIC_LEN],
                     struct note_key *out)
{
	const uint8_t kind[2] = {'\n', (uint8_t)type};
	const struct mac_part parts[] = {{name, strlen(name)}, {kind, 2}, {public_key, SIGN_PUBLIC_LEN}};
	uint8_t hash[32];
	enum err e;

	*out = (struct note_key){.type = type};
	if (!is_name(name, strlen(name)))
		return ERR_MALFORMED;
	e = sha256_parts(parts, 3, hash);
	if (e)
		return e;
	memcpy(out->name, name, strlen(name));
	memcpy(out->public_key, public_key, SIGN_PUBLIC_LEN);
	out->id = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
	return ERR_OK;
}

void note_key_write(const struct note_key *key, char out[static NOTE_KEY_TEXT_MAX])
{
	uint8_t bytes[1 + SIGN_PUBLIC_LEN] = {(uint8_t)key->type};
	const int n = snprintf(out, NOTE_KEY_TEXT_MAX, "%s+%08x+", key->name, key->id);

	memcpy(bytes + 1, key->public_key, SIGN_PUBLIC_LEN);
	base64_padded_write(bytes, sizeof bytes, out + n);
}
_Static_assert(NOTE_KEY_TEXT_MAX > NOTE_NAME_MAX + 1 + 8 + 1 + 44, "room for a verifier key");

enum err note_key_read(const char *text, size_t len, struct note_key *out)
{
	const char *plus = memchr(text, '+', len);
	const size_t name_len = plus ? (size_t)(plus - text) : 0, head = name_len + 1 + 8 + 1;
	char name[NOTE_NAME_MAX + 1] = {0}, again[NOTE_KEY_TEXT_MAX];
	uint8_t bytes[1 + SIGN_PUBLIC_LEN];
	size_t n = sizeof bytes;
	enum err e;

	*out = (struct note_key){0};
	if (!plus || !is_name(text, name_len) || len < head || !base64_padded_read(text + head, len - head, bytes, &n) ||
	    n != sizeof bytes || (bytes[0] != NOTE_ED25519 && bytes[0] != NOTE_COSIGNATURE))
		return ERR_MALFORMED;
	memcpy(name, text, name_len);
	e = note_key_of(name, (enum note_type)bytes[0], bytes + 1, out);
	if (e)
		return e;
	note_key_write(out, again); /* one text for each key, so the id and the rest are right if all is the same */
	if (strlen(again) == len && !memcmp(again, text, len))
		return ERR_OK;
	*out = (struct note_key){0};
	return ERR_MALFORMED;
}

/* All of it base64, of any length. */
static bool is_base64(const char *text, size_t len)
{
	for (; len >= 4; text += 4, len -= 4) {
		uint8_t bytes[3];
		size_t n = sizeof bytes;

		if (!base64_padded_read(text, 4, bytes, &n) || (n < 3 && len > 4))
			return false;
	}
	return len == 0;
}

/* Takes one line of signature, of len bytes without its newline. */
static bool take_line(const char *line, size_t len, struct note_signature *out)
{
	const char *space;

	if (len < sizeof DASH - 1 || memcmp(line, DASH, sizeof DASH - 1) != 0)
		return false;
	out->name = line + sizeof DASH - 1;
	len -= sizeof DASH - 1;
	space = memchr(out->name, ' ', len);
	if (!space)
		return false;
	out->name_len = (size_t)(space - out->name);
	out->base64 = space + 1;
	out->base64_len = len - out->name_len - 1;
	return is_name(out->name, out->name_len) && out->base64_len >= 8 && is_base64(out->base64, out->base64_len);
}

enum err note_parse(const char *bytes, size_t len, struct note *out)
{
	size_t at = len;

	*out = (struct note){.text = bytes};
	if (len < 3 || len > NOTE_MAX || bytes[len - 1] != '\n' || !is_text(bytes, len))
		return ERR_MALFORMED;
	while (at >= 2 && !(bytes[at - 1] == '\n' && bytes[at - 2] == '\n'))
		at--;
	if (at < 2 || at == len)
		return ERR_MALFORMED;
	out->text_len = at - 1;
	while (at < len) {
		const char *end = memchr(bytes + at, '\n', len - at);
		const size_t line_len = end ? (size_t)(end - bytes) - at : len - at;

		if (out->n == NOTE_SIGNATURES_MAX || !take_line(bytes + at, line_len, &out->signatures[out->n++]))
			return ERR_MALFORMED;
		at += line_len + 1;
	}
	return ERR_OK;
}

/* What a cosignature of that time is over. */
static void message_of(const struct note_key *key, const char *text, size_t text_len, uint64_t time, struct buf *out)
{
	if (key->type == NOTE_COSIGNATURE)
		buf_printf(out, "cosignature/v1\ntime %llu\n", (unsigned long long)time);
	buf_append(out, text, text_len);
}

static enum err check_line(const struct note *n, const struct note_key *key, const uint8_t *signature, size_t len, uint64_t *time)
{
	struct reader in = reader_of(signature, len);
	const uint64_t at = key->type == NOTE_COSIGNATURE ? reader_u64(&in) : 0;
	const uint8_t *bytes = reader_bytes(&in, SIGN_LEN);
	struct buf message;
	enum err e;

	if (!bytes || in.left || at > INT64_MAX)
		return ERR_SEAL;
	buf_init(&message, NOTE_MAX + 64);
	message_of(key, n->text, n->text_len, at, &message);
	e = buf_err(&message);
	if (!e)
		e = sign_verify(key->public_key, message.data, message.len, bytes);
	buf_fini(&message);
	if (!e && at > *time)
		*time = at;
	return e;
}

enum err note_verify(const struct note *n, const struct note_key *key, uint64_t *time)
{
	const size_t name_len = strlen(key->name);
	enum err e = ERR_NOT_FOUND;
	uint64_t newest = 0;

	for (size_t i = 0; i < n->n && (!e || e == ERR_NOT_FOUND); i++) {
		const struct note_signature *s = &n->signatures[i];
		uint8_t head[6], bytes[SIGNATURE_MAX];
		size_t head_len = sizeof head, len = sizeof bytes;

		if (s->name_len != name_len || memcmp(s->name, key->name, name_len) != 0)
			continue;
		if (!base64_padded_read(s->base64, 8, head, &head_len) || head_len < 4 ||
		    ((uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3]) != key->id)
			continue; /* of a key that we do not know */
		if (!base64_padded_read(s->base64, s->base64_len, bytes, &len))
			return ERR_SEAL;
		e = check_line(n, key, bytes + 4, len - 4, &newest);
	}
	if (time)
		*time = e ? 0 : newest;
	return e;
}

enum err note_sign(const struct note_key *key, const uint8_t seed[static SIGN_SEED_LEN], const char *text, size_t text_len,
                   uint64_t time, struct buf *out)
{
	uint8_t bytes[SIGNATURE_MAX], public_key[SIGN_PUBLIC_LEN];
	char base64[SIGNATURE_MAX * 2];
	struct buf message, line;
	enum err e = text_len && text[text_len - 1] == '\n' && time <= INT64_MAX ? sign_public(seed, public_key) : ERR_INTERNAL;

	if (!e && memcmp(public_key, key->public_key, sizeof public_key) != 0)
		e = ERR_INTERNAL;
	if (e)
		return e;
	buf_init(&message, 0);
	buf_init(&line, 0);
	message_of(key, text, text_len, time, &message);
	buf_u32(&line, key->id);
	if (key->type == NOTE_COSIGNATURE)
		buf_u64(&line, time);
	e = buf_err(&message);
	if (!e)
		e = sign_bytes(seed, message.data, message.len, bytes);
	buf_append(&line, bytes, SIGN_LEN);
	if (!e)
		e = buf_err(&line);
	if (!e) {
		base64_padded_write(line.data, line.len, base64);
		buf_printf(out, DASH "%s %s\n", key->name, base64);
		e = buf_err(out);
	}
	buf_fini(&message);
	buf_fini(&line);
	return e;
}
