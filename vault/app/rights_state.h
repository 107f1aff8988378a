/* rights_state.h: the states of a rights request, and the moves between them. Pure. */
#ifndef APP_RIGHTS_STATE_H
#define APP_RIGHTS_STATE_H

#include "vault/app/rights_job.h"

enum rights_state { /* numbers are stored: never reused */
	RIGHTS_RECEIVED,
	RIGHTS_VERIFYING,
	RIGHTS_AWAITING_APPROVAL,
	RIGHTS_APPROVED,
	RIGHTS_RUNNING,
	RIGHTS_HELD, /* a part of it waits for the end of a hold */
	RIGHTS_DONE,
	RIGHTS_DENIED,
	RIGHTS_CANCELLED,
	RIGHTS_FAILED, /* may be retried */
	RIGHTS_STATES
};

const char *rights_state_name(int state); /* NULL: none */
int rights_state_of(const char *name);    /* -1: none */
const char *rights_kind_name(int kind);   /* NULL: none */
int rights_kind_of(const char *name);     /* -1: none */
bool rights_may_move(int from, int to);
/* No job and no officer will change it any more. */
bool rights_ended(int state);

#endif
