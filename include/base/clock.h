/* clock.h: times. "at_us" is microseconds since 1970-01-01 UTC. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_LEN 28 /* 2026-01-31T12:34:56.123456Z and NUL */

int64_t clock_now_us(void);  /* wall clock; may step */
int64_t clock_mono_us(void); /* never steps; no epoch */
/* Writes RFC 3339 UTC with microseconds. Years 1970 to 9999. */
void clock_format(int64_t at_us, char out[static CLOCK_TEXT_LEN]);
/* Reads RFC 3339 with any offset and up to nine digits of a second; ERR_BAD_PARAMETER. */
enum err clock_parse(const char *text, size_t len, int64_t *at_us) MUST_CHECK;

#endif
