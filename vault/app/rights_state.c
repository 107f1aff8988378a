/* rights_state.c: tables of names and moves. */
#include "vault/app/rights_state.h"

#include <string.h>

static const char *const states[RIGHTS_STATES] = {"received", "verifying", "awaiting_approval", "approved", "running",
                                                  "on_hold",  "completed", "denied",            "cancelled", "failed"};
static const char *const kinds[RIGHTS_KINDS] = {"export", "erase", "rectify", "restrict", "object"};

/* From (row) to (column). */
static const bool moves[RIGHTS_STATES][RIGHTS_STATES] = {
    [RIGHTS_RECEIVED] = {[RIGHTS_VERIFYING] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    [RIGHTS_VERIFYING] = {[RIGHTS_AWAITING_APPROVAL] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    [RIGHTS_AWAITING_APPROVAL] = {[RIGHTS_APPROVED] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    /* done: rectification; back: its approvals have lapsed before it was begun */
    [RIGHTS_APPROVED] = {[RIGHTS_RUNNING] = true, [RIGHTS_CANCELLED] = true, [RIGHTS_DONE] = true, [RIGHTS_AWAITING_APPROVAL] = true},
    [RIGHTS_RUNNING] = {[RIGHTS_HELD] = true, [RIGHTS_DONE] = true, [RIGHTS_FAILED] = true},
    [RIGHTS_HELD] = {[RIGHTS_RUNNING] = true},
    [RIGHTS_FAILED] = {[RIGHTS_APPROVED] = true, [RIGHTS_CANCELLED] = true},
};

static int find(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *rights_state_name(int state)
{
	return state >= 0 && state < RIGHTS_STATES ? states[state] : NULL;
}

int rights_state_of(const char *name)
{
	return find(states, RIGHTS_STATES, name);
}

const char *rights_kind_name(int kind)
{
	return kind >= 0 && kind < RIGHTS_KINDS ? kinds[kind] : NULL;
}

int rights_kind_of(const char *name)
{
	return find(kinds, RIGHTS_KINDS, name);
}

bool rights_may_move(int from, int to)
{
	return from >= 0 && from < RIGHTS_STATES && to >= 0 && to < RIGHTS_STATES && moves[from][to];
}

bool rights_ended(int state)
{
	return state == RIGHTS_DONE || state == RIGHTS_DENIED || state == RIGHTS_CANCELLED;
}
