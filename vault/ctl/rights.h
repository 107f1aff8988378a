/* rights.h: what the commands on rights requests, holds and states of a customer share. */
#ifndef CTL_RIGHTS_H
#define CTL_RIGHTS_H

#include "base/json.h"
#include "ctl/commands.h"

/* Sends and shows the reply as an object. */
int rights_ask(const struct arguments *a, const char *method, const char *path, const struct buf *body);
/* Sends and shows the reply's "data" as a table of these columns, and that there is another page. */
int rights_ask_list(const struct arguments *a, const char *path, const char *const *columns);
/* The member "scope" of --fields, --classes, --records and --purposes; nothing where none is given. false: a list is empty. */
bool rights_put_scope(const struct arguments *a, struct json *j);
/* Waits for the end of a request, up to --seconds. */
int rights_watch(const struct arguments *a, const char *request);

#endif
