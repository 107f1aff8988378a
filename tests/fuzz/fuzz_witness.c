/* floor: ctl */
/* Any bytes as a request to a witness, and, signed by the log, as the checkpoint of one. What it cosigns never shrinks. */
#include "ctl/witness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t log_seed[SIGN_SEED_LEN] = {1}, own_seed[SIGN_SEED_LEN] = {2};
static char folder[] = "/tmp/vault-fuzz-witness.XXXXXX", state[64];
static struct witness w;

static void tidy(void)
{
	witness_close(&w);
	unlink(state);
	rmdir(folder);
}

static void key_of(const char *name, enum note_type type, const uint8_t *seed, struct note_key *out)
{
	uint8_t public_key[SIGN_PUBLIC_LEN];

	if (sign_public(seed, public_key) || note_key_of(name, type, public_key, out))
		abort();
}

static void start(void)
{
	struct buf why;

	buf_init(&why, 1024);
	if (!mkdtemp(folder))
		abort();
	strcpy(state, folder);
	strcat(state, "/state");
	w.seed = own_seed;
	w.state = state;
	key_of("vault.example", NOTE_ED25519, log_seed, &w.log);
	key_of("witness.example", NOTE_COSIGNATURE, own_seed, &w.own);
	if (witness_open(&w, true, &why))
		abort();
	atexit(tidy);
	buf_fini(&why);
}

static void ask(const void *body, size_t len)
{
	struct witness_reply reply = {0};
	const uint64_t before = w.last.size;

	buf_init(&reply.body, 0);
	witness_handle(&w, "POST", "/add-checkpoint", body, len, 1, &reply);
	if (reply.status < 200 || reply.status > 599 || !reply.type || w.last.size < before || (reply.status != 200 && w.last.size != before))
		abort();
	buf_fini(&reply.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? memmem(data, size, "\n\n", 2) : NULL;
	struct buf body;

	if (!w.state)
		start();
	ask(data, size);
	if (!text || size > NOTE_MAX)
		return 0;
	/* The same with a signature of the log under what stands behind the first empty line. */
	text += 2;
	buf_init(&body, 0);
	buf_append(&body, data, size);
	buf_byte(&body, '\n');
	if (note_sign(&w.log, log_seed, text, size - (size_t)(text - (const char *)data), 0, &body) == ERR_OK)
		ask(body.data, body.len);
	buf_fini(&body);
	return 0;
}
