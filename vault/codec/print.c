/* print.c: a parsed value back to text. */
#include "base/json.h"
#include "codec/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest digits that read back as the same double; jansson would print
 * 0.1 as 0.10000000000000001. */
static void print_real(struct json *j, double v)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	for (char *at = text; *at; at++)
		if (*at == ',') /* a locale's decimal sign */
			*at = '.';
	if (!strpbrk(text, ".e"))
		memcpy(text + strlen(text), ".0", 3);
	json_raw(j, text, strlen(text));
	explicit_bzero(text, sizeof text);
}

static void print(struct json *j, const struct node *n)
{
	struct node_iter it;
	const struct node *member;
	const char *text;
	size_t len;

	switch (node_type(n)) {
	case NODE_OBJECT:
		json_object(j);
		for (it = node_members(n); (member = node_next(&it)) != NULL;) {
			json_string_len(j, it.key, it.key_len);
			buf_byte(j->out, ':');
			j->comma = false;
			print(j, member);
		}
		json_object_end(j);
		break;
	case NODE_ARRAY:
		json_array(j);
		for (size_t i = 0; i < node_count(n); i++)
			print(j, node_at(n, i));
		json_array_end(j);
		break;
	case NODE_STRING:
		text = node_string(n, &len);
		json_string_len(j, text, len);
		break;
	case NODE_INT: json_int(j, node_int(n)); break;
	case NODE_REAL: print_real(j, node_real(n)); break;
	case NODE_BOOL: json_bool(j, node_bool(n)); break;
	case NODE_NULL:
	case NODE_ABSENT:
	default: json_null(j); break;
	}
}

enum err node_print(const struct node *n, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	print(&j, n);
	return buf_err(out);
}
