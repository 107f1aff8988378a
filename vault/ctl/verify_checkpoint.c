/* verify_checkpoint.c: a checkpoint under the keys that are trusted. */
#include "ctl/verify.h"

static bool fail(struct verify_fault *fault, enum verify_check check, const char *what)
{
	fault->check = check;
	buf_text(&fault->what, what);
	return false;
}

static bool check_cosignatures(const struct verify_keys *keys, const struct note *note, size_t *cosigned, struct verify_fault *fault)
{
	*cosigned = 0;
	for (size_t i = 0; i < keys->n_witnesses; i++) {
		const enum err e = note_verify(note, &keys->witnesses[i], NULL);

		if (e && e != ERR_NOT_FOUND) {
			buf_printf(&fault->what, "the cosignature of %s does not fit", keys->witnesses[i].name);
			return fail(fault, VERIFY_COSIGNATURES, "");
		}
		*cosigned += e == ERR_OK;
	}
	if (*cosigned >= keys->quorum)
		return true;
	buf_printf(&fault->what, "%zu, and %zu are asked for", *cosigned, keys->quorum);
	return fail(fault, VERIFY_COSIGNATURES, "");
}

bool verify_checkpoint(const struct verify_keys *keys, const char *bytes, size_t len, struct note *note, struct checkpoint *out,
                       size_t *cosigned, struct verify_fault *fault)
{
	enum err e;

	/* Looked at before it is verified, only to tell another log from a forgery. */
	if (note_parse(bytes, len, note) || checkpoint_read(note->text, note->text_len, out))
		return fail(fault, VERIFY_CHECKPOINT, "it is not of its form");
	if (strcmp(out->origin, keys->log.name) != 0) {
		buf_printf(&fault->what, "it is of %s, and the key of %s", out->origin, keys->log.name);
		return fail(fault, VERIFY_ORIGIN, "");
	}
	e = note_verify(note, &keys->log, NULL);
	if (e)
		return fail(fault, VERIFY_SIGNATURE, e == ERR_NOT_FOUND ? "there is no signature of the key" : "the signature does not fit");
	return check_cosignatures(keys, note, cosigned, fault);
}
