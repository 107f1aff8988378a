/* floor: ctl */
/* The manifest of a folder of backups: whatever parses names files in the folder alone, and prints as what parses to the same. */
#include "vault/ctl/backup_folder.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	if (strchr(name, '/') || strchr(name, '\'') || !strcmp(name, "..") || !*name)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct backup_manifest m, again;
	struct buf text;

	if (backup_parse(data, size, &m))
		return 0;
	check_name(m.keys.name);
	for (size_t i = 0; i < m.n_data; i++)
		check_name(m.data[i].name);
	buf_init(&text, 0);
	backup_print(&m, &text);
	if (!buf_ok(&text) || backup_parse(text.data, text.len, &again) || memcmp(&m, &again, sizeof m) != 0)
		abort();
	buf_fini(&text);
	return 0;
}
