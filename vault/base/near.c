/* near.c: optimal string alignment over three rows. */
#include "base/near.h"

#include <string.h>

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t near_distance(const char *a, const char *b)
{
	size_t rows[3][NEAR_WORD_MAX + 1];
	size_t *two_up = rows[0], *up = rows[1], *row = rows[2], *spare;
	const size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > NEAR_WORD_MAX || b_len > NEAR_WORD_MAX)
		return NEAR_WORD_MAX + 1;
	for (size_t j = 0; j <= b_len; j++)
		up[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			const size_t other = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + other);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], two_up[j - 2] + 1);
		}
		spare = two_up;
		two_up = up;
		up = row;
		row = spare;
	}
	return up[b_len];
}

const char *near_word(const char *word, const char *const *known, size_t n)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) < 3 ? 2 : strlen(word) / 3 + 1;

	for (size_t i = 0; i < n; i++) {
		const size_t distance = known[i] ? near_distance(word, known[i]) : best_distance;

		if (distance < best_distance) {
			best = known[i];
			best_distance = distance;
		}
	}
	return best;
}
