/* embed.h: files compiled into the program: migrations and the shipped policy. */
#ifndef STORE_EMBED_H
#define STORE_EMBED_H

struct embedded {
	const char *path;  /* as in the source tree: "sql/0001_x.sql"; NULL ends the list */
	const char *start; /* a NUL stands at end */
	const char *end;
};

extern const struct embedded embedded[]; /* sorted by path within a folder */

#endif
