/* audit_proof.c: audit proof: what a caller keeps to show, without the vault,
 * that a record is in its log. */
#include "ctl/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROOF_MAX (NOTE_MAX + 8192 + 2 * 65536)

/* STREAM-SEQ, and nothing that a path could hold beside it. */
static bool is_record_id(const char *text)
{
	const size_t first = strspn(text, "0123456789"), second = text[first] == '-' ? strspn(text + first + 1, "0123456789") : 0;

	return first && first < 20 && second && second < 20 && !text[first + 1 + second];
}

/* A record out of its bundle, borrowed. */
static bool find_entry(const struct buf *bundle, uint64_t place, const uint8_t **entry, size_t *len)
{
	struct reader r = reader_of(bundle->data, bundle->len);

	*entry = NULL;
	*len = 0;
	for (uint64_t i = 0; i <= place; i++) {
		*len = reader_u16(&r);
		*entry = reader_bytes(&r, *len);
	}
	return !r.failed;
}

static int store_new(const char *path, const uint8_t *bytes, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const bool written = fd >= 0 && write(fd, bytes, len) == (ssize_t)len;
	int code = CTL_OK;

	if (!written)
		code = complain(errno == EEXIST ? CTL_REFUSED : CTL_SERVER, "%s: %s", path, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && code == CTL_OK)
		code = complain(CTL_SERVER, "%s: %s", path, strerror(errno));
	return code;
}

/* The bytes that were hashed, from the log's entries. */
static int store_record(const struct arguments *a, const struct tlog_proof *proof, const char *path)
{
	struct tlog_tile t = {.entries = true, .index = proof->index / MERKLE_TILE_WIDTH, .width = MERKLE_TILE_WIDTH};
	char at[32 + TLOG_TILE_TEXT_MAX] = "/v1/audit/log/tile/";
	struct checkpoint c = {0};
	struct client_reply reply;
	const uint8_t *entry = NULL;
	struct note note;
	size_t len = 0;
	int code;

	if (note_parse(proof->note, proof->note_len, &note) || checkpoint_read(note.text, note.text_len, &c) || proof->index >= c.size)
		return complain(CTL_SERVER, "the proof is not of its form");
	if (c.size - t.index * MERKLE_TILE_WIDTH < MERKLE_TILE_WIDTH)
		t.width = (unsigned)(c.size % MERKLE_TILE_WIDTH);
	tlog_tile_write(&t, at + strlen(at));
	code = remote_get(a, NULL, at, &reply);
	if (code == CTL_OK && reply.status != 200)
		code = complain(CTL_REFUSED, "the log does not have the record's bundle");
	else if (code == CTL_OK && !find_entry(&reply.body, proof->index % MERKLE_TILE_WIDTH, &entry, &len))
		code = complain(CTL_SERVER, "the bundle is not of its form");
	if (code == CTL_OK)
		code = store_new(path, entry, len);
	client_reply_fini(&reply);
	return code;
}

int command_audit_proof(const struct arguments *a)
{
	const char *record = arguments_option(a, "record");
	struct client_reply reply;
	struct tlog_proof proof;
	struct buf path;
	int code;

	if (!is_record_id(a->words[0]))
		return complain(CTL_USAGE, "the id of a record is like 12-345, as Audit-Record has it");
	buf_init(&path, 0);
	buf_printf(&path, "/v1/audit/records/%s/proof", a->words[0]);
	code = remote_get(a, NULL, buf_string(&path), &reply);
	if (code == CTL_OK && reply.status != 200)
		code = complain(CTL_REFUSED, "the log does not have this record, or it is not yet in a signed checkpoint");
	else if (code == CTL_OK && (reply.body.len > PROOF_MAX || tlog_proof_read((const char *)reply.body.data, reply.body.len, &proof)))
		code = complain(CTL_SERVER, "the reply is no proof");
	if (code == CTL_OK && record)
		code = store_record(a, &proof, record);
	if (code == CTL_OK)
		code = output(&reply.body);
	client_reply_fini(&reply);
	buf_fini(&path);
	return code;
}
