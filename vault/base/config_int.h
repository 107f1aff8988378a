/* config_int.h: the table of config.h, shared by config.c and config_check.c. */
#ifndef BASE_CONFIG_INT_H
#define BASE_CONFIG_INT_H

#include "base/config.h"

#include <stddef.h>

enum config_type {
	CONFIG_TYPE_url,
	CONFIG_TYPE_address,
	CONFIG_TYPE_file,
	CONFIG_TYPE_key,
	CONFIG_TYPE_secret,
	CONFIG_TYPE_folder,
	CONFIG_TYPE_maybe,
	CONFIG_TYPE_path,
	CONFIG_TYPE_origin,
	CONFIG_TYPE_node,
	CONFIG_TYPE_country,
	CONFIG_TYPE_level,
	CONFIG_TYPE_port,
	CONFIG_TYPE_number
};

struct config_row {
	const char *name; /* without VAULT_ */
	enum config_type type;
	size_t offset; /* of the member in struct config */
	const char *fallback;
	int64_t least, most; /* of a number */
	const char *help;
};

extern const struct config_row config_rows[CONFIG_KEYS];

#endif
