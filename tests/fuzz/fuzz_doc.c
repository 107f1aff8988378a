/* floor: codec */
/* doc_parse, node_*, node_print. What is printed must parse again and print the same. */
#include "codec/doc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
	if (!fact)
		abort();
}

/* Visits all; no string or key may hold a NUL, and nothing is deeper than it may be. */
static void walk(const struct node *n, int depth)
{
	const struct node *member;
	struct node_iter it;
	const char *text;
	size_t len, count = 0;

	need(depth <= DOC_DEPTH_MAX + 1 && node_type(n) != NODE_ABSENT);
	text = node_string(n, &len);
	need(!text || strlen(text) == len);
	for (it = node_members(n); (member = node_next(&it)) != NULL; count++) {
		need(strlen(it.key) == it.key_len && node_get(n, it.key) == member);
		walk(member, depth + 1);
	}
	for (size_t i = 0; node_type(n) == NODE_ARRAY && i < node_count(n); i++, count++)
		walk(node_at(n, i), depth + 1);
	need(count == node_count(n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc *d, *again;
	struct buf once, twice;

	if (doc_parse(data, size, &d)) {
		need(d == NULL);
		return 0;
	}
	walk(doc_root(d), 1);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	need(node_print(doc_root(d), &once) == ERR_OK);
	need(doc_parse(once.data, once.len, &again) == ERR_OK);
	need(node_print(doc_root(again), &twice) == ERR_OK);
	need(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	buf_fini(&once);
	buf_fini(&twice);
	doc_free(d);
	doc_free(again);
	return 0;
}
