/* config.h: the configuration: environment variables VAULT_*, or the same
 * names in a KEY=VALUE file. One table declares each key with its default,
 * meaning and check; --help prints it, README's table is tested against it.
 *
 * The environment wins over the file. Lines that start with # and empty lines
 * are skipped; a value may stand in double quotes. An unknown VAULT_* key is
 * an error wherever it stands. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*    KEY (without VAULT_)      member               type    default                      help */
#define CONFIG_LIST(X)                                                                                                  \
	X(DATABASE_URL,             database_url,        text,   "",                          "libpq connection string of the service role.") \
	X(MIGRATE_URL,              migrate_url,         text,   "",                          "libpq connection string of the role that owns the schema (vaultctl migrate only).") \
	X(LISTEN_ADDRESS,           listen_address,      text,   "127.0.0.1",                 "Address of the mutual TLS listener.") \
	X(LISTEN_PORT,              listen_port,         port,   "8443",                      "Port of the mutual TLS listener.") \
	X(OPERATIONS_PORT,          operations_port,     port,   "9443",                      "Port of the plain operations listener, always on 127.0.0.1.") \
	X(TLS_CERTIFICATE,          tls_certificate,     file,   "certs/dev/server.pem",      "Server certificate chain, PEM.") \
	X(TLS_KEY,                  tls_key,             file,   "certs/dev/server.key",      "Key of the server certificate, PEM.") \
	X(TRUST_BUNDLES,            trust_bundles,       folder, "certs/dev/bundles",         "Folder with one CA bundle a trust domain: NAME.pem holds the CAs of spiffe://NAME.") \
	X(DENY_LIST,                deny_list,           text,   "",                          "File of serials (hex) and SPIFFE IDs, one a line, that are refused on each request.") \
	X(KEYRING,                  keyring,             file,   "var/keys/keyring",          "Keyring file.")               \
	X(ROOT_KEY,                 root_key,            file,   "var/keys/root",             "Root key file, 32 bytes, mode 0400.") \
	X(NODE,                     node,                text,   "",                          "Name of this node in audit records; default: the host's name.") \
	X(IO_THREADS,               io_threads,          number, "2",                         "Threads that serve connections, 1 to 64.") \
	X(EXECUTORS,                executors,           number, "1",                         "Database executors for single requests, 1 to 16; bulk work has one more.") \
	X(QUEUE_LIMIT,              queue_limit,         number, "1024",                      "Jobs that may wait for an executor, 16 to 65536; past it: 503.") \
	X(MAX_CONNECTIONS,          max_connections,     number, "4096",                      "Client connections, 16 to 65536.") \
	X(HANDSHAKE_TIMEOUT_MS,     handshake_timeout_ms, number, "10000",                    "Deadline of a TLS handshake, 100 to 600000.") \
	X(HEADER_TIMEOUT_MS,        header_timeout_ms,   number, "10000",                     "Deadline of a request's header, from its first byte.") \
	X(BODY_TIMEOUT_MS,          body_timeout_ms,     number, "30000",                     "Deadline of a request's body.") \
	X(IDLE_TIMEOUT_MS,          idle_timeout_ms,     number, "300000",                    "An idle connection is closed after this time.") \
	X(REQUEST_TIMEOUT_MS,       request_timeout_ms,  number, "10000",                     "A request that waits longer for the database gets 503.") \
	X(DRAIN_TIMEOUT_MS,         drain_timeout_ms,    number, "15000",                     "At stop, requests in flight have this long.") \
	X(DEFAULT_COUNTRY,          default_country,     text,   "CN",                        "ISO 3166 country of phone numbers in national form.") \
	X(EXPECTED_CUSTOMERS,       expected_customers,  number, "1000000",                   "Sets how far blind index tags are truncated, when a keyring's first index epoch is made.") \
	X(SEARCH_BUDGET,            search_budget,       number, "10000",                     "Distinct searched values an identity may use an hour, over all nodes.") \
	X(LOG_LEVEL,                log_level,           text,   "info",                      "debug, info, warn or error.")

struct config {
#define CONFIG_MEMBER_text(member) char *member
#define CONFIG_MEMBER_file(member) char *member
#define CONFIG_MEMBER_folder(member) char *member
#define CONFIG_MEMBER_port(member) int64_t member
#define CONFIG_MEMBER_number(member) int64_t member
#define X(key, member, type, fallback, help) CONFIG_MEMBER_##type(member);
	CONFIG_LIST(X)
#undef X
};

/* Reads file (NULL: none) and the environment. Appends to report one line an
 * error, each naming key and file; any line means ERR_CONFIG. Numbers out of
 * range are errors. Does not look at files' contents. */
enum err config_load(struct config *c, const char *file, struct buf *report) MUST_CHECK;
/* As above, and looks whether files and folders that vaultd needs exist and can
 * be read, and whether key files have the right mode. One line an error. */
enum err config_check(const struct config *c, struct buf *report) MUST_CHECK;
void config_fini(struct config *c);
/* The table as text for --help. */
void config_help(struct buf *out);

#endif
