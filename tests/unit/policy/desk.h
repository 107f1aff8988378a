/* Small policies about one role, desk, for the tests. */
#ifndef TESTS_DESK_H
#define TESTS_DESK_H

#include "policy/policy.h"
#include "tests/unit/policy/crm_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define DESK	"role desk is spiffe://crm.example/svc/desk\n"
#define DESK_ID "spiffe://crm.example/svc/desk"

static inline struct policy *compile(const char *text)
{
	struct policy_complaints c;
	struct policy *p = NULL;
	enum err e = policy_compile(text, strlen(text), &crm_world, &p, &c);

	if (e != ERR_OK)
		fail_msg("line %u, column %u: %s (%s)", c.list[0].line, c.list[0].column, c.list[0].text,
			 c.list[0].near);
	return p;
}

#endif
