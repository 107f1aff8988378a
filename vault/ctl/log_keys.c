/* log_keys.c: the keys that a log is checked with, and how a fault is told. */
#include "base/json.h"
#include "ctl/log.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE_MAX 16384

/* The next line of a file of keys that is neither empty nor a comment; false: there is none. */
static bool next_line(const char **at, size_t *left, const char **line, size_t *len)
{
	while (*left) {
		const char *stop = memchr(*at, '\n', *left);

		*line = *at;
		*len = stop ? (size_t)(stop - *at) : *left;
		*left -= *len + (stop != NULL);
		*at += *len + (stop != NULL);
		if (*len && (*line)[0] != '#')
			return true;
	}
	return false;
}

bool log_key(const char *given, const char *option, enum note_type type, struct note_key *out)
{
	const char *at, *line = "";
	size_t left, len = 0;
	struct buf file;
	bool good = note_key_read(given, strlen(given), out) == ERR_OK;

	if (!good) {
		good = input_read(given, KEY_FILE_MAX, &file);
		at = (const char *)file.data;
		left = file.len;
		if (good && (!next_line(&at, &left, &line, &len) || note_key_read(line, len, out))) {
			complain(CTL_USAGE, "--%s: %s holds no verifier key: NAME+HEX+BASE64", option, given);
			good = false;
		}
		buf_fini(&file);
	}
	if (good && out->type != type) {
		complain(CTL_USAGE, "--%s: that is the key of a %s", option, type == NOTE_ED25519 ? "witness, not of a log" : "log, not of a witness");
		good = false;
	}
	return good;
}

static bool read_witnesses(const char *path, struct verify_keys *out)
{
	const char *at, *line;
	size_t left, len;
	struct buf file;
	bool good = input_read(path, KEY_FILE_MAX, &file);

	at = (const char *)file.data;
	left = file.len;
	while (good && next_line(&at, &left, &line, &len)) {
		struct note_key *key = &out->witnesses[out->n_witnesses];

		good = out->n_witnesses < VERIFY_WITNESSES_MAX && !note_key_read(line, len, key) && key->type == NOTE_COSIGNATURE;
		/* The same key twice would count as two witnesses. */
		for (size_t i = 0; good && i < out->n_witnesses; i++)
			good = memcmp(key->public_key, out->witnesses[i].public_key, SIGN_PUBLIC_LEN) != 0;
		if (!good)
			complain(CTL_USAGE, "--witnesses: %s must hold the verifier keys of at most %d different witnesses, one a line", path,
			         VERIFY_WITNESSES_MAX);
		out->n_witnesses++;
	}
	buf_fini(&file);
	return good;
}

bool log_keys(const struct arguments *a, struct verify_keys *out)
{
	const char *log = arguments_option(a, "log"), *witnesses = arguments_option(a, "witnesses"), *quorum = arguments_option(a, "quorum");
	long n;

	*out = (struct verify_keys){0};
	if (!log) {
		complain(CTL_USAGE, "--log is needed: the log's verifier key, or a file with it, got once by a way that you trust");
		return false;
	}
	if (!log_key(log, "log", NOTE_ED25519, &out->log) || (witnesses && !read_witnesses(witnesses, out)))
		return false;
	n = (long)out->n_witnesses;
	if (quorum && !input_number(quorum, 1, (long)out->n_witnesses, &n)) {
		complain(CTL_USAGE, "--quorum must be a number from 1 to that of the --witnesses");
		return false;
	}
	out->quorum = (size_t)n;
	return true;
}

bool log_checkpoint_file(const char *path, const struct verify_keys *keys, struct checkpoint *out)
{
	const struct verify_keys log_only = {.log = keys->log};
	struct verify_fault fault = {0};
	struct note note;
	struct buf file;
	size_t cosigned;
	bool good = input_read(path, NOTE_MAX, &file);

	buf_init(&fault.what, 1024);
	if (good && !verify_checkpoint(&log_only, (const char *)file.data, file.len, &note, out, &cosigned, &fault)) {
		complain(CTL_USAGE, "%s: is no checkpoint of this log: %s", path, verify_text(fault.check));
		good = false;
	}
	buf_fini(&fault.what);
	buf_fini(&file);
	return good;
}

static int tell_json(const struct verify_fault *fault)
{
	struct buf text;
	struct json j;
	int code;

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	json_key_bool(&j, "verified", false);
	json_key_string(&j, "check", verify_name(fault->check));
	if (fault->has_index) {
		json_key(&j, "index");
		json_uint(&j, fault->index);
	}
	json_key_string(&j, "text", verify_text(fault->check));
	json_object_end(&j);
	buf_byte(&text, '\n');
	code = output(&text);
	buf_fini(&text);
	return code == CTL_OK ? CTL_FAILED : code;
}

int log_tell_fault(const struct arguments *a, const struct verify_fault *fault)
{
	char place[40] = "";
	struct buf clean;
	int code;

	if (a->globals[GLOBAL_JSON])
		return tell_json(fault);
	if (fault->has_index)
		snprintf(place, sizeof place, " at record %" PRIu64, fault->index);
	buf_init(&clean, 0);
	text_clean((const char *)fault->what.data, fault->what.len, false, &clean);
	code = complain(CTL_FAILED, "%s%s: %s (%s)", verify_name(fault->check), place, verify_text(fault->check), buf_string(&clean));
	buf_fini(&clean);
	return code;
}
