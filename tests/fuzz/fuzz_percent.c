/* floor: http */
/* head_unescape: never grows, never leaves a control character but \x01, never a NUL inside. */
#include "http/http_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	size_t before, after;

	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	before = strlen(text);
	after = head_unescape(NULL, NULL, text);
	if (after > before || strlen(text) != after)
		abort();
	for (size_t i = 0; i < after; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != 1) || text[i] == 0x7f)
			abort();
	free(text);
	return 0;
}
