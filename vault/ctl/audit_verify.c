/* audit_verify.c: audit verify and audit verify-record: proofs without trust in the vault. */
#include "base/clock.h"
#include "base/json.h"
#include "ctl/log.h"
#include "ctl/record.h"
#include "ctl/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROOF_MAX (NOTE_MAX + 8192 + 2 * RECORD_MAX) /* hashes, and perhaps a line of extra data */

/* What a run knows of earlier ones. */
struct memory {
	char state[PATH_MAX]; /* "": none is kept */
	bool known;           /* the state file was there */
	int64_t told_us;      /* when progress was last shown; 0: never */
};

/* --state, else FILE.checkpoint beside the file of --log. */
static bool find_state(const struct arguments *a, struct memory *m)
{
	const char *state = arguments_option(a, "state"), *log = arguments_option(a, "log");
	const bool beside = !state && access(log, F_OK) == 0;
	int n = 0;

	if (state || beside)
		n = snprintf(m->state, sizeof m->state, "%s%s", state ? state : log, beside ? ".checkpoint" : "");
	if (n < (int)sizeof m->state)
		return true;
	complain(CTL_USAGE, "--state: the path is too long");
	return false;
}

static bool read_memory(const struct arguments *a, struct memory *m, struct verify_job *job)
{
	const char *earlier = arguments_option(a, "earlier");

	if (!find_state(a, m))
		return false;
	m->known = m->state[0] && access(m->state, F_OK) == 0;
	if (m->known && !log_checkpoint_file(m->state, &job->keys, &job->earlier[job->n_earlier++]))
		return false;
	return !earlier || log_checkpoint_file(earlier, &job->keys, &job->earlier[job->n_earlier++]);
}

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct memory *m = ctx;
	const int64_t now = clock_mono_us();

	if (now - m->told_us < 200000)
		return;
	m->told_us = now;
	fprintf(stderr, "\r%llu of %llu records", (unsigned long long)done, (unsigned long long)all);
}

static void put_time(struct buf *out, int64_t at_us)
{
	char text[CLOCK_TEXT_LEN];

	clock_format(at_us, text);
	buf_text(out, text);
}

static void put_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

static void show_proven(const struct verify_job *job, const struct verify_result *r, struct buf *out)
{
	const struct checkpoint *c = &r->checkpoint;

	buf_text(out, "The log is whole: ");
	text_clean(c->origin, strlen(c->origin), false, out);
	buf_printf(out, "\n\nrecords      %llu, each with the hash that the signed tree has for it\n", (unsigned long long)c->size);
	buf_printf(out, "streams      %zu, none with a gap, none without the end of the one before it\n", r->streams);
	if (c->size) {
		buf_text(out, "time         ");
		put_time(out, r->first_us);
		buf_text(out, " to ");
		put_time(out, r->last_us);
		buf_byte(out, '\n');
	}
	buf_text(out, "root         ");
	put_hex(out, c->root, sizeof c->root);
	buf_printf(out, "\nsigned       by the log's key; by %zu of %zu witnesses\n", r->cosigned, job->keys.n_witnesses);
	for (size_t i = 0; i < job->n_earlier; i++)
		buf_printf(out, "begins with  the %llu records of an earlier checkpoint\n", (unsigned long long)job->earlier[i].size);
	if (r->begin.len) {
		buf_text(out, "begins       behind a break, as its first record says; what came before is in an older log:\n             ");
		text_clean((const char *)r->begin.data, r->begin.len, false, out);
		buf_byte(out, '\n');
	}
	if (job->n_earlier == 0)
		buf_text(out, "begins with  nothing known: no earlier checkpoint was given\n");
}

static void show_json(const struct verify_job *job, const struct verify_result *r, struct buf *out)
{
	const struct checkpoint *c = &r->checkpoint;
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key_bool(&j, "verified", true);
	json_key_string(&j, "origin", c->origin);
	json_key_int(&j, "size", (int64_t)c->size);
	json_key(&j, "root");
	json_hex(&j, c->root, sizeof c->root);
	json_key_int(&j, "streams", (int64_t)r->streams);
	json_key_int(&j, "cosignatures", (int64_t)r->cosigned);
	json_key_bool(&j, "behind_break", r->begin.len > 0);
	json_key(&j, "earlier");
	json_array(&j);
	for (size_t i = 0; i < job->n_earlier; i++)
		json_uint(&j, job->earlier[i].size);
	json_array_end(&j);
	json_object_end(&j);
	buf_byte(out, '\n');
}

/* Keeps what was proved, then tells it: what is told is remembered. */
static int conclude(const struct arguments *a, const struct verify_job *job, const struct memory *m, const struct verify_result *r)
{
	struct buf text, why;
	int code = CTL_OK;

	buf_init(&text, 0);
	buf_init(&why, 0);
	if (m->state[0] && !file_replace(m->state, r->note.data, r->note.len, &why))
		code = complain(CTL_SERVER, "%s", buf_string(&why));
	if (code == CTL_OK) {
		if (a->globals[GLOBAL_JSON])
			show_json(job, r, &text);
		else
			show_proven(job, r, &text);
		code = output(&text);
	}
	buf_fini(&text);
	buf_fini(&why);
	return code;
}

static int verify(const struct arguments *a, struct verify_job *job, struct memory *m)
{
	struct verify_result result;
	enum err e;
	int code;

	job->progress = isatty(STDERR_FILENO) ? on_progress : NULL;
	job->ctx = m;
	e = verify_log(job, &result);
	if (m->told_us)
		fputc('\n', stderr);
	if (e)
		code = complain(CTL_SERVER, "the log could not be read to its end: %s", err_text(e));
	else if (result.fault.check)
		code = log_tell_fault(a, &result.fault);
	else
		code = conclude(a, job, m, &result);
	verify_result_fini(&result);
	return code;
}

int command_audit_verify(const struct arguments *a)
{
	const char *where = a->words[0];
	struct log_remote remote = {.a = a, .url = where};
	struct log_folder folder;
	struct verify_job job = {0};
	struct memory memory = {0};
	int code;

	if (!log_keys(a, &job.keys) || !read_memory(a, &memory, &job))
		return CTL_USAGE;
	if (log_is_url(where)) {
		job.source = log_remote_source(&remote);
		code = verify(a, &job, &memory);
		return remote.code != CTL_OK ? remote.code : code;
	}
	if (!log_folder_open(where, &folder))
		return CTL_USAGE;
	job.source = log_folder_source(&folder);
	code = verify(a, &job, &memory);
	log_folder_close(&folder);
	return code;
}

/* ---- one record ---- */

/* What is known of the record: all, or that there is one of this hash. */
static int describe(const struct arguments *a, const struct buf *record, struct buf *out)
{
	const char *wanted = arguments_option(a, "id");
	struct record facts;
	char id[48];

	if (!record->len) {
		buf_text(out, "The record was not shown: what it says is not proved, only that the vault can't deny or change it.\n");
		return CTL_OK;
	}
	if (!record_read((const char *)record->data, record->len, &facts))
		return complain(CTL_FAILED, "record_form: %s", verify_text(VERIFY_RECORD_FORM));
	snprintf(id, sizeof id, "%lld-%lld", (long long)facts.stream, (long long)facts.seq);
	if (wanted && strcmp(id, wanted) != 0)
		return complain(CTL_FAILED, "the record is in the log, but its id is %s", id);
	buf_printf(out, "id        %s\ntime      ", id);
	put_time(out, facts.at_us);
	buf_byte(out, '\n');
	return CTL_OK;
}

static int show_record(const struct arguments *a, const struct verify_result *r, const struct buf *record)
{
	struct buf text;
	int code;

	buf_init(&text, 0);
	buf_text(&text, "The record is in the log: ");
	text_clean(r->checkpoint.origin, strlen(r->checkpoint.origin), false, &text);
	buf_text(&text, "\n\n");
	code = describe(a, record, &text);
	buf_printf(&text, "records   %llu at the checkpoint\nsigned    by the log's key, and by %zu witnesses\n",
	           (unsigned long long)r->checkpoint.size, r->cosigned);
	if (code == CTL_OK)
		code = output(&text);
	buf_fini(&text);
	return code;
}

/* The record's file, where one is given. */
static bool read_record(const struct arguments *a, struct buf *record)
{
	if (a->n_words < 2) {
		if (arguments_option(a, "id"))
			complain(CTL_USAGE, "--id needs the record: a proof alone does not say which it is of");
		return !arguments_option(a, "id");
	}
	if (!input_read(a->words[1], RECORD_MAX + 1, record))
		return false;
	if (record->len && record->data[record->len - 1] == '\n') /* of the file; no record ends so */
		buf_truncate(record, record->len - 1);
	if (record->len == 0)
		complain(CTL_USAGE, "%s: is empty", a->words[1]);
	return record->len > 0;
}

int command_audit_verify_record(const struct arguments *a)
{
	struct verify_keys keys;
	struct verify_result result;
	struct buf proof = {0}, record = {0};
	int code = CTL_USAGE;
	enum err e;

	if (!log_keys(a, &keys) || !input_read(a->words[0], PROOF_MAX, &proof) || !read_record(a, &record))
		goto out;
	e = verify_record(&keys, (const char *)proof.data, proof.len, record.len ? record.data : NULL, record.len, &result);
	if (e)
		code = complain(CTL_SERVER, "the proof could not be checked: %s", err_text(e));
	else if (result.fault.check)
		code = log_tell_fault(a, &result.fault);
	else
		code = show_record(a, &result, &record);
	verify_result_fini(&result);
out:
	buf_fini(&proof);
	buf_fini(&record);
	return code;
}
