/* near.h: the word that a mistyped word may have meant. Pure. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

/* Words longer than this are compared with nothing. */
#define NEAR_WORD_MAX 64

/* Edits (insert, delete, replace, swap of neighbours) between two words, letters
 * compared without case; NEAR_WORD_MAX + 1 where one is longer than NEAR_WORD_MAX. */
size_t near_distance(const char *a, const char *b);
/* The known word with the fewest edits to word, or NULL where none is within a
 * third of word's length (at least one). Borrows from known; NULL entries are skipped. */
const char *near_word(const char *word, const char *const *known, size_t n);

#endif
