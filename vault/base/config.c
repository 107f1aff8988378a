/* config.c: reads the configuration. No message of this file may hold a value:
 * connection strings carry passwords, and a value may stand under the wrong key. */
#include "base/config_int.h"

#include "base/near.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "VAULT_"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define FILE_MAX ((size_t)1 << 20)
#define VALUE_MAX 4096

extern char **environ;

const struct config_row config_rows[CONFIG_KEYS] = {
#define X(key, member, type, fallback, least, most, help)                                                              \
	[CONFIG_##key] = {#key, CONFIG_TYPE_##type, offsetof(struct config, member), fallback, least, most, help},
    CONFIG_LIST(X)
#undef X
};

/* They belong to vaultctl, whose environment an operator may share with vaultd. */
static const char *const client_keys[] = {"URL", "CERT", "CLIENT_KEY", "CA", "PURPOSE"};
#define CLIENT_KEYS (sizeof client_keys / sizeof *client_keys)

/* Where a setting stands: a line of the file, or CONFIG_FROM_*. */
struct source {
	struct config *config;
	uint32_t from;
	struct buf *report;
};

static void place(const char *file, uint32_t from, struct buf *report)
{
	if (from == CONFIG_FROM_DEFAULT)
		buf_text(report, "default: ");
	else if (from == CONFIG_FROM_ENVIRONMENT)
		buf_text(report, "environment: ");
	else
		buf_printf(report, "%s:%u: ", file, from);
}

void config_origin(const struct config *c, enum config_key key, struct buf *report)
{
	place(c->file, c->from[key], report);
	buf_printf(report, PREFIX "%s: ", config_rows[key].name);
}

static bool is_number(enum config_type type)
{
	return type == CONFIG_TYPE_port || type == CONFIG_TYPE_number;
}

static void *member(struct config *c, enum config_key key)
{
	return (char *)c + config_rows[key].offset;
}

const char *config_text(const struct config *c, enum config_key key)
{
	const char *text;

	if (is_number(config_rows[key].type))
		return NULL;
	memcpy(&text, (const char *)c + config_rows[key].offset, sizeof text);
	return text;
}

const char *config_name(enum config_key key)
{
	static const char *const names[CONFIG_KEYS] = {
#define X(key, member, type, fallback, least, most, help) [CONFIG_##key] = PREFIX #key,
	    CONFIG_LIST(X)
#undef X
	};

	return names[key];
}

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static bool all_of(const char *value, const char *set, size_t least, size_t most)
{
	const size_t len = strlen(value);

	return len >= least && len <= most && strspn(value, set) == len;
}

#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

/* What is wrong with a text-like value, or NULL. */
static const char *text_fault(enum config_type type, const char *value)
{
	unsigned char address[sizeof(struct in6_addr)];

	switch (type) {
	case CONFIG_TYPE_address:
		if (inet_pton(AF_INET, value, address) == 1 || inet_pton(AF_INET6, value, address) == 1)
			return NULL;
		return "must be an IPv4 or IPv6 address";
	case CONFIG_TYPE_origin:
		return all_of(value, UPPER LOWER DIGITS "./-_~:", 1, 200) ? NULL : "must be 1 to 200 of [A-Za-z0-9./-_~:]";
	case CONFIG_TYPE_node:
		return all_of(value, UPPER LOWER DIGITS "._-", 1, 64) ? NULL : "must be 1 to 64 of [A-Za-z0-9._-]";
	case CONFIG_TYPE_country:
		return all_of(value, UPPER, 2, 2) ? NULL : "must be two capital letters (ISO 3166)";
	case CONFIG_TYPE_level:
		if (!strcmp(value, "debug") || !strcmp(value, "info") || !strcmp(value, "warn") || !strcmp(value, "error"))
			return NULL;
		return "must be debug, info, warn or error";
	case CONFIG_TYPE_file:
	case CONFIG_TYPE_key:
	case CONFIG_TYPE_secret:
	case CONFIG_TYPE_folder: return *value ? NULL : "must not be empty";
	case CONFIG_TYPE_url:
	case CONFIG_TYPE_maybe:
	case CONFIG_TYPE_path:
	case CONFIG_TYPE_port:
	case CONFIG_TYPE_number: break;
	}
	return NULL;
}

static bool read_number(const char *value, int64_t *out)
{
	if (!all_of(value, DIGITS, 1, 18))
		return false;
	*out = strtoll(value, NULL, 10);
	return true;
}

/* A fault goes to the report; only ERR_MEMORY is returned. */
static enum err set_number(struct source *s, enum config_key key, const char *value)
{
	const struct config_row *row = &config_rows[key];
	int64_t number;

	if (!read_number(value, &number) || number < row->least || number > row->most) {
		place(s->config->file, s->from, s->report);
		buf_printf(s->report, PREFIX "%s: must be a number from %lld to %lld\n", row->name, (long long)row->least,
		           (long long)row->most);
		return ERR_OK;
	}
	memcpy(member(s->config, key), &number, sizeof number);
	s->config->from[key] = s->from;
	return ERR_OK;
}

static enum err set_text(struct source *s, enum config_key key, const char *value)
{
	const char *fault = text_fault(config_rows[key].type, value);
	char *copy, *old;

	if (!fault && strlen(value) > VALUE_MAX)
		fault = "is too long";
	for (const char *c = value; *c && !fault; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			fault = "holds a control character";
	if (fault) {
		place(s->config->file, s->from, s->report);
		buf_printf(s->report, PREFIX "%s: %s\n", config_rows[key].name, fault);
		return ERR_OK;
	}
	copy = strdup(value);
	if (!copy)
		return ERR_MEMORY;
	memcpy(&old, member(s->config, key), sizeof old);
	wipe_free(old);
	memcpy(member(s->config, key), &copy, sizeof copy);
	s->config->from[key] = s->from;
	return ERR_OK;
}

static enum err set(struct source *s, enum config_key key, const char *value)
{
	return is_number(config_rows[key].type) ? set_number(s, key, value) : set_text(s, key, value);
}

static bool find(const char *name, enum config_key *key)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (!strcmp(name, config_rows[i].name)) {
			*key = (enum config_key)i;
			return true;
		}
	return false;
}

static bool is_client_key(const char *name)
{
	for (size_t i = 0; i < CLIENT_KEYS; i++)
		if (!strcmp(name, client_keys[i]))
			return true;
	return false;
}

/* A word without the prefix may be anything (a line of base64 ends in '=' too): it is not shown. */
static void unknown(const struct source *s, const char *name)
{
	const char *known[CONFIG_KEYS];
	const bool ours = !strncmp(name, PREFIX, PREFIX_LEN);
	const char *near;

	for (size_t i = 0; i < CONFIG_KEYS; i++)
		known[i] = ours ? config_rows[i].name : config_name((enum config_key)i);
	near = near_word(ours ? name + PREFIX_LEN : name, known, CONFIG_KEYS);
	place(s->config->file, s->from, s->report);
	buf_printf(s->report, "%s: ", ours ? name : "a key without " PREFIX);
	if (ours && is_client_key(name + PREFIX_LEN))
		buf_text(s->report, "belongs to vaultctl, which reads it from its environment\n");
	else if (near)
		buf_printf(s->report, "unknown key; near: %s%s\n", ours ? PREFIX : "", near);
	else
		buf_text(s->report, "unknown key\n");
}

/* ---- the file ---- */

static char *trim(char *start, char *end)
{
	while (start < end && strchr(" \t\r", *start))
		start++;
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	*end = 0;
	return start;
}

/* The value without its quotes, in place; NULL for a quote that does not close or that something follows. */
static char *unquote(char *value)
{
	const size_t len = strlen(value);

	if (*value != '"')
		return value;
	if (len < 2 || strchr(value + 1, '"') != value + len - 1)
		return NULL;
	value[len - 1] = 0;
	return value + 1;
}

/* Control characters end in set(); a NUL would hide the rest of a line from it. */
static enum err read_line(struct source *s, char *line, char *end)
{
	const bool has_nul = memchr(line, 0, (size_t)(end - line)) != NULL;
	char *at = trim(line, end), *equals, *name, *value;
	enum config_key key;

	if (!has_nul && (*at == 0 || *at == '#'))
		return ERR_OK;
	equals = strchr(at, '=');
	name = equals ? trim(at, equals) : at;
	/* What is no plain word may be part of a value: it is not shown. */
	if (has_nul || !equals || !all_of(name, UPPER LOWER DIGITS "_", 1, NEAR_WORD_MAX)) {
		place(s->config->file, s->from, s->report);
		buf_text(s->report, "a line that is not KEY=VALUE\n");
		return ERR_OK;
	}
	if (strncmp(name, PREFIX, PREFIX_LEN) || !find(name + PREFIX_LEN, &key)) {
		unknown(s, name);
		return ERR_OK;
	}
	if (s->config->from[key] != CONFIG_FROM_DEFAULT) {
		place(s->config->file, s->from, s->report);
		buf_printf(s->report, "%s: stands in line %u already\n", name, s->config->from[key]);
		return ERR_OK;
	}
	value = unquote(trim(equals + 1, equals + 1 + strlen(equals + 1)));
	if (!value) {
		place(s->config->file, s->from, s->report);
		buf_printf(s->report, "%s: a quote that does not end the value\n", name);
		return ERR_OK;
	}
	return set(s, key, value);
}

/* text has a NUL at text[len]. */
static enum err read_lines(struct config *c, char *text, size_t len, struct buf *report)
{
	struct source s = {.config = c, .from = 1, .report = report};
	char *end = text + len;
	enum err e = ERR_OK;

	for (char *line = text; line < end && e == ERR_OK; s.from++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			stop = end;
		e = read_line(&s, line, stop);
		line = stop + 1;
	}
	return e;
}

static enum err slurp(const char *path, struct buf *text, struct buf *report)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0) {
		uint8_t *at = buf_reserve(text, 4096);

		if (!at)
			break;
		got = read(fd, at, 4096);
		if (got > 0)
			text->len += (size_t)got;
	}
	if (got < 0)
		buf_printf(report, "%s: can't be read: %s\n", path, strerror(errno));
	else if (!buf_ok(text))
		buf_printf(report, "%s: is larger than a configuration can be\n", path);
	if (fd >= 0)
		close(fd);
	(void)buf_string(text);
	return got < 0 || !buf_ok(text) ? ERR_CONFIG : ERR_OK;
}

static enum err read_file(struct config *c, const char *path, struct buf *report)
{
	struct buf text;
	enum err e;

	c->file = strdup(path);
	if (!c->file)
		return ERR_MEMORY;
	buf_init(&text, FILE_MAX);
	e = slurp(path, &text, report);
	/* slurp has reported what it could not read. */
	if (e == ERR_OK && text.len)
		e = read_lines(c, (char *)text.data, text.len, report);
	buf_fini(&text);
	return e == ERR_CONFIG ? ERR_OK : e;
}

/* ---- environment and defaults ---- */

static enum err read_environment(struct config *c, struct buf *report)
{
	struct source s = {.config = c, .from = CONFIG_FROM_ENVIRONMENT, .report = report};
	enum err e = ERR_OK;

	for (char **at = environ; at && *at && e == ERR_OK; at++) {
		const char *equals = strchr(*at, '=');
		char name[NEAR_WORD_MAX + 1] = "";
		enum config_key key;

		if (!equals || strncmp(*at, PREFIX, PREFIX_LEN))
			continue;
		if ((size_t)(equals - *at) < sizeof name)
			memcpy(name, *at, (size_t)(equals - *at));
		if (!all_of(name, UPPER LOWER DIGITS "_", 1, NEAR_WORD_MAX))
			buf_text(report, "environment: " PREFIX "...: unknown key\n");
		else if (find(name + PREFIX_LEN, &key))
			e = set(&s, key, equals + 1);
		else if (!is_client_key(name + PREFIX_LEN))
			unknown(&s, name);
	}
	return e;
}

static enum err set_defaults(struct config *c, struct buf *report)
{
	struct source s = {.config = c, .from = CONFIG_FROM_DEFAULT, .report = report};
	char host[65] = "";
	enum err e = ERR_OK;

	for (size_t i = 0; i < CONFIG_KEYS && e == ERR_OK; i++)
		if (i != CONFIG_NODE)
			e = set(&s, (enum config_key)i, config_rows[i].fallback);
	if (e != ERR_OK)
		return e;
	if (gethostname(host, sizeof host - 1) || text_fault(CONFIG_TYPE_node, host))
		memcpy(host, "node", 5);
	return set(&s, CONFIG_NODE, host);
}

enum err config_load(struct config *c, const char *file, struct buf *report)
{
	const size_t before = report->len;
	enum err e;

	*c = (struct config){0};
	e = set_defaults(c, report);
	if (e == ERR_OK && file)
		e = read_file(c, file, report);
	if (e == ERR_OK)
		e = read_environment(c, report);
	if (e == ERR_OK)
		e = buf_err(report);
	return e == ERR_OK && report->len > before ? ERR_CONFIG : e;
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		char *text;

		if (is_number(config_rows[i].type))
			continue;
		memcpy(&text, member(c, (enum config_key)i), sizeof text);
		wipe_free(text);
	}
	free(c->file);
	*c = (struct config){0};
}

void config_help(struct buf *out)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_row *row = &config_rows[i];
		const size_t len = strlen(row->help);

		buf_printf(out, "  " PREFIX "%s=%s\n      ", row->name, row->fallback);
		if (is_number(row->type))
			buf_printf(out, "%.*s (%lld to %lld).\n", (int)(len - 1), row->help, (long long)row->least,
			           (long long)row->most);
		else
			buf_printf(out, "%s\n", row->help);
	}
}

static const char *beside_keyring(const struct config *c, const char *path, const char *ending, char room[static CONFIG_PATH_MAX])
{
	if (*path)
		return path;
	snprintf(room, CONFIG_PATH_MAX, "%s%s", c->keyring, ending);
	return room;
}

const char *config_ledger(const struct config *c, char room[static CONFIG_PATH_MAX])
{
	return beside_keyring(c, c->ledger, ".ledger", room);
}

const char *config_checkpoint(const struct config *c, char room[static CONFIG_PATH_MAX])
{
	return beside_keyring(c, c->audit_checkpoint, ".checkpoint", room);
}
