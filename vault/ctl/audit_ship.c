/* audit_ship.c: audit ship: copies the log to a file or to standard output, record by record and without end, for a SIEM.
 *
 * A cursor file holds the number of the next record of each stream. It is written, with fsync, after what it stands for
 * has been delivered (with fsync where that is a file): a crash delivers some records again, and loses none. The
 * vault's stream of new records says when there is something to copy; a record whose number is not the next of its
 * stream, as after a pause, makes this ask for the log by stream (GET /v1/audit/streams) until nothing is missing. */
#include "base/clock.h"
#include "base/json.h"
#include "ctl/audit_format.h"
#include "ctl/commands.h"
#include "ctl/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAVE_US 200000
#define RETRY_S 2

struct place {
	int64_t stream, next_seq;
};

struct ship {
	const struct arguments *a;
	enum audit_format format;
	const char *cursor_path, *out_path;
	FILE *out;
	bool to_file;
	struct place *places;
	size_t n, cap;
	bool unsaved;
	int64_t saved_us;
	bool caught_up; /* since the stream of new records was opened */
	int code;
};

/* ---- places ---- */

static struct place *place_of(struct ship *s, int64_t stream)
{
	for (size_t i = s->n; i > 0; i--) /* those that grow are the newest */
		if (s->places[i - 1].stream == stream)
			return &s->places[i - 1];
	if (s->n == s->cap) {
		const size_t cap = s->cap ? 2 * s->cap : 64;
		struct place *moved = realloc(s->places, cap * sizeof *moved);

		if (!moved)
			return NULL;
		s->places = moved;
		s->cap = cap;
	}
	s->places[s->n] = (struct place){stream, 1};
	return &s->places[s->n++];
}

static int load(struct ship *s)
{
	struct node_iter it;
	struct doc *doc = NULL;
	const struct node *seq;
	struct buf text;
	int code = CTL_OK;

	if (access(s->cursor_path, F_OK) && errno == ENOENT)
		return CTL_OK; /* from the beginning of the log */
	buf_init(&text, 0);
	if (!input_read(s->cursor_path, (size_t)64 << 20, &text))
		code = CTL_USAGE;
	else if (doc_parse(text.data, text.len, &doc) != ERR_OK || node_type(node_get(doc_root(doc), "streams")) != NODE_OBJECT)
		code = complain(CTL_USAGE, "%s is no cursor of audit ship", s->cursor_path);
	it = node_members(code == CTL_OK ? node_get(doc_root(doc), "streams") : NULL);
	while (code == CTL_OK && (seq = node_next(&it))) {
		const int64_t stream = strtoll(it.key, NULL, 10);
		struct place *p = stream > 0 && node_int(seq) > 0 ? place_of(s, stream) : NULL;

		if (p)
			p->next_seq = node_int(seq);
		else
			code = complain(CTL_USAGE, "%s is no cursor of audit ship", s->cursor_path);
	}
	buf_fini(&text);
	doc_free(doc);
	return code;
}

/* What was delivered is on disk, or in the pipe, before the cursor says so. */
static int save(struct ship *s)
{
	struct buf text, why;
	int code = CTL_OK;

	s->saved_us = clock_mono_us();
	if (!s->unsaved)
		return CTL_OK;
	if (fflush(s->out) || (s->to_file && fdatasync(fileno(s->out))))
		return complain(CTL_SERVER, "%s: %s", s->out_path, strerror(errno));
	buf_init(&text, 0);
	buf_init(&why, 0);
	buf_text(&text, "{\"streams\":{");
	for (size_t i = 0; i < s->n; i++)
		buf_printf(&text, "%s\"%lld\":%lld", i ? "," : "", (long long)s->places[i].stream, (long long)s->places[i].next_seq);
	buf_text(&text, "}}\n");
	if (!buf_ok(&text) || !file_replace(s->cursor_path, text.data, text.len, &why))
		code = complain(CTL_SERVER, "%s", buf_string(&why));
	s->unsaved = code != CTL_OK;
	buf_fini(&text);
	buf_fini(&why);
	return code;
}

/* ---- delivery ---- */

/* "12-3051" */
static bool read_id(const struct node *record, int64_t *stream, int64_t *seq)
{
	size_t len = 0;
	const char *text = node_string(node_get(record, "id"), &len);
	char *end = NULL;

	if (!text)
		return false;
	*stream = strtoll(text, &end, 10);
	if (*stream <= 0 || *end != '-')
		return false;
	*seq = strtoll(end + 1, &end, 10);
	return *seq > 0 && !*end;
}

static int deliver(struct ship *s, const struct node *record, struct place *p, int64_t seq)
{
	struct buf line;
	int code = CTL_OK;

	buf_init(&line, 0);
	audit_format_put(s->format, record, &line);
	if (!buf_ok(&line))
		code = complain(CTL_SERVER, "out of memory");
	else if (fwrite(line.data, 1, line.len, s->out) != line.len)
		code = complain(CTL_SERVER, "%s: %s", s->out_path, strerror(errno));
	buf_fini(&line);
	if (code == CTL_OK) {
		p->next_seq = seq + 1;
		s->unsaved = true;
	}
	return code;
}

static int ask(struct ship *s, const char *path, struct doc **doc)
{
	const struct client_request r = {.method = "GET", .path = path};
	struct buf body;
	int code = remote_send(s->a, &r, &body);

	*doc = NULL;
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	buf_fini(&body);
	return code;
}

/* Up to where the stream ended when it was asked for. */
static int copy_stream(struct ship *s, int64_t stream, int64_t end)
{
	struct place *p = place_of(s, stream);
	int code = p ? CTL_OK : complain(CTL_SERVER, "out of memory");

	while (code == CTL_OK && p->next_seq < end) {
		const int64_t before = p->next_seq;
		const struct node *data;
		struct doc *doc;
		char path[96];

		snprintf(path, sizeof path, "/v1/audit/streams/%lld?from=%lld", (long long)stream, (long long)p->next_seq);
		code = ask(s, path, &doc);
		data = code == CTL_OK ? node_get(doc_root(doc), "data") : NULL;
		for (size_t i = 0; i < node_count(data) && code == CTL_OK; i++) {
			int64_t of = 0, seq = 0;

			if (!read_id(node_at(data, i), &of, &seq) || of != stream || seq != p->next_seq)
				code = complain(CTL_FAILED, "record %lld-%lld is missing from the log", (long long)stream, (long long)p->next_seq);
			else
				code = deliver(s, node_at(data, i), p, seq);
		}
		doc_free(doc);
		if (code == CTL_OK && p->next_seq == before)
			code = complain(CTL_FAILED, "record %lld-%lld is missing from the log", (long long)stream, (long long)before);
		if (code == CTL_OK)
			code = save(s);
	}
	return code;
}

static int catch_up(struct ship *s)
{
	int64_t after = 0;
	int code = CTL_OK;

	do {
		const struct node *data;
		struct doc *doc;
		char path[64];

		snprintf(path, sizeof path, "/v1/audit/streams?after=%lld", (long long)after);
		code = ask(s, path, &doc);
		data = code == CTL_OK ? node_get(doc_root(doc), "data") : NULL;
		after = code == CTL_OK ? node_int(node_get(doc_root(doc), "next")) : 0;
		for (size_t i = 0; i < node_count(data) && code == CTL_OK; i++)
			code = copy_stream(s, node_int(node_get(node_at(data, i), "stream")), node_int(node_get(node_at(data, i), "next_seq")));
		doc_free(doc);
	} while (code == CTL_OK && after > 0);
	return code == CTL_OK ? save(s) : code;
}

/* ---- new records ---- */

static int take_live(struct ship *s, const struct node *record)
{
	int64_t stream = 0, seq = 0;
	struct place *p;

	if (!read_id(record, &stream, &seq))
		return CTL_UNREACHED; /* {"error":...}: the vault ends the stream; it is opened anew */
	p = place_of(s, stream);
	if (!p)
		return complain(CTL_SERVER, "out of memory");
	if (!s->caught_up || seq > p->next_seq) {
		s->caught_up = true;
		return catch_up(s); /* this record is committed, so it is among those */
	}
	return seq == p->next_seq ? deliver(s, record, p, seq) : CTL_OK;
}

static bool on_line(void *ctx, const char *line, size_t len)
{
	struct ship *s = ctx;
	struct doc *doc = NULL;

	if (doc_parse(line, len, &doc) != ERR_OK)
		s->code = complain(CTL_SERVER, "a line of the stream is no record");
	else
		s->code = take_live(s, doc_root(doc));
	doc_free(doc);
	if (s->code == CTL_OK && fflush(s->out))
		s->code = complain(CTL_SERVER, "%s: %s", s->out_path, strerror(errno));
	if (s->code == CTL_OK && clock_mono_us() - s->saved_us > SAVE_US)
		s->code = save(s);
	return s->code == CTL_OK;
}

/* What can get better by itself is tried again; what can't ends it. */
static int follow(struct ship *s)
{
	const struct client_request r = {.method = "GET", .path = "/v1/audit/records?follow=true", .line = on_line, .ctx = s};
	int code = CTL_OK;

	while (code == CTL_OK) {
		struct buf body;

		s->caught_up = false;
		s->code = CTL_OK;
		buf_init(&body, 0);
		code = remote_send(s->a, &r, &body);
		buf_fini(&body);
		if (s->code != CTL_OK && s->code != CTL_UNREACHED)
			return s->code;
		if (code == CTL_OK || code == CTL_UNREACHED || code == CTL_SERVER) {
			code = save(s);
			sleep(RETRY_S);
		}
	}
	return code;
}

/* ---- begin ---- */

static int open_output(struct ship *s)
{
	const char *path = arguments_option(s->a, "output");
	int fd;
	char last = '\n';

	s->to_file = path && strcmp(path, "-") != 0;
	s->out_path = s->to_file ? path : "standard output";
	s->out = stdout;
	if (!s->to_file)
		return CTL_OK;
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	s->out = fd < 0 ? NULL : fdopen(fd, "a");
	if (!s->out)
		return complain(CTL_USAGE, "%s: %s", path, strerror(errno));
	if (lseek(fd, -1, SEEK_END) >= 0 && read(fd, &last, 1) == 1 && last != '\n' && fputc('\n', s->out) == EOF) /* a line that a crash cut off */
		return complain(CTL_SERVER, "%s: %s", path, strerror(errno));
	return CTL_OK;
}

int command_audit_ship(const struct arguments *a)
{
	struct ship s = {.a = a, .cursor_path = arguments_option(a, "cursor"), .out = NULL};
	struct buf why;
	int code = CTL_OK;

	buf_init(&why, 0);
	if (!s.cursor_path)
		code = complain(CTL_USAGE, "--cursor is needed: where to note what was delivered");
	else if (!audit_format_of(arguments_option(a, "format"), &s.format))
		code = complain(CTL_USAGE, "--format must be native, ocsf or ecs");
	else if (!file_lock(s.cursor_path, &why))
		code = complain(CTL_REFUSED, "%s", buf_string(&why));
	if (code == CTL_OK)
		code = load(&s);
	if (code == CTL_OK)
		code = open_output(&s);
	if (code == CTL_OK)
		code = arguments_option(a, "once") ? catch_up(&s) : follow(&s);
	if (s.out && s.to_file && fclose(s.out) && code == CTL_OK)
		code = complain(CTL_SERVER, "%s: %s", s.out_path, strerror(errno));
	free(s.places);
	buf_fini(&why);
	return code;
}
