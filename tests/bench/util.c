/* util.c: growing text, time, random numbers and the latency histogram. */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_room(struct text *t, size_t more)
{
	if (t->cap - t->len > more)
		return;
	size_t cap = t->cap ? t->cap : 1024;
	while (cap - t->len <= more)
		cap *= 2;
	char *data = realloc(t->data, cap);
	if (!data) {
		fputs("load: out of memory\n", stderr);
		exit(1);
	}
	t->data = data;
	t->cap = cap;
}

void text_add(struct text *t, const void *bytes, size_t len)
{
	text_room(t, len);
	memcpy(t->data + t->len, bytes, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void text_printf(struct text *t, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text_room(t, (size_t)len);
	vsnprintf(t->data + t->len, (size_t)len + 1, format, again);
	va_end(again);
	t->len += (size_t)len;
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){0};
}

uint64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* splitmix64: good enough to pick customers and make values that never repeat
 * within a run or between two of them. */
uint64_t random_u64(void)
{
	static uint64_t state;
	if (!state) {
		struct timespec ts;
		clock_gettime(CLOCK_REALTIME, &ts);
		state = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	}
	uint64_t z = (state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Below HIST_SUB a bucket is one microsecond; above, an octave has HIST_SUB / 2
 * new buckets, each twice as wide as those of the octave before. */
static size_t hist_bucket(uint64_t us)
{
	unsigned octave = 0;
	while (us >= HIST_SUB) {
		us >>= 1;
		octave++;
	}
	size_t at = octave ? (size_t)octave * (HIST_SUB / 2) + us : us;
	size_t last = HIST_SUB * HIST_OCTAVES - 1;
	return at < last ? at : last;
}

static uint64_t hist_value(size_t bucket)
{
	if (bucket < HIST_SUB)
		return bucket;
	size_t octave = bucket / (HIST_SUB / 2) - 1;
	uint64_t low = bucket - octave * (HIST_SUB / 2);
	return ((low + 1) << octave) - 1;
}

void hist_add(struct hist *h, uint64_t us)
{
	h->count[hist_bucket(us)]++;
	h->total++;
	if (us > h->max_us)
		h->max_us = us;
}

uint64_t hist_share(const struct hist *h, double share)
{
	uint64_t wanted = (uint64_t)((double)h->total * share + 0.5), seen = 0;
	if (h->total == 0)
		return 0;
	for (size_t i = 0; i < HIST_SUB * HIST_OCTAVES; i++) {
		seen += h->count[i];
		if (seen >= wanted && seen > 0) {
			uint64_t value = hist_value(i);
			return value < h->max_us ? value : h->max_us;
		}
	}
	return h->max_us;
}
