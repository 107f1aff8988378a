/* floor: http */
/* deny_parse, deny_has: each entry that was read is found again; a serial has one form. */
#include "http/credentials_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char serial[CREDENTIALS_SERIAL_MAX], again[CREDENTIALS_SERIAL_MAX];
	struct deny_list d;
	size_t line;

	if (deny_parse(&d, (const char *)data, len, &line) == ERR_OK) {
		for (size_t i = 0; i < d.n; i++)
			if (!deny_has(&d, d.entries[i]))
				abort();
		deny_fini(&d);
	}
	if (deny_serial((const char *)data, len, serial) &&
	    (!deny_serial(serial, strlen(serial), again) || strcmp(serial, again) != 0))
		abort();
	return 0;
}
