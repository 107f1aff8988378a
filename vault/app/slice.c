/* slice.c: slices and their sums. */
#include "vault/app/slice.h"

#include <string.h>

enum err slice_of(struct mac *mac, const uint8_t sref[static SREF_LEN], uint32_t *slice)
{
	static const char label[] = "vault slice 1\n";
	const struct mac_part parts[] = {{label, sizeof label - 1}, {sref, SREF_LEN}};
	uint8_t out[MAC_LEN];
	enum err e = mac_parts(mac, parts, 2, out);

	*slice = e ? 0 : (uint32_t)out[0] << 4 | out[1] >> 4;
	return e;
}

int64_t slice_id(uint32_t slice, int64_t random)
{
	return (int64_t)((uint64_t)slice << SLICE_SHIFT | ((uint64_t)random & (((uint64_t)1 << SLICE_SHIFT) - 1)));
}

uint32_t slice_of_id(int64_t id)
{
	return (uint32_t)((uint64_t)id >> SLICE_SHIFT) % SLICES;
}

static enum err weight(struct mac *mac, const uint8_t sref[static SREF_LEN], uint32_t version, const uint8_t row[static 32],
                       struct slice_sum *out)
{
	static const char label[] = "vault row 1\n";
	const uint8_t number[] = {(uint8_t)(version >> 24), (uint8_t)(version >> 16), (uint8_t)(version >> 8), (uint8_t)version};
	const struct mac_part parts[] = {{label, sizeof label - 1}, {sref, SREF_LEN}, {number, sizeof number}, {row, 32}};
	uint8_t bytes[MAC_LEN];
	enum err e = mac_parts(mac, parts, 4, bytes);

	if (e)
		return e;
	memcpy(&out->a, bytes, sizeof out->a);
	memcpy(&out->b, bytes + sizeof out->a, sizeof out->b);
	return ERR_OK;
}

enum err slice_add(struct mac *mac, struct slice_sum *sum, const uint8_t sref[static SREF_LEN], uint32_t version,
                   const uint8_t row_sha256[static 32])
{
	struct slice_sum w;
	enum err e = weight(mac, sref, version, row_sha256, &w);

	if (e)
		return e;
	sum->a += w.a;
	sum->b += w.b;
	return ERR_OK;
}

enum err slice_take(struct mac *mac, struct slice_sum *sum, const uint8_t sref[static SREF_LEN], uint32_t version,
                    const uint8_t row_sha256[static 32])
{
	struct slice_sum w;
	enum err e = weight(mac, sref, version, row_sha256, &w);

	if (e)
		return e;
	sum->a -= w.a;
	sum->b -= w.b;
	return ERR_OK;
}

enum err slice_row_sha256(const struct customer_row *row, uint8_t out[static 32])
{
	const struct mac_part parts[] = {{row->header, row->header_len}, {row->fields, row->fields_len}};

	return sha256_parts(parts, 2, out);
}
