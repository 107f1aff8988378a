/* floor: app */
/* fuzz_watch.c: members of a record, and the watcher's state behind a right MAC, from any bytes. */
#include "crypto/secret.h"
#include "vault/app/watch_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void members(const char *record, size_t len)
{
	uint8_t bytes[SREF_LEN];
	size_t n = 0;
	const char *text = record_text(record, len, "object", &n);

	if (text && (text < record || text + n > record + len))
		abort();
	if (record_hex(record, len, "sref", bytes, sizeof bytes) && !record_text(record, len, "sref", &n))
		abort();
	if (record_int(record, len, "row_version") < -1)
		abort();
	record_is(record, len, "activity", "read");
}

static void state(struct watch *w, const uint8_t *data, size_t size)
{
	uint8_t mac[MAC_LEN];
	struct buf bytes, again;

	buf_init(&bytes, 0);
	buf_init(&again, 0);
	buf_append(&bytes, data, size);
	if (mac_of(w->mac, data, size, mac))
		abort();
	buf_append(&bytes, mac, sizeof mac);
	if (!watch_state_read(w, bytes.data, bytes.len) &&
	    (watch_state_write(w, &again) || again.len != bytes.len || memcmp(again.data, bytes.data, bytes.len) != 0))
		abort(); /* there is one form */
	watch_forget(w);
	buf_fini(&bytes);
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct watch *w;
	static const uint8_t key[32];

	if (!w && (secret_start() || !(w = calloc(1, sizeof *w)) || mac_new(key, &w->mac)))
		abort();
	members((const char *)data, size);
	state(w, data, size);
	return 0;
}
