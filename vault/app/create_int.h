/* create_int.h: between customer_plan.c (body to items, items to a reply) and customer_create.c. */
#ifndef APP_CREATE_INT_H
#define APP_CREATE_INT_H

#include "vault/app/consent_input.h"
#include "vault/app/operations.h"
#include "vault/app/values.h"

struct item {
	struct field_changes changes;
	const char *source;
	struct consent_input *consents;
	size_t n_consents;
	bool has_ref; /* the last change is the external reference */
	int64_t ref_tag;
	size_t ref_lookup;
	int64_t found; /* by reference: the customer that has it; 0: none */
	enum err parse_err, err; /* err begins each run as parse_err */
	const char *parse_pointer, *pointer;
	struct written written;
};

struct create_plan {
	struct item *items;
	size_t n;
	bool batch, partial, by_ref;
	bool replay, large_read;
};

#endif
