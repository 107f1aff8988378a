/* floor: crypto */
/* Signed notes, verifier keys and checkpoints from anywhere: what is taken apart is in the text, and
 * nothing that was not signed by the key verifies. */
#include "crypto/note.h"
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

static void check_key(const char *text, size_t len)
{
	char again[NOTE_KEY_TEXT_MAX];
	struct note_key k;

	if (note_key_read(text, len, &k))
		return;
	note_key_write(&k, again);
	check(strlen(again) == len && !memcmp(again, text, len));
}

static void check_checkpoint(const char *text, size_t len)
{
	struct checkpoint c, d;
	struct buf again;

	if (checkpoint_read(text, len, &c))
		return;
	buf_init(&again, 0);
	checkpoint_write(&c, &again);
	check(again.len <= len && !memcmp(again.data, text, again.len));
	check(!checkpoint_read((const char *)again.data, again.len, &d) && !memcmp(&c, &d, sizeof c));
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char example[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
	const char *text = (const char *)data;
	struct note_key key;
	struct note n;

	check_key(text, len);
	check_checkpoint(text, len);
	check(!note_key_read(example, sizeof example - 1, &key));
	if (note_parse(text, len, &n))
		return 0;
	check(n.n > 0 && n.text_len > 0 && n.text_len < len && text[n.text_len - 1] == '\n' && text[n.text_len] == '\n');
	for (size_t i = 0; i < n.n; i++)
		check(n.signatures[i].base64 + n.signatures[i].base64_len < text + len);
	if (!note_verify(&n, &key, NULL)) /* the one text that this key has signed in public */
		check(n.text_len == 28 && !memcmp(n.text, "This is an example message.\n", 28));
	return 0;
}
