/* floor: base */
/* config_load over any bytes as the file: no crash, and each refusal has its line. */
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("config", MFD_CLOEXEC);
	struct config c;
	struct buf report;
	char path[32];
	enum err e;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	buf_init(&report, 0);
	e = config_load(&c, path, &report);
	if (e != (report.len ? ERR_CONFIG : ERR_OK))
		abort();
	config_fini(&c);
	buf_fini(&report);
	close(fd);
	return 0;
}
