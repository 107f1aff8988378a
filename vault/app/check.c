/* check.c: is what a key of the configuration names of any use? Looked at before a start, without a database. */
#include "app/app.h"

#include "crypto/keyring.h"
#include "db/connection.h"
#include "field/field.h"
#include "vault/app/calendar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static enum err check_url(const char *url, struct buf *why)
{
	if (db_url_valid(url))
		return ERR_OK;
	buf_text(why, DB_URL_INVALID);
	return ERR_CONFIG;
}

static enum err check_keyring(const struct config *c, struct buf *why)
{
	struct keyring *k = NULL;
	const enum err e = keyring_open(c->keyring, c->root_key, &k, why);

	keyring_free(k);
	return e;
}

/* The file is made by the first erasure; where its folder is missing, that would be found out then. */
static enum err check_ledger(const char *path, struct buf *why)
{
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');

	if (slash && (size_t)(slash - path) < sizeof folder) {
		memcpy(folder, path, (size_t)(slash - path) + 1);
		folder[slash - path + (slash == path)] = 0;
	}
	if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
		return ERR_OK;
	buf_printf(why, "%s: %s", folder, strerror(errno));
	return ERR_CONFIG;
}

static enum err check_holidays(const char *path, struct buf *why)
{
	struct calendar calendar;

	return calendar_read(path, &calendar, why);
}

enum err app_check(const struct config *c, enum config_key key, struct buf *why)
{
	switch ((int)key) {
	case CONFIG_DATABASE_URL: return check_url(c->database_url, why);
	case CONFIG_MIGRATE_URL: return check_url(c->migrate_url, why);
	case CONFIG_KEYRING: return check_keyring(c, why);
	case CONFIG_LEDGER: return *c->ledger ? check_ledger(c->ledger, why) : ERR_OK;
	case CONFIG_HOLIDAYS: return check_holidays(c->holidays, why);
	case CONFIG_DEFAULT_COUNTRY:
		if (field_country_known(c->default_country))
			return ERR_OK;
		buf_text(why, "no country of this code has telephone numbers");
		return ERR_CONFIG;
	default: return ERR_OK;
	}
}
