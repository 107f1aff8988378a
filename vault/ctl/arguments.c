/* arguments.c: reads a command line over the tables of arguments.h. */
#include "ctl/arguments.h"

#include "base/near.h"

#include <stdlib.h>
#include <string.h>

const struct ctl_option ctl_globals[GLOBALS + 1] = {
#define X(number, option, value, environment, help) [GLOBAL_##number] = {option, value, environment, help},
    GLOBAL_LIST(X)
#undef X
};

struct reading {
	int argc, at;
	char *const *argv;
	const struct ctl_command *commands;
	struct arguments *out;
	struct buf *why;
};

static bool fail(struct reading *r, const char *what, const char *word, const char *near)
{
	buf_printf(r->why, "%s \"%s\"", what, word);
	if (near)
		buf_printf(r->why, "; near: %s", near);
	return false;
}

static size_t count(const struct ctl_option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

/* The option whose name is the first len bytes of name, and the place of its value. */
static const struct ctl_option *find_option(struct reading *r, const char *name, size_t len, const char ***place)
{
	const struct ctl_option *own = r->out->command ? r->out->command->options : NULL;

	for (size_t i = 0; i < count(own); i++)
		if (strlen(own[i].name) == len && !memcmp(own[i].name, name, len)) {
			*place = &r->out->options[i];
			return &own[i];
		}
	for (size_t i = 0; i < GLOBALS; i++)
		if (strlen(ctl_globals[i].name) == len && !memcmp(ctl_globals[i].name, name, len)) {
			*place = &r->out->globals[i];
			return &ctl_globals[i];
		}
	return NULL;
}

static bool unknown_option(struct reading *r, const char *word)
{
	const struct ctl_option *own = r->out->command ? r->out->command->options : NULL;
	const char *known[ARGUMENT_OPTIONS_MAX + GLOBALS];
	char name[NEAR_WORD_MAX + 1];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < count(own); i++)
		known[n++] = own[i].name;
	for (size_t i = 0; i < GLOBALS; i++)
		known[n++] = ctl_globals[i].name;
	/* Up to the "=" only: what follows may be a value that nobody should see. */
	strncpy(name, word, sizeof name - 1);
	name[sizeof name - 1] = 0;
	name[strcspn(name, "=")] = 0;
	near = near_word(name + strspn(name, "-"), known, n);
	buf_printf(r->why, "unknown option \"%s\"", name);
	if (near)
		buf_printf(r->why, "; near: --%s", near);
	else if (!r->out->command)
		buf_text(r->why, "; a command's own options follow the command");
	return false;
}

static bool take_option(struct reading *r, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	const size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const char **place;
	const struct ctl_option *option = find_option(r, name, len, &place);

	if (!option)
		return unknown_option(r, word);
	if (*place) {
		buf_printf(r->why, "--%s is given twice", option->name);
		return false;
	}
	if (!option->value && equals) {
		buf_printf(r->why, "--%s takes no value", option->name);
		return false;
	}
	if (!option->value)
		*place = "";
	else if (equals)
		*place = equals + 1;
	else if (r->at < r->argc)
		*place = r->argv[r->at++];
	if (option->value && (!*place || !**place)) {
		buf_printf(r->why, "--%s needs a value: %s", option->name, option->value);
		return false;
	}
	return true;
}

/* The near word for the first or second word of a command. */
static const char *near_name(const struct reading *r, const char *word)
{
	const char *known[64];
	size_t n = 0;

	for (const struct ctl_command *c = r->commands; c->name && n < 64; c++) {
		if (r->out->group && (!c->group || strcmp(c->group, r->out->group)))
			continue;
		known[n++] = !r->out->group && c->group ? c->group : c->name;
	}
	return near_word(word, known, n);
}

/* Before a command is known, a word names a group or a command. */
static bool take_name(struct reading *r, const char *word)
{
	struct arguments *out = r->out;

	for (const struct ctl_command *c = r->commands; c->name; c++) {
		if (!out->group && c->group && !strcmp(c->group, word)) {
			out->group = c->group;
			return true;
		}
		if (!strcmp(c->name, word) && (out->group ? c->group && !strcmp(c->group, out->group) : !c->group)) {
			out->command = c;
			return true;
		}
	}
	if (!out->group)
		return fail(r, "unknown command", word, near_name(r, word));
	buf_printf(r->why, "%s: ", out->group);
	return fail(r, "unknown command", word, near_name(r, word));
}

static bool take_word(struct reading *r, const char *word)
{
	if (!r->out->command)
		return take_name(r, word);
	if (r->out->n_words == r->out->command->most_words || r->out->n_words == ARGUMENT_WORDS_MAX) {
		/* The word itself may be personal data. */
		buf_text(r->why, "too many words after the command");
		return false;
	}
	r->out->words[r->out->n_words++] = word;
	return true;
}

static bool enough(struct reading *r)
{
	const struct arguments *out = r->out;

	if (out->globals[GLOBAL_HELP] || out->globals[GLOBAL_VERSION])
		return true;
	if (!out->command && out->group)
		buf_printf(r->why, "%s what?", out->group);
	else if (!out->command)
		buf_text(r->why, "no command is given");
	else if (out->n_words < out->command->least_words)
		buf_printf(r->why, "this command needs: %s", out->command->words);
	else
		return true;
	return false;
}

bool arguments_read(int argc, char *const *argv, const struct ctl_command *commands, struct arguments *out, struct buf *why)
{
	struct reading r = {.argc = argc, .at = 1, .argv = argv, .commands = commands, .out = out, .why = why};
	bool options_end = false;

	*out = (struct arguments){0};
	while (r.at < argc) {
		const char *word = argv[r.at++];

		if (!options_end && !strcmp(word, "--")) {
			options_end = true;
		} else if (!options_end && !strcmp(word, "-h")) {
			out->globals[GLOBAL_HELP] = "";
		} else if (!options_end && !strncmp(word, "--", 2)) {
			if (!take_option(&r, word))
				return false;
		} else if (!options_end && word[0] == '-' && word[1]) {
			return unknown_option(&r, word);
		} else if (!take_word(&r, word)) {
			return false;
		}
	}
	return enough(&r);
}

const char *arguments_option(const struct arguments *a, const char *name)
{
	const struct ctl_option *own = a->command->options;

	for (size_t i = 0; i < count(own); i++)
		if (!strcmp(own[i].name, name))
			return a->options[i] ? a->options[i] : own[i].environment ? getenv(own[i].environment) : NULL;
	return NULL;
}

const char *arguments_global(const struct arguments *a, enum ctl_global which)
{
	const char *variable = ctl_globals[which].environment;
	const char *value = a->globals[which];

	if (!value && variable)
		value = getenv(variable);
	return value && (*value || !ctl_globals[which].value) ? value : NULL;
}
