/* config.h: the configuration: environment variables VAULT_*, or the same
 * names in a KEY=VALUE file. One table declares each key with its default,
 * meaning and check; --help prints it, README's table is tested against it.
 *
 * The environment wins over the file. Lines that start with # and empty lines
 * are skipped; a value may stand in double quotes, which have no escapes. An
 * unknown VAULT_* key is an error wherever it stands; the keys of vaultctl
 * (VAULT_URL, VAULT_CERT, VAULT_CLIENT_KEY, VAULT_CA, VAULT_PURPOSE) may stand
 * in the environment and are ignored. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*    KEY (without VAULT_), member,              type,    default,                least, most,      help
 *
 * Types: text-like ones are char *: url (may hold a password, so no message
 * shows it), address (IP), file, key (file, closed to others), secret (file of
 * the owner alone), folder, maybe (file, or "" for none), path (of a file that the vault makes), origin (a key's name in a signed note), node, country, level.
 * Numbers (port, number) are int64_t and have a range. */
#define CONFIG_LIST(X)                                                                                                 \
	X(DATABASE_URL,         database_url,         url,     "",                          0, 0,           "libpq connection string of the service role.") \
	X(MIGRATE_URL,          migrate_url,          url,     "",                          0, 0,           "libpq connection string of the role that owns the schema (vaultctl migrate, backup and restore only).") \
	X(LISTEN_ADDRESS,       listen_address,       address, "127.0.0.1",                 0, 0,           "Address of the mutual TLS listener.") \
	X(LISTEN_PORT,          listen_port,          port,    "8443",                      1, 65535,       "Port of the mutual TLS listener.") \
	X(OPERATIONS_PORT,      operations_port,      port,    "9443",                      1, 65535,       "Port of the plain operations listener, always on 127.0.0.1.") \
	X(TLS_CERTIFICATE,      tls_certificate,      file,    "certs/dev/server.pem",      0, 0,           "Server certificate chain, PEM.") \
	X(TLS_KEY,              tls_key,              key,     "certs/dev/server.key",      0, 0,           "Key of the server certificate, PEM; not readable by others than owner and group.") \
	X(TRUST_BUNDLES,        trust_bundles,        folder,  "certs/dev/bundles",         0, 0,           "Folder with one CA bundle a trust domain: NAME.pem holds the CAs of spiffe://NAME.") \
	X(DENY_LIST,            deny_list,            maybe,   "",                          0, 0,           "File of serials (hex) and SPIFFE IDs, one a line, that are refused on each request.") \
	X(KEYRING,              keyring,              secret,  "var/keys/keyring",          0, 0,           "Keyring file, mode 0600 or 0400.") \
	X(ROOT_KEY,             root_key,             secret,  "var/keys/root",             0, 0,           "Root key file, 32 bytes, mode 0400 or 0600.") \
	X(LEDGER,               ledger,               path,    "",                          0, 0,           "Ledger of erasures, on storage that all nodes share and no backup of the database holds; default: the keyring's path and .ledger.") \
	X(AUDIT_ORIGIN,         audit_origin,         origin,  "vault.invalid/audit",       0, 0,           "Name of the audit log in its checkpoints, when the first one is opened: a URL without scheme, such as vault.example.com/audit.") \
	X(AUDIT_CHECKPOINT,     audit_checkpoint,     path,    "",                          0, 0,           "File of the last checkpoint signed, on storage that all nodes share and no backup of the database holds; default: the keyring's path and .checkpoint.") \
	X(NODE,                 node,                 node,    "",                          0, 0,           "Name of this node in audit records, [A-Za-z0-9._-]{1,64}; default: the host's name.") \
	X(IO_THREADS,           io_threads,           number,  "2",                         1, 64,          "Threads that serve connections.") \
	X(EXECUTORS,            executors,            number,  "1",                         1, 16,          "Database executors for single requests; bulk work has one more.") \
	X(QUEUE_LIMIT,          queue_limit,          number,  "1024",                     16, 65536,       "Jobs that may wait for an executor; past it: 503.") \
	X(MAX_CONNECTIONS,      max_connections,      number,  "4096",                     16, 65536,       "Client connections.") \
	X(HANDSHAKE_TIMEOUT_MS, handshake_timeout_ms, number,  "10000",                   100, 600000,      "Deadline of a TLS handshake.") \
	X(HEADER_TIMEOUT_MS,    header_timeout_ms,    number,  "10000",                   100, 600000,      "Deadline of a request's header, from its first byte.") \
	X(BODY_TIMEOUT_MS,      body_timeout_ms,      number,  "30000",                   100, 600000,      "Deadline of a request's body.") \
	X(IDLE_TIMEOUT_MS,      idle_timeout_ms,      number,  "300000",                  100, 86400000,    "An idle connection is closed after this time.") \
	X(REQUEST_TIMEOUT_MS,   request_timeout_ms,   number,  "10000",                   100, 600000,      "A request that waits longer for the database gets 503.") \
	X(DRAIN_TIMEOUT_MS,     drain_timeout_ms,     number,  "15000",                     0, 600000,      "At stop, requests in flight have this long.") \
	X(DEFAULT_COUNTRY,      default_country,      country, "CN",                        0, 0,           "ISO 3166 country of phone numbers in national form.") \
	X(EXPECTED_CUSTOMERS,   expected_customers,   number,  "1000000",                1000, 10000000000, "Sets how far blind index tags are truncated, when a keyring's first index epoch is made.") \
	X(SEARCH_BUDGET,        search_budget,        number,  "10000",                     1, 1000000000,  "Distinct searched values an identity may use an hour, over all nodes.") \
	X(CUSTOMER_BUDGET,      customer_budget,      number,  "100000",                    1, 1000000000,  "Distinct customers that an identity may get something of in an hour, over all nodes; past it: an alarm, and it is frozen.") \
	X(SCRUB_HOURS,          scrub_hours,          number,  "24",                        0, 8760,        "Hours in which all rows are held against the audit log once, in the background; 0: only when asked.") \
	X(OFFICERS_EXPORT,      officers_export,      number,  "1",                         1, 16,          "Officers who must stand behind an export: approvers, and the requester where he is one.") \
	X(OFFICERS_ERASE,       officers_erase,       number,  "2",                         1, 16,          "The same for an erasure.") \
	X(OFFICERS_OTHER,       officers_other,       number,  "1",                         1, 16,          "The same for rectification, restriction and objection.") \
	X(KEY_EPOCH_S,          key_epoch_s,          number,  "1814400",                   1, 315360000,   "A key epoch is due for rotation after this time, in seconds (21 days).") \
	X(KEY_OVERLAP_S,        key_overlap_s,        number,  "604800",                    1, 315360000,   "A retired key epoch can't be destroyed before this time has passed, in seconds (7 days).") \
	X(KEY_REWRAP_RATE,      key_rewrap_rate,      number,  "500",                       1, 100000,      "Customers' keys that are wrapped anew a second, after a rotation.") \
	X(HOLIDAYS,             holidays,             maybe,   "",                          0, 0,           "Calendar for terms in working days: YYYY-MM-DD a line is a day off, +YYYY-MM-DD a Saturday or Sunday that is worked.") \
	X(PIPL_DAYS,            pipl_days,            number,  "15",                        1, 60,          "Working days in which a request under the PIPL is answered; twice as many where extended.") \
	X(RECIPIENT_DAYS,       recipient_days,       number,  "730",                       1, 36500,       "Who received data within so many days is listed, and told, when it is erased or corrected.") \
	X(WEBHOOK_CA,           webhook_ca,           maybe,   "",                          0, 0,           "CA bundle (PEM) against which webhooks are checked; default: those that the system trusts.") \
	X(WEBHOOK_TRIES,        webhook_tries,        number,  "12",                        1, 100,         "Tries of a webhook message before it is given up.") \
	X(WEBHOOK_RETRY_MS,     webhook_retry_ms,     number,  "30000",                   100, 3600000,     "Time until the second try; doubled for each further one, up to six hours.") \
	X(WEBHOOK_TIMEOUT_MS,   webhook_timeout_ms,   number,  "10000",                   100, 60000,       "A receiver that takes longer has failed.") \
	X(WEBHOOK_LOOPBACK,     webhook_loopback,     number,  "0",                         0, 1,           "1 allows webhooks at http://127.0.0.1 and http://[::1] too: for tests.") \
	X(RETENTION_RATE,       retention_rate,       number,  "200",                       0, 10000,       "Values, records and consents a second that are erased when their retention has ended; 0: none, they are only counted.") \
	X(LOG_LEVEL,            log_level,            level,   "info",                      0, 0,           "debug, info, warn or error.")

enum config_key {
#define X(key, member, type, fallback, least, most, help) CONFIG_##key,
	CONFIG_LIST(X)
#undef X
	CONFIG_KEYS
};

/* Where a value came from: a line number of the file, or one of these. */
#define CONFIG_FROM_DEFAULT 0u
#define CONFIG_FROM_ENVIRONMENT UINT32_MAX

struct config {
#define CONFIG_MEMBER_url(member) char *member
#define CONFIG_MEMBER_address(member) char *member
#define CONFIG_MEMBER_file(member) char *member
#define CONFIG_MEMBER_key(member) char *member
#define CONFIG_MEMBER_secret(member) char *member
#define CONFIG_MEMBER_folder(member) char *member
#define CONFIG_MEMBER_maybe(member) char *member
#define CONFIG_MEMBER_path(member) char *member
#define CONFIG_MEMBER_origin(member) char *member
#define CONFIG_MEMBER_node(member) char *member
#define CONFIG_MEMBER_country(member) char *member
#define CONFIG_MEMBER_level(member) char *member
#define CONFIG_MEMBER_port(member) int64_t member
#define CONFIG_MEMBER_number(member) int64_t member
#define X(key, member, type, fallback, least, most, help) CONFIG_MEMBER_##type(member);
	CONFIG_LIST(X)
#undef X
	char *file;                  /* the file that was read, or NULL */
	uint32_t from[CONFIG_KEYS];  /* where each value came from */
};

/* Reads file (NULL: none) and the environment. Appends to report one line an
 * error, each naming key and "FILE:LINE" or "environment", never a value; any
 * line means ERR_CONFIG, and the key in question keeps the value that it had
 * before. Also ERR_MEMORY. c is filled and owned by the caller on every return:
 * end it with config_fini. Does not look at files' contents. */
enum err config_load(struct config *c, const char *file, struct buf *report) MUST_CHECK;
/* Looks whether the database is named, files and folders that vaultd needs exist
 * and can be read, key files are closed to others and the bundles folder holds a
 * .pem. One line an error, as above, with the path; any line means ERR_CONFIG. What stands in the files is looked at by
 * http_check and app_check. */
enum err config_check(const struct config *c, struct buf *report) MUST_CHECK;
/* "FILE:LINE: VAULT_KEY: ", "environment: VAULT_KEY: " or "default: VAULT_KEY: ":
 * the start of a line of the report. */
void config_origin(const struct config *c, enum config_key key, struct buf *report);
/* Wipes and frees; a zeroed struct is allowed, and so is a second call. */
void config_fini(struct config *c);
/* The table as text for --help. */
void config_help(struct buf *out);
/* The value of a text-like key by number, or NULL for a number. Borrowed. */
const char *config_text(const struct config *c, enum config_key key);
/* The ledger's path: as configured, or beside the keyring, written into room. */
#define CONFIG_PATH_MAX 4096
const char *config_ledger(const struct config *c, char room[static CONFIG_PATH_MAX]);
/* The path of the last checkpoint, likewise. */
const char *config_checkpoint(const struct config *c, char room[static CONFIG_PATH_MAX]);
/* "VAULT_..." of a key. */
const char *config_name(enum config_key key);

#endif
