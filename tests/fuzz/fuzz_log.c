/* floor: ctl */
/* Any bytes as the files of a log. The first byte says which: the checkpoint itself; or the bundles of records, under
 * tiles that fit them and a checkpoint that is signed, so that what lies behind the hashes is reached. */
#include "ctl/verify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t seed[SIGN_SEED_LEN] = {1};

struct input {
	const uint8_t *data;
	size_t size;
	bool raw; /* the checkpoint is the data */
	struct note_key key;
	uint64_t records;
	struct hash *hash;
};

static void put_checkpoint(const struct input *in, struct buf *out)
{
	struct checkpoint c = {.size = in->records};
	struct buf text;

	if (in->raw) {
		buf_append(out, in->data, in->size);
		return;
	}
	buf_init(&text, 0);
	strcpy(c.origin, in->key.name);
	checkpoint_write(&c, &text);
	buf_append(out, text.data, text.len);
	buf_byte(out, '\n');
	if (note_sign(&in->key, seed, (const char *)text.data, text.len, 0, out))
		abort();
	buf_fini(&text);
}

/* The tile of hashes over the one bundle that the data are. */
static void put_hashes(const struct input *in, struct buf *out)
{
	struct reader r = reader_of(in->data, in->size);
	uint8_t leaf[MERKLE_HASH_LEN];

	while (r.left && !r.failed && out->len < MERKLE_TILE_LEN && out->len < in->records * MERKLE_HASH_LEN) {
		const uint16_t len = reader_u16(&r);
		const uint8_t *entry = reader_bytes(&r, len);

		if (!entry || merkle_leaf(in->hash, entry, len, leaf))
			break;
		buf_append(out, leaf, sizeof leaf);
	}
	while (out->len < in->records * MERKLE_HASH_LEN)
		buf_byte(out, 0);
}

static enum err read_input(void *ctx, const char *path, size_t limit, struct buf *out)
{
	const struct input *in = ctx;

	if (!strcmp(path, "checkpoint"))
		put_checkpoint(in, out);
	else if (!strncmp(path, "tile/entries/000", 16))
		buf_append(out, in->data, in->size);
	else if (!strncmp(path, "tile/0/000", 10))
		put_hashes(in, out);
	else
		return ERR_NOT_FOUND;
	return out->len <= limit ? buf_err(out) : ERR_NOT_FOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct verify_job job = {.source = {read_input, &in}};
	struct verify_result result;
	uint8_t public_key[SIGN_PUBLIC_LEN];

	if (size < 2 || size > 1 << 20)
		return 0;
	in = (struct input){.data = data + 2, .size = size - 2, .raw = data[0] & 1, .records = (uint64_t)data[1] + 1};
	if (hash_new(&in.hash) || sign_public(seed, public_key) || note_key_of("vault.example", NOTE_ED25519, public_key, &in.key))
		abort();
	job.keys.log = in.key;
	if (verify_log(&job, &result) || result.fault.check == VERIFY_GOOD) /* the root is 32 zeros */
		abort();
	if (!result.fault.what.len || !verify_name(result.fault.check) || !verify_text(result.fault.check))
		abort();
	verify_result_fini(&result);
	hash_free(in.hash);
	return 0;
}
