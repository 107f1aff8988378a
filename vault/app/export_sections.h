/* export_sections.h: the sections of an archive that are lists: each item a JSON object, with its columns for people. */
#ifndef APP_EXPORT_SECTIONS_H
#define APP_EXPORT_SECTIONS_H

#include "vault/app/export_files.h"

#define EXPORT_COLUMNS_MAX 9

struct export_column {
	const char *key, *en, *zh; /* a member of the items */
	bool words;                /* its texts are the vault's own, not the person's */
};
struct export_section {
	const char *key, *en, *zh; /* a member of data.json */
	struct export_column columns[EXPORT_COLUMNS_MAX];
	/* Calls item for each, oldest or newest first as the source has them; memory stays flat. */
	enum err (*each)(struct export_writer *w, export_item *item, void *ctx);
};
/* Ended by a NULL key. The consents come first: the notices are those that they refer to. */
extern const struct export_section export_sections[];

/* What people read in place of a name or word, in English and Chinese; NULL: the word itself will do. */
struct export_word {
	const char *word, *en, *zh;
};
const struct export_word *export_word(const char *word);

#endif
