/* key_backup.c: key backup and restore, on the files of this machine; no vault is asked. */
#include "base/clock.h"
#include "crypto/secret.h"
#include "vault/ctl/key_int.h"

#include <stdio.h>

#define SECOND_US ((int64_t)1000000)

/* The calendar's date for the end of an epoch; a rotation that comes later moves it. */
static int64_t planned_end(const struct config *c, const struct keyring_epoch *e)
{
	const int64_t retires = e->state == EPOCH_RETIRING ? e->retired_at_us : e->created_at_us + c->key_epoch_s * SECOND_US;

	return retires + c->key_overlap_s * SECOND_US;
}

static void tell_epochs(const struct config *c, const struct keyring *k)
{
	size_t n;
	const struct keyring_epoch *epochs = keyring_epochs(k, &n);
	char end[CLOCK_TEXT_LEN];

	for (size_t i = 0; i < n; i++) {
		if (epochs[i].state == EPOCH_DESTROYED)
			continue;
		clock_format(planned_end(c, &epochs[i]), end);
		printf("  epoch %u, %s: matters until it is destroyed, by the calendar not before %s\n", epochs[i].epoch, key_state_name(epochs[i].state), end);
	}
	printf("Until an epoch is destroyed AND this backup or its key is gone, it opens database backups from before an erasure.\n"
	       "After each rotation and each destruction make a new backup and destroy this one.\n");
}

/* Words and --backup-key, for both. */
static const char *backup_key(const struct arguments *a)
{
	const char *key = arguments_option(a, "backup-key");

	if (!key)
		complain(CTL_USAGE, "--backup-key FILE is missing: the backup opens with it, and with nothing else");
	return key;
}

int command_key_backup(const struct arguments *a)
{
	const char *key = backup_key(a);
	struct key_place p = {0};
	struct keyring *k = NULL;
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (key && key_place_find(a, &p)) {
		enum err e = secret_start();

		if (!e)
			e = keyring_backup(p.keyring, p.root, a->words[0], key, &k, &why);
		code = e ? key_failure(e, &why) : CTL_OK;
		if (!e) {
			printf("Made %s, which opens with %s and with nothing else; keep the two apart. It opens:\n", a->words[0], key);
			tell_epochs(&p.config, k);
		}
		keyring_free(k);
		secret_stop();
	}
	config_fini(&p.config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}

int command_key_restore(const struct arguments *a)
{
	const char *key = backup_key(a);
	struct key_place p = {0};
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (key && key_place_find(a, &p)) {
		enum err e = secret_start();

		if (!e)
			e = keyring_restore(p.keyring, p.root, a->words[0], key, &why);
		code = e ? key_failure(e, &why) : CTL_OK;
		secret_stop();
	}
	if (code == CTL_OK)
		printf("%s is in place under a new root key in %s. Send vaultd SIGHUP where it runs.\n", p.keyring, p.root);
	config_fini(&p.config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}
