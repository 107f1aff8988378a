/* floor: http */
/* spiffe_domain_len, spiffe_domain_valid: what is taken has the shape that policy and audit rely on. */
#include "http/credentials_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *id = malloc(len + 1);
	size_t domain;

	if (!id)
		return 0;
	memcpy(id, data, len);
	id[len] = 0;
	domain = spiffe_domain_len(id, len);
	if (domain > 0) {
		if (len > SPIFFE_ID_MAX || strlen(id) != len || !spiffe_domain_valid(id + 9, domain) ||
		    id[9 + domain] != '/' || id[len - 1] == '/' || strstr(id, "/../") || strstr(id + 9, "//"))
			abort();
	}
	free(id);
	return 0;
}
