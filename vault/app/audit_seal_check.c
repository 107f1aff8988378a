/* audit_seal_check.c: is this segment the one that its stream goes on with? */
#include "vault/app/audit_seal_int.h"

#include "codec/doc.h"
#include "crypto/secret.h"
#include "store/audit.h"

#include <string.h>

const char *audit_seal_fault(const char *text)
{
	static const char *const names[] = {SEAL_GAP, SEAL_CHANGED, SEAL_SHAPE, SEAL_LINK, SEAL_CUT};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(text, names[i]))
			return names[i];
	return *text ? SEAL_CHANGED : NULL;
}

/* count records that fill the bodies exactly. */
static bool fits(const uint8_t *bodies, size_t len, int32_t count)
{
	struct reader in = reader_of(bodies, len);

	for (int32_t i = 0; i < count && !in.failed; i++)
		reader_bytes(&in, reader_u16(&in));
	return count > 0 && !in.failed && in.left == 0;
}

enum err audit_seal_check(struct audit_seal *s, const struct sealed_stream *t, const struct db_result *rows, size_t row, const char **fault)
{
	const int64_t first_seq = db_int8(rows, row, 1);
	const int32_t count = db_int4(rows, row, 2);
	uint8_t want[MAC_LEN];
	size_t mac_len, len;
	const uint8_t *mac = db_bytes(rows, row, 5, &mac_len), *bodies = db_bytes(rows, row, 6, &len);
	enum err e;

	*fault = NULL;
	if (first_seq != t->next_seq)
		*fault = SEAL_GAP;
	else if (!fits(bodies, len, count))
		*fault = SEAL_SHAPE;
	if (*fault)
		return ERR_OK;
	e = audit_segment_mac(s->mac, t->stream, first_seq, (uint32_t)count, db_time_us(rows, row, 3), db_time_us(rows, row, 4), bodies, len, t->mac, want);
	if (!e && (mac_len != MAC_LEN || !secret_equal(mac, want, MAC_LEN)))
		*fault = SEAL_CHANGED;
	return e;
}

static bool read_hex(const char *text, size_t len, uint8_t out[static MAC_LEN])
{
	static const char digits[] = "0123456789abcdef";

	if (!text || len != (size_t)2 * MAC_LEN)
		return false;
	for (size_t i = 0; i < (size_t)2 * MAC_LEN; i++) {
		const char *at = text[i] ? strchr(digits, text[i]) : NULL;

		if (!at)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (uint8_t)(at - digits));
	}
	return true;
}

enum err audit_seal_predecessor(const struct db_result *rows, size_t row, struct audit_predecessor *out)
{
	size_t len, hex_len = 0;
	const uint8_t *bodies = db_bytes(rows, row, 6, &len);
	struct reader in = reader_of(bodies, len);
	const uint16_t record_len = reader_u16(&in);
	const uint8_t *record = reader_bytes(&in, record_len);
	struct doc *doc = NULL;
	enum err e = record ? doc_parse(record, record_len, &doc) : ERR_MALFORMED;

	*out = (struct audit_predecessor){0};
	if (!e) {
		const struct node *root = doc_root(doc);
		const char *hex = node_string(node_get(root, "previous_mac"), &hex_len);

		if (read_hex(hex, hex_len, out->mac)) {
			out->stream = node_int(node_get(root, "previous_stream"));
			out->last_seq = node_int(node_get(root, "previous_seq"));
		}
	}
	doc_free(doc);
	return e;
}
