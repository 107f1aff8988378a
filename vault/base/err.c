/* err.c: the table behind err.h. */
#include "base/err.h"

static const struct {
	int status;
	const char *code;
	const char *text;
} table[ERR_COUNT] = {
#define X(name, status, code, text) [name] = {status, code, text},
	ERR_LIST(X)
#undef X
};

static enum err known(enum err e)
{
	return (unsigned)e < (unsigned)ERR_COUNT ? e : ERR_INTERNAL;
}

int err_status(enum err e)
{
	return table[known(e)].status;
}

const char *err_code(enum err e)
{
	return table[known(e)].code;
}

const char *err_text(enum err e)
{
	return table[known(e)].text;
}
