/* floor: crypto */
/* A keyring file. The first byte chooses: the file as it is, or the rest as a
 * body that was sealed under the right root, to get past the seal. What opens
 * must come out again byte for byte. */
#include "crypto/keyring_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void as_file(const uint8_t *data, size_t len)
{
	static const uint8_t root[KEY_LEN] = {0};
	struct keyring *k;
	struct buf why;

	buf_init(&why, 0);
	if (keyring_unseal("FILE", data, len, root, &k, &why) != ERR_OK)
		check(k == NULL && why.len > 0 && !memchr(why.data, '\n', why.len));
	keyring_free(k);
	buf_fini(&why);
}

static void as_body(const uint8_t *data, size_t len)
{
	static uint8_t again[KEYRING_BODY_MAX];
	struct keyring *k;
	size_t n;

	if (keyring_parse(data, len, &k) != ERR_OK)
		return;
	check(keyring_active(k) > 0 && keyring_kek(k, keyring_active(k)) != NULL);
	check(keyring_epochs(k, &n) != NULL && n > 0);
	check(keyring_body(k, again) == len && memcmp(again, data, len) == 0);
	keyring_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] & 1)
		as_body(data + 1, len - 1);
	else
		as_file(data + 1, len - 1);
	return 0;
}
