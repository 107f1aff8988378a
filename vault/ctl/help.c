/* help.c: help from the tables; vaultctl.1 is tested against the same ones. */
#include "ctl/arguments.h"

#include <string.h>

static void options(const struct ctl_option *list, struct buf *out)
{
	for (; list && list->name; list++) {
		buf_printf(out, "  --%s%s%s", list->name, list->value ? " " : "", list->value ? list->value : "");
		if (list->environment)
			buf_printf(out, "  (or %s)", list->environment);
		buf_printf(out, "\n      %s\n", list->help);
	}
}

static void name(const struct ctl_command *c, struct buf *out)
{
	buf_printf(out, "%s%s%s", c->group ? c->group : "", c->group ? " " : "", c->name);
}

static void summaries(const struct ctl_command *commands, const char *group, struct buf *out)
{
	for (const struct ctl_command *c = commands; c->name; c++) {
		const size_t start = out->len;

		if (group && (!c->group || strcmp(c->group, group)))
			continue;
		buf_text(out, "  ");
		name(c, out);
		while (buf_ok(out) && out->len < start + 23)
			buf_byte(out, ' ');
		buf_printf(out, "%s\n", c->summary);
	}
}

void help_all(const struct ctl_command *commands, struct buf *out)
{
	buf_text(out, "vaultctl: talks to a customer data vault over mutual TLS.\n\n"
	              "Usage: vaultctl [OPTION...] COMMAND [WORD...]\n"
	              "       vaultctl COMMAND --help\n\nCommands:\n");
	summaries(commands, NULL, out);
	buf_text(out, "\nOptions, which may stand anywhere:\n");
	options(ctl_globals, out);
	buf_text(out, "\nAn option wins over --as, and --as over the environment. Personal data belongs into\n"
	              "files or standard input: what stands on a command line is seen by other users of the\n"
	              "machine and stays in the shell's history.\n\n"
	              "Exit codes:\n"
	              "  0  done\n"
	              "  1  the vault refused it (4xx), or it would replace or mix what must not be\n"
	              "  2  the command line, its input or its environment is wrong\n"
	              "  3  the vault or database can't be reached, TLS failed, or what was waited for has not ended\n"
	              "  4  the vault failed (5xx), or a local step did\n"
	              "  5  a policy does not compile, its tests failed, a signature, log or backup does not hold, or a\n"
	              "     request that was waited for was denied, cancelled or has failed\n\n"
	              "Examples:\n"
	              "  vaultctl --as crm-core whoami\n"
	              "  vaultctl --as crm-core --purpose onboarding customer put customer.json\n"
	              "  vaultctl --as security audit tail\n");
}

void help_group(const struct ctl_command *commands, const char *group, struct buf *out)
{
	buf_printf(out, "Usage: vaultctl [OPTION...] %s COMMAND [WORD...]\n\nCommands:\n", group);
	summaries(commands, group, out);
	buf_printf(out, "\nvaultctl %s COMMAND --help tells more.\n", group);
}

void help_command(const struct ctl_command *command, struct buf *out)
{
	buf_text(out, "Usage: vaultctl [OPTION...] ");
	name(command, out);
	buf_printf(out, "%s%s\n\n%s\n\n%s", *command->words ? " " : "", command->words, command->summary, command->help);
	if (command->options) {
		buf_text(out, "\nOptions:\n");
		options(command->options, out);
	}
	buf_text(out, "\nvaultctl --help lists the options for all commands, and the exit codes.\n");
}
