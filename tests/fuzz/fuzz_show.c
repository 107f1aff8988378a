/* floor: ctl */
/* Any bytes as a reply of the vault: nothing crashes, and no control character reaches the terminal. */
#include "ctl/show.h"
#include "ctl/text.h"

#include <locale.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_clean(const struct buf *text)
{
	if (!buf_ok(text) || !text_is_utf8((const char *)text->data, text->len))
		abort();
	for (size_t i = 0; i < text->len; i++)
		if ((text->data[i] < 0x20 && text->data[i] != '\n') || text->data[i] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct doc *doc = NULL;
	struct buf out;

	if (!started) {
		setlocale(LC_CTYPE, "C.UTF-8");
		doc_start();
		started = true;
	}
	buf_init(&out, 0);
	text_clean((const char *)data, size, false, &out);
	if (doc_parse(data, size, &doc) == ERR_OK) {
		show_object(doc_root(doc), &out);
		show_rows(doc_root(doc), "KEY", NULL, &out);
		show_records(doc_root(doc), &out);
		show_record_line(doc_root(doc), &out);
		show_problem(400, doc_root(doc), &out);
	}
	must_be_clean(&out);
	doc_free(doc);
	buf_fini(&out);
	return 0;
}
