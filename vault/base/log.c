/* log.c: formats a line on the stack and writes it with one system call. */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
	atomic_store(&least_level, (int)least);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	char line[1024], now[CLOCK_TEXT_LEN];
	va_list args;
	int head, rest;
	size_t len;

	if ((int)level < atomic_load(&least_level))
		return;
	clock_format(clock_now_us(), now);
	head = snprintf(line, sizeof line, "%s %s %s ", now, names[level], event);
	if (head < 0 || (size_t)head >= sizeof line)
		return;
	va_start(args, format);
	rest = vsnprintf(line + head, sizeof line - (size_t)head, format, args);
	va_end(args);
	if (rest < 0)
		return;
	len = (size_t)head + (size_t)rest;
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}
