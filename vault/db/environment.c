/* environment.c: a connection string as the environment of PostgreSQL's own programs. */
#include "vault/db/connection_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t count(const PQconninfoOption *options)
{
	size_t n = 0;

	while (options[n].keyword)
		n++;
	return n;
}

static char *variable(const PQconninfoOption *o)
{
	const size_t len = strlen(o->envvar) + strlen(o->val) + 2;
	char *text = malloc(len);

	if (text)
		snprintf(text, len, "%s=%s", o->envvar, o->val);
	return text;
}

enum err db_environment(const char *conninfo, char ***out)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	enum err e = ERR_OK;
	size_t n = 0;

	*out = options ? calloc(count(options) + 1, sizeof **out) : NULL;
	if (!options)
		return ERR_UNAVAILABLE;
	if (!*out)
		e = ERR_MEMORY;
	for (const PQconninfoOption *o = options; o->keyword && !e; o++) {
		if (!o->envvar || !o->val || !*o->val)
			continue;
		(*out)[n] = variable(o);
		if (!(*out)[n++])
			e = ERR_MEMORY;
	}
	PQconninfoFree(options);
	if (e) {
		db_environment_free(*out);
		*out = NULL;
	}
	return e;
}

void db_environment_free(char **environment)
{
	for (char **at = environment; at && *at; at++) {
		explicit_bzero(*at, strlen(*at));
		free(*at);
	}
	free(environment);
}
