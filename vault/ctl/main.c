/* main.c: vaultctl. Finds the command and runs it; exit codes are in arguments.h. */
#include "ctl/commands.h"

#include <locale.h>
#include <stdio.h>
#include <sys/resource.h>

static int show_help(const struct arguments *a)
{
	struct buf text;
	int code;

	buf_init(&text, 0);
	if (a->command)
		help_command(a->command, &text);
	else if (a->group)
		help_group(ctl_commands, a->group, &text);
	else
		help_all(ctl_commands, &text);
	code = output(&text);
	buf_fini(&text);
	return code;
}

static int run(const struct arguments *a)
{
	int code;

	if (!client_start())
		return complain(CTL_SERVER, "the TLS library could not be started");
	doc_start();
	code = a->command->run(a);
	client_stop();
	return code;
}

int main(int argc, char **argv)
{
	struct arguments a;
	struct buf why;
	int code;

	/* What it holds in memory is personal data: no core file of it. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	/* Only for the width of characters; all text is UTF-8 whatever the user's locale. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");
	buf_init(&why, 0);
	if (!arguments_read(argc, argv, ctl_commands, &a, &why)) {
		code = complain(CTL_USAGE, "%s", buf_string(&why));
		fputs("vaultctl --help tells how to use it.\n", stderr);
	} else if (a.globals[GLOBAL_HELP]) {
		code = show_help(&a);
	} else if (a.globals[GLOBAL_VERSION]) {
		code = puts("vaultctl " VAULT_VERSION) < 0 || fflush(stdout) ? CTL_SERVER : CTL_OK;
	} else {
		code = run(&a);
	}
	buf_fini(&why);
	return code;
}
