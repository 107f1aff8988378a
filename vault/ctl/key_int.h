/* key_int.h: what the key commands share: the files' places, and the vault's answer about epochs. */
#ifndef CTL_KEY_INT_H
#define CTL_KEY_INT_H

#include "base/config.h"
#include "crypto/keyring.h"
#include "ctl/commands.h"

struct key_place {
	struct config config;
	const char *keyring, *root;
	long expected_customers;
};

/* Paths from the options, else from the configuration that vaultd reads. False: told. End with config_fini(&p->config). */
bool key_place_find(const struct arguments *a, struct key_place *p);
/* Tells what a function of keyring.h said; gives the exit code. */
int key_failure(enum err e, struct buf *why);
const char *key_state_name(enum keyring_state state);

/* Was a vault named, with --cert, --as or VAULT_CERT? */
bool key_vault_named(const struct arguments *a);
/* GET /v1/key-epochs: its text too. Owner: caller. CTL_OK, or told. */
int key_vault_ask(const struct arguments *a, struct buf *text, struct doc **doc);
/* Epochs, nodes and a progress bar of the rewrap, for people. */
void key_vault_show(const struct node *vault, struct buf *out);

#endif
