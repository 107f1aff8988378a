/* program.h: runs one of PostgreSQL's programs with a pipe to or from it. */
#ifndef CTL_PROGRAM_H
#define CTL_PROGRAM_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

struct program {
	const char *name; /* borrowed */
	pid_t pid;        /* 0: none runs */
	int fd;           /* our end of the pipe; -1: closed */
};

enum program_pipe { PROGRAM_READ, PROGRAM_WRITE }; /* its standard output, or its standard input */

/* Starts argv[0], found in PATH. more: "NAME=value" beside our environment, and before it, or NULL. What it says on
 * standard error goes to ours. ERR_IO with a line in why. */
enum err program_start(struct program *p, enum program_pipe direction, const char *const *argv, char *const *more, struct buf *why) MUST_CHECK;
/* *got 0: the end. */
enum err program_read(struct program *p, void *room, size_t len, size_t *got, struct buf *why) MUST_CHECK;
enum err program_write(struct program *p, const void *bytes, size_t len, struct buf *why) MUST_CHECK;
/* Closes the pipe and waits; ERR_IO unless it ended well. A struct that was zeroed and never started is allowed. */
enum err program_end(struct program *p, struct buf *why) MUST_CHECK;
/* Ends it by force where it still runs. */
void program_kill(struct program *p);

#endif
