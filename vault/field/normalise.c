/* normalise.c: the form in which the blind index compares two values.
 *
 * A change of what these functions give is a new normaliser_version and a
 * reindex: the old tags would no longer be found. */
#include "field_int.h"

/* Folds, trims, and makes each run of blanks one. */
static enum err normalise_text(const char *text, size_t len, struct buf *out)
{
	struct buf folded;
	bool blank = false;
	const size_t start = out->len;
	enum err e;

	buf_init(&folded, 0);
	e = text_nfkc(text, len, true, &folded);
	if (e)
		goto out;
	for (size_t i = 0, step; i < folded.len; i += step) {
		const char *at = (const char *)folded.data + i;
		uint32_t cp;

		step = text_next(at, folded.len - i, &cp);
		if (step == 0) {
			e = ERR_INVALID_VALUE;
			goto out;
		}
		if (cp == ' ' || (cp >= '\t' && cp <= '\r') || text_kind(cp) == CHAR_BLANK) {
			blank = true;
			continue;
		}
		if (blank && out->len > start)
			buf_byte(out, ' ');
		blank = false;
		buf_append(out, at, step);
	}
	e = buf_err(out);
out:
	buf_fini(&folded);
	return e;
}

/* Letters and digits only, in upper case. */
static enum err normalise_alnum(const char *text, size_t len, struct buf *out)
{
	struct buf wide;
	enum err e;

	buf_init(&wide, 0);
	e = text_nfkc(text, len, false, &wide);
	for (size_t i = 0, step; !e && i < wide.len; i += step) {
		uint32_t cp;
		enum char_kind kind;

		step = text_next((const char *)wide.data + i, wide.len - i, &cp);
		if (step == 0) {
			e = ERR_INVALID_VALUE;
			break;
		}
		kind = text_kind(cp);
		if (kind == CHAR_LETTER || kind == CHAR_DIGIT)
			text_put(out, text_upper(cp));
	}
	if (!e)
		e = buf_err(out);
	buf_fini(&wide);
	return e;
}

enum err field_normalise(const struct field *f, const char *text, size_t len, struct buf *out)
{
	switch (f->normaliser) {
	case NORMALISE_TEXT: return normalise_text(text, len, out);
	/* Domains have no case. Local parts do in theory and in no mail system
	 * that matters, so both halves are folded. */
	case NORMALISE_EMAIL: return text_nfkc(text, len, true, out);
	case NORMALISE_ALNUM: return normalise_alnum(text, len, out);
	/* Stored as E.164 already. */
	case NORMALISE_PHONE:
	case NORMALISE_NONE: buf_append(out, text, len); return buf_err(out);
	case NORMALISE_COUNT:
	default: return ERR_DICTIONARY;
	}
}
