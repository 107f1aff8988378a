/* floor: post */
/* fuzz_url.c: post_url_valid: what it allows is https, or http to loopback where that is allowed. */
#include "post/post.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char url[1024];

	if (size >= sizeof url)
		return 0;
	memcpy(url, data, size);
	url[size] = 0;
	if (post_url_valid(url, false) && strncasecmp(url, "https://", 8) != 0 && strncasecmp(url, "https:", 6) != 0)
		abort();
	if (post_url_valid(url, true) && !post_url_valid(url, false) && strncasecmp(url, "http:", 5) != 0)
		abort();
	return 0;
}
