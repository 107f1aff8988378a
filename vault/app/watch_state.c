/* watch_state.c: what the watcher knows, as bytes under a MAC, so that a writer to the database can at most set it
 * back to an older one, from which the same is read again.
 *
 *   "vault watch 1\n", number of streams 4, a stream: number 8, next batch 8, next seq 8, MAC 32;
 *   4,096 sums of two times 8; HMAC-SHA-256 of all that under the audit key, 32 */
#include "vault/app/watch_int.h"

#include <stdlib.h>
#include <string.h>

static const char label[] = "vault watch 1\n";
#define STREAMS_MAX 10000000u

enum err watch_state_write(struct watch *w, struct buf *out)
{
	uint8_t mac[MAC_LEN];
	enum err e;

	buf_text(out, label);
	buf_u32(out, (uint32_t)w->walk.n);
	for (size_t i = 0; i < w->walk.n; i++) {
		buf_u64(out, (uint64_t)w->walk.list[i].stream);
		buf_u64(out, (uint64_t)w->walk.list[i].next_batch);
		buf_u64(out, (uint64_t)w->walk.list[i].next_seq);
		buf_append(out, w->walk.list[i].mac, MAC_LEN);
	}
	for (size_t i = 0; i < SLICES; i++) {
		buf_u64(out, w->sums[i].a);
		buf_u64(out, w->sums[i].b);
	}
	e = buf_err(out);
	if (!e)
		e = mac_of(w->mac, out->data, out->len, mac);
	buf_append(out, mac, e ? 0 : sizeof mac);
	return e ? e : buf_err(out);
}

static enum err read_all(struct watch *w, struct reader *in)
{
	uint32_t n = reader_u32(in);

	if (n > STREAMS_MAX || (size_t)n * 56 > in->left)
		return ERR_SEAL;
	w->walk.list = calloc((size_t)n + 1, sizeof *w->walk.list);
	if (!w->walk.list)
		return ERR_MEMORY;
	for (; w->walk.n < n; w->walk.n++) {
		struct log_position *p = &w->walk.list[w->walk.n];
		const uint8_t *mac;

		p->stream = (int64_t)reader_u64(in);
		p->next_batch = (int64_t)reader_u64(in);
		p->next_seq = (int64_t)reader_u64(in);
		mac = reader_bytes(in, MAC_LEN);
		if (!mac || (w->walk.n && p->stream <= p[-1].stream))
			return ERR_SEAL;
		memcpy(p->mac, mac, MAC_LEN);
	}
	for (size_t i = 0; i < SLICES; i++) {
		w->sums[i].a = reader_u64(in);
		w->sums[i].b = reader_u64(in);
	}
	return in->failed || in->left ? ERR_SEAL : ERR_OK;
}

enum err watch_state_read(struct watch *w, const uint8_t *bytes, size_t len)
{
	const size_t head = sizeof label - 1;
	struct reader in = reader_of(bytes, len > MAC_LEN ? len - MAC_LEN : 0);
	const uint8_t *start;
	uint8_t mac[MAC_LEN];
	enum err e = ERR_SEAL;

	watch_forget(w);
	start = reader_bytes(&in, head);
	if (start && !memcmp(start, label, head))
		e = mac_of(w->mac, bytes, len - MAC_LEN, mac);
	if (!e && memcmp(mac, bytes + len - MAC_LEN, MAC_LEN) != 0)
		e = ERR_SEAL;
	if (!e)
		e = read_all(w, &in);
	if (e)
		watch_forget(w);
	return e;
}
