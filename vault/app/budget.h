/* budget.h: how many different customers each identity has got something of in this hour. Estimated (HyperLogLog
 * over sref, which is random; standard error 1.6%, nearly exact below a thousand) in 4 KiB an identity, so that
 * nothing has to be written when somebody reads. One thread. */
#ifndef APP_BUDGET_H
#define APP_BUDGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_SREF_LEN 16
#define BUDGET_IDENTITIES_MAX 4096 /* further ones of the same hour are not counted, and the log says so */

struct budget;
enum err budget_new(struct budget **out) MUST_CHECK;
void budget_free(struct budget *b); /* NULL is allowed */
/* Another hour than the last one forgets all. */
void budget_hour(struct budget *b, int64_t hour_us);
/* Counts; *over: the identity has now passed limit, for the first time in this hour. */
enum err budget_add(struct budget *b, const char *identity, size_t len, const uint8_t sref[static BUDGET_SREF_LEN], int64_t limit,
                    bool *over) MUST_CHECK;
/* It has been told of in this hour already: a person who thawed the identity has the last word. */
enum err budget_told(struct budget *b, const char *identity, size_t len) MUST_CHECK;
/* Estimated number of customers; 0: none. */
int64_t budget_customers(const struct budget *b, const char *identity, size_t len);

#endif
