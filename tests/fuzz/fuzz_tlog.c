/* floor: crypto */
/* Paths of tiles, proofs and additions from anywhere: what is read is written as the same text again. */
#include "crypto/tlog.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_same(struct buf *out, const char *text, size_t len)
{
	check(buf_ok(out) && out->len == len && !memcmp(out->data, text, len));
	buf_reset(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	char path[TLOG_TILE_TEXT_MAX];
	struct tlog_addition a;
	struct tlog_proof p;
	struct tlog_tile t;
	struct buf out;

	buf_init(&out, 0);
	if (!tlog_tile_read(text, len, &t)) {
		tlog_tile_write(&t, path);
		check(strlen(path) == len && !memcmp(path, text, len));
	}
	if (!tlog_addition_read(text, len, &a)) {
		tlog_addition_write(&a, &out);
		check_same(&out, text, len);
	}
	if (!tlog_proof_read(text, len, &p) && !memmem(text, len, "\nextra ", 7)) {
		tlog_proof_write(&p, &out);
		check_same(&out, text, len);
	}
	buf_fini(&out);
	return 0;
}
