/* arguments.h: the command line of vaultctl as data: tables of commands and
 * options, and a reader over them. Pure: it prints nothing and opens nothing. */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* How vaultctl ends; in --help, in vaultctl.1, and scripted against. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,   /* the vault said no (4xx), or it would replace or mix what must not be */
	CTL_USAGE = 2,     /* the command line, its input or its environment is wrong */
	CTL_UNREACHED = 3, /* no connection, TLS failed, or what was waited for has not ended */
	CTL_SERVER = 4,    /* the vault failed (5xx), or a local step did */
	CTL_FAILED = 5     /* a policy did not compile, its tests failed, a signature, log or backup does not hold, or a request that was waited for did not succeed */
};

/*    number   option     value      environment          help */
#define GLOBAL_LIST(X)                                                                                                 \
	X(URL,     "url",     "URL",     "VAULT_URL",         "Address of the vault; default https://127.0.0.1:8443.") \
	X(CERT,    "cert",    "FILE",    "VAULT_CERT",        "Client certificate chain, PEM.") \
	X(KEY,     "key",     "FILE",    "VAULT_CLIENT_KEY",  "Key of the client certificate, PEM.") \
	X(CA,      "ca",      "FILE",    "VAULT_CA",          "CA certificates that the vault's certificate is checked against, PEM.") \
	X(AS,      "as",      "NAME",    NULL,                "For development: certs/dev/NAME.pem, NAME.key and ca.pem.") \
	X(PURPOSE, "purpose", "NAME",    "VAULT_PURPOSE",     "Why the data is asked for; sent as X-Purpose and recorded.") \
	X(TICKET,  "ticket",  "ID",      NULL,                "The case that this belongs to; sent as X-Ticket and recorded.") \
	X(TIMEOUT, "timeout", "SECONDS", NULL,                "Give up after this time, 1 to 3600; default 30. audit tail: after this time without a sign of life; default 60.") \
	X(JSON,    "json",    NULL,      NULL,                "Print the vault's JSON instead of a table.") \
	X(HELP,    "help",    NULL,      NULL,                "Show help; after a command, its help.") \
	X(VERSION, "version", NULL,      NULL,                "Show the version.")

enum ctl_global {
#define X(number, option, value, environment, help) GLOBAL_##number,
	GLOBAL_LIST(X)
#undef X
	GLOBALS
};

struct ctl_option {
	const char *name;        /* without the dashes; NULL ends a list */
	const char *value;       /* what help calls its value; NULL: it takes none */
	const char *environment; /* read where the option is not given, or NULL */
	const char *help;
};

extern const struct ctl_option ctl_globals[GLOBALS + 1];

struct arguments;

struct ctl_command {
	const char *group; /* "customer" of "customer get"; NULL: a command of one word */
	const char *name;  /* NULL in both ends a table */
	const char *words; /* what help calls its words: "CUSTOMER", or "" */
	size_t least_words, most_words;
	const struct ctl_option *options; /* its own, which win over global ones; NULL: none */
	const char *summary;              /* one line */
	const char *help;                 /* paragraphs, examples included */
	int (*run)(const struct arguments *a);
};

#define ARGUMENT_WORDS_MAX 32
#define ARGUMENT_OPTIONS_MAX 16

struct arguments {
	const struct ctl_command *command;       /* NULL: none was named */
	const char *group;                       /* a group that was named without a command, or NULL */
	const char *words[ARGUMENT_WORDS_MAX];   /* what follows the command */
	size_t n_words;
	const char *globals[GLOBALS];            /* NULL: not given; "" where one takes no value */
	const char *options[ARGUMENT_OPTIONS_MAX]; /* as command->options */
};

/* Reads argv[1..]. "--x=v" and "--x v" are the same, "--" ends options, each
 * may be given once, global ones stand anywhere. Borrows argv and commands.
 * False with one line in why. With --help, missing words are no error. */
bool arguments_read(int argc, char *const *argv, const struct ctl_command *commands, struct arguments *out, struct buf *why);
/* Value of one of the command's own options, "" where it takes none, NULL where not given. */
const char *arguments_option(const struct arguments *a, const char *name);
/* As arguments_option, else the environment where the option names a variable that is not empty. */
const char *arguments_global(const struct arguments *a, enum ctl_global which);

/* Help for all, for one group, for one command. */
void help_all(const struct ctl_command *commands, struct buf *out);
void help_group(const struct ctl_command *commands, const char *group, struct buf *out);
void help_command(const struct ctl_command *command, struct buf *out);

#endif
