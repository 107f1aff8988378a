/* floor: ctl */
/* Any bytes as an audit record: what is taken is canonical, as another parser and printer see it too. */
#include "codec/doc.h"
#include "ctl/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;
	struct doc *doc = NULL;
	struct buf again;

	if (!record_read((const char *)data, size, &r))
		return 0;
	if (r.stream <= 0 || r.seq <= 0 || r.at_us < 0 || (r.node && (r.node < (const char *)data || r.node + r.node_len > (const char *)data + size)))
		abort();
	buf_init(&again, 0);
	/* What the other parser does not take at all is the character NUL. */
	if (doc_parse(data, size, &doc) == ERR_OK) {
		if (node_print(doc_root(doc), &again) || again.len != size || memcmp(again.data, data, size) != 0)
			abort();
	} else if (!memmem(data, size, "\\u0000", 6)) {
		abort();
	}
	doc_free(doc);
	buf_fini(&again);
	return 0;
}
