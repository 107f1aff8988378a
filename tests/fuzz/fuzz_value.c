/* floor: codec */
/* value_store, value_mask, value_index, field_from_json. Byte 0: type, and in its
 * high bit whether a list; 1: mask; 2, 3: what a keep mask keeps; then JSON, which
 * is also given to the readers of stored text as it is. */
#include "codec/value.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
	if (!fact)
		abort();
}

static enum err count(void *ctx, const void *normalised, size_t len)
{
	need(normalised && len > 0);
	return ++*(size_t *)ctx > VALUE_LIST_MAX ? ERR_LIMIT : ERR_OK;
}

static void assert_json(const struct buf *text)
{
	struct doc *d;

	need(doc_parse(text->data, text->len, &d) == ERR_OK);
	doc_free(d);
}

static void check_stored(const struct field *f, const struct buf *stored)
{
	const char *text = (const char *)stored->data;
	struct buf out;
	size_t n = 0;

	assert_json(stored);
	buf_init(&out, 0);
	need(value_mask(f, 0, text, stored->len, &out) == ERR_OK);
	assert_json(&out);
	/* Only types of text have an index. */
	if (f->type != TYPE_ADDRESS && f->type != TYPE_INTEGER && f->type != TYPE_BOOLEAN && f->type != TYPE_JSON)
		need(value_index(f, text, stored->len, count, &n) == ERR_OK);
	buf_fini(&out);
}

static void declaration(const struct node *n)
{
	struct field f = {.number = 1, .name = "x"}, again = {.number = 1, .name = "x"};
	struct buf why, out;
	struct doc *d;

	buf_init(&why, 0);
	buf_init(&out, 0);
	if (field_from_json(n, &f, &why)) {
		need(why.len > 0);
	} else if (field_declaration_check(&f, &why) == ERR_OK) {
		field_to_json(&f, &out);
		need(doc_parse(out.data, out.len, &d) == ERR_OK);
		need(field_from_json(doc_root(d), &again, &why) == ERR_OK);
		need(again.type == f.type && again.n_masks == f.n_masks && field_max_len(&again) == field_max_len(&f));
		doc_free(d);
	}
	buf_fini(&why);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct field f = {.number = 1, .n_masks = 1};
	struct buf out;
	struct doc *d;
	size_t element, n = 0;
	enum err e;

	if (size < 4)
		return 0;
	f.type = (enum field_type)((data[0] & 0x7f) % TYPE_COUNT);
	f.list = data[0] & 0x80;
	f.normaliser = field_default_normaliser(f.type);
	f.masks[0] =
	    (struct field_mask){.kind = (enum field_mask_kind)(data[1] % MASK_COUNT), .a = data[2], .b = data[3]};
	data += 4;
	size -= 4;
	buf_init(&out, 0);
	e = value_mask(&f, 0, (const char *)data, size, &out);
	need(e == ERR_OK || out.len == 0);
	e = value_index(&f, (const char *)data, size, count, &n);
	buf_reset(&out);
	if (doc_parse(data, size, &d) == ERR_OK) {
		declaration(doc_root(d));
		e = value_store(&f, "CN", doc_root(d), &out, &element);
		if (e)
			need(out.len == 0 && element < VALUE_LIST_MAX);
		else
			check_stored(&f, &out);
		doc_free(d);
	}
	buf_fini(&out);
	return 0;
}
