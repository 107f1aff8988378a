/* floor: field */
/* field_check, field_normalise, field_mask. Byte 0: type; 1: mask; 2, 3: what a
 * keep mask keeps; 4: default country; then the text. */
#include "field/field.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
	if (!fact)
		abort();
}

/* Any text, valid or not, may come to a mask and a normaliser without harm. */
static void raw(const struct field *f, const uint8_t *set, const char *text, size_t len)
{
	struct field g = *f;
	struct buf out;

	buf_init(&out, 0);
	need(field_mask((enum field_mask_kind)(set[1] % MASK_COUNT), set[2] % 24, set[3] % 24, text, len, &out) ==
	     ERR_OK);
	for (unsigned n = 0; n < NORMALISE_COUNT; n++) {
		g.normaliser = (enum field_normaliser)n;
		if (field_normalise(&g, text, len, &out))
			need(n != NORMALISE_NONE && n != NORMALISE_PHONE);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const countries[] = {"CN", "US", "GB", "DE", "IT", "RU", "", "ZZ"};
	struct field f = {.number = 1};
	struct buf stored, again, normal;
	const char *country, *text;
	size_t len;

	if (size < 5)
		return 0;
	f.type = (enum field_type)(data[0] % TYPE_COUNT);
	f.normaliser = field_default_normaliser(f.type);
	country = countries[data[4] % 8];
	text = (const char *)data + 5;
	len = size - 5;
	raw(&f, data, text, len);
	buf_init(&stored, 0);
	buf_init(&again, 0);
	buf_init(&normal, 0);
	if (field_check(&f, country, text, len, &stored)) {
		need(stored.len == 0);
	} else {
		need(stored.len > 0 && stored.len <= field_max_len(&f));
		need(!memchr(stored.data, 0, stored.len));
		/* What is stored is stored again as it is, wherever the caller lives. */
		need(field_check(&f, "", (const char *)stored.data, stored.len, &again) == ERR_OK);
		need(again.len == stored.len && memcmp(again.data, stored.data, stored.len) == 0);
		need(field_normalise(&f, (const char *)stored.data, stored.len, &normal) == ERR_OK);
	}
	buf_fini(&stored);
	buf_fini(&again);
	buf_fini(&normal);
	return 0;
}
