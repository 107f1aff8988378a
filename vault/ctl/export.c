/* export.c: fetches the archive of a rights request, part by part. */
#include "ctl/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How many parts the archive has; 0: none. */
static int ask_parts(const struct arguments *a, int64_t *parts)
{
	struct client_request r = {.method = "GET"};
	struct buf path, body;
	struct doc *doc = NULL;
	int code;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s", a->words[0]);
	r.path = buf_string(&path);
	code = remote_send(a, &r, &body);
	if (code == CTL_OK) {
		if (doc_parse(body.data, body.len, &doc))
			code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
		*parts = node_int(node_get(node_get(doc_root(doc), "request"), "total"));
		doc_free(doc);
		buf_fini(&body);
	}
	buf_fini(&path);
	return code;
}

static int fetch_part(const struct arguments *a, int64_t part, FILE *to)
{
	struct client_request r = {.method = "GET"};
	struct buf path, body;
	int code;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s/export?part=%lld", a->words[0], (long long)part);
	r.path = buf_string(&path);
	code = remote_send(a, &r, &body);
	if (code == CTL_OK) {
		if (fwrite(body.data, 1, body.len, to) != body.len)
			code = complain(CTL_SERVER, "%s: %s", a->words[1], strerror(errno));
		buf_fini(&body);
	}
	buf_fini(&path);
	return code;
}

static int fetch_all(const struct arguments *a, FILE *to)
{
	const bool people = isatty(STDERR_FILENO);
	int64_t parts = 0;
	int code = ask_parts(a, &parts);

	for (int64_t part = 0; code == CTL_OK && (part < parts || part == 0); part++) {
		code = fetch_part(a, part, to);
		if (code == CTL_OK && people)
			fprintf(stderr, "\r%lld of %lld", (long long)part + 1, (long long)parts);
	}
	if (people)
		fputc('\n', stderr);
	return code;
}

int command_export_get(const struct arguments *a)
{
	FILE *to;
	int code, fd;

	if (!input_is_request(a->words[0]))
		return complain(CTL_USAGE, "%s is no rights request", a->words[0]);
	fd = open(a->words[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* for its owner alone */
	to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!to)
		return complain(errno == EEXIST ? CTL_REFUSED : CTL_SERVER, "%s: %s", a->words[1], strerror(errno));
	code = fetch_all(a, to);
	if (fclose(to) && code == CTL_OK)
		code = complain(CTL_SERVER, "%s: %s", a->words[1], strerror(errno));
	if (code != CTL_OK)
		unlink(a->words[1]);
	return code;
}
