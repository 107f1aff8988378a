/* commands.c: the table of commands, with their help. */
#include "ctl/commands.h"

#include "vault/ctl/audit_options.h"

#include "commands_rights.h"

static const struct ctl_option customer_get_options[] = {
    {"fields", "A,B", NULL, "Fields whose values are wanted; without it, tokens only."},
    {"form", "FORM", NULL, "Most that is wanted: token, masked, plain or best."},
    {0},
};

static const struct ctl_option customer_put_options[] = {
    {"by-ref", NULL, NULL, "Create or update by the external_ref in the input."},
    {"idempotency-key", "KEY", NULL, "Makes a repeat of this command harmless for 24 hours."},
    {0},
};

static const struct ctl_option customer_search_options[] = {
    {"limit", "N", NULL, "Customers a page."},
    {"cursor", "CURSOR", NULL, "Goes on where the last page ended."},
    {0},
};

static const struct ctl_option policy_show_options[] = {
    {"history", NULL, NULL, "List the versions that were active instead."},
    {0},
};

static const struct ctl_option policy_explain_options[] = {
    {"identity", "SPIFFE", NULL, "The caller in question."},
    {"purpose", "NAME", NULL, "The purpose in question."},
    {"field", "FIELD", NULL, "A field, or a record kind."},
    {"verb", "VERB", NULL, "read (default), write, search, translate or delete."},
    {"state", "A,B", NULL, "What holds for the customer: consented, basis, objected, restricted."},
    {0},
};

#define LOG_KEYS                                                                                                       \
	{"log", "KEY", NULL, "The log's verifier key, or a file that holds it."},                                      \
	    {"witnesses", "FILE", NULL, "Verifier keys of witnesses, one a line."},                                    \
	    {"quorum", "N", NULL, "So many of the witnesses must have cosigned; default all."}

static const struct ctl_option audit_verify_options[] = {
    LOG_KEYS,
    {"state", "FILE", NULL, "Keeps the last proven checkpoint here; default the file of --log with .checkpoint."},
    {"earlier", "FILE", NULL, "Another earlier checkpoint that the log must begin with."},
    {0},
};

static const struct ctl_option audit_verify_record_options[] = {
    LOG_KEYS,
    {"id", "RECORD", NULL, "The id that the record in FILE must have."},
    {0},
};

static const struct ctl_option audit_log_key_options[] = {
    {"number", "N", NULL, "Of an older log of this vault, from 1, instead of the one in use."},
    {0},
};

static const struct ctl_option audit_fetch_options[] = {
    {"number", "N", NULL, "An older log of this vault, from 1, instead of the one in use."},
    {0},
};

static const struct ctl_option audit_proof_options[] = {
    {"record", "FILE", NULL, "Also stores the record itself, byte for byte, in a new file."},
    {0},
};

static const struct ctl_option audit_witness_options[] = {
    {"listen", "ADDRESS", NULL, "127.0.0.1:PORT; default 127.0.0.1:8490."},
    {"key", "FILE", NULL, "The witness's key, made by audit witness-key."},
    {"state", "FILE", NULL, "Keeps the last cosigned checkpoint here."},
    {"log", "KEY", NULL, "Verifier key of the log, or a file that holds it."},
    {"new", NULL, NULL, "Begin: the state file is not there yet."},
    {0},
};

static const struct ctl_option audit_witness_key_options[] = {
    {"name", "NAME", NULL, "Makes a new key of this name, such as witness.example/w1."},
    {0},
};

#define KEY_PLACES                                                                                                     \
	{"config", "FILE", NULL, "KEY=VALUE file of vaultd, for VAULT_KEYRING and VAULT_ROOT_KEY."},                   \
	    {"keyring", "FILE", NULL, "Keyring file; wins over the configuration."},                                   \
	    {"root", "FILE", NULL, "Root key file; wins over the configuration."}

static const struct ctl_option key_init_options[] = {
    KEY_PLACES,
    {"expected-customers", "N", NULL, "Sets how far blind index tags are truncated; wins over the configuration."},
    {0},
};

static const struct ctl_option key_status_options[] = {KEY_PLACES, {0}};

static const struct ctl_option key_rotate_options[] = {
    KEY_PLACES,
    {"wait", "SECONDS", NULL, "Wait so long for every live node to hold the new epoch, 0 to 86400; default 300."},
    {0},
};

static const struct ctl_option key_destroy_options[] = {KEY_PLACES, {0}};

static const struct ctl_option key_backup_options[] = {
    KEY_PLACES,
    {"backup-key", "FILE", NULL, "The 32 bytes that the backup opens with; backup makes the file where it is missing."},
    {0},
};

static const struct ctl_option signed_verify_options[] = {
    {"public-key", "HEX", NULL, "The vault's signing key, as GET /v1/signing-key tells it."},
    {0},
};

static const struct ctl_option erasure_replay_options[] = {
    {"config", "FILE", NULL, "KEY=VALUE file of vaultd, for VAULT_MIGRATE_URL, VAULT_KEYRING, VAULT_ROOT_KEY and VAULT_LEDGER."},
    {0},
};

static const struct ctl_option webhook_put_options[] = {
    {"kinds", "A,B", NULL, "What it takes: erasure, rectification, alarm."},
    {"recipient", "SPIFFE", NULL, "Whose messages it takes: needed for erasure and rectification."},
    {0},
};

static const struct ctl_option export_get_options[] = {
    {"recipient", "FILE", NULL, "Certificate (PEM) to which the archive is encrypted."},
    {0},
};

static const struct ctl_option backup_options[] = {
    {"keep", "N", NULL, "Delete the oldest data backups, so that N are left; without it, all stay."},
    {"config", "FILE", NULL, "KEY=VALUE file of vaultd, for VAULT_MIGRATE_URL, VAULT_KEYRING and VAULT_ROOT_KEY."},
    {0},
};

static const struct ctl_option restore_options[] = {
    {"name", "DUMP", NULL, "The data backup to restore, as the manifest names it; without it, the newest."},
    {"config", "FILE", NULL, "KEY=VALUE file of vaultd, for VAULT_MIGRATE_URL, VAULT_KEYRING, VAULT_ROOT_KEY and VAULT_LEDGER."},
    {0},
};

static const struct ctl_option migrate_options[] = {
    {"url", "CONNINFO", NULL, "libpq connection string; other users of the machine can see it, so none with a password."},
    {"config", "FILE", NULL, "KEY=VALUE file of vaultd, for VAULT_MIGRATE_URL."},
    {0},
};

const struct ctl_command ctl_commands[] = {
    {NULL, "whoami", "", 0, 0, NULL, "What the vault takes this certificate for, and what it may do.",
     "Shows identity, roles, audience and rights.\n\n"
     "Example:\n"
     "  vaultctl --as service-desk whoami\n",
     command_whoami},
    {"customer", "get", "CUSTOMER", 1, 1, customer_get_options, "Shows one customer: tokens, or values as policy allows.",
     "CUSTOMER is a token, cus1... A field that policy refuses has the form deny and a code\n"
     "that says why. Each value that is shown leaves an audit record.\n\n"
     "Examples:\n"
     "  vaultctl --as crm-core --purpose onboarding customer get cus1...\n"
     "  vaultctl --as service-desk --purpose support customer get cus1... --fields email,phone --form best\n",
     command_customer_get},
    {"customer", "put", "[FILE]", 0, 1, customer_put_options, "Stores a customer; shows its tokens.",
     "Reads a JSON object from FILE, or from standard input where FILE is - or missing:\n"
     "{\"fields\": {\"name\": \"...\", \"email\": \"...\"}, \"external_ref\": \"...\", \"source\": \"...\"}\n\n"
     "Examples:\n"
     "  vaultctl --as crm-core --purpose onboarding customer put customer.json\n"
     "  export-one 42 | vaultctl --as crm-core --purpose onboarding customer put --by-ref\n",
     command_customer_put},
    {"customer", "search", "[FIELD=VALUE...]", 0, 32, customer_search_options, "Finds customers by exact values of indexed fields.",
     "All terms must hold. Without terms on the command line they are read from standard\n"
     "input, one a line. Prefer that: a command line is seen by other users of the machine\n"
     "and stays in the shell's history, and these values are personal data.\n\n"
     "Examples:\n"
     "  vaultctl --as service-desk --purpose support customer search < terms\n"
     "  vaultctl --as service-desk --purpose support customer search external_ref=crm-42\n",
     command_customer_search},
    CONSENT_COMMANDS,
    {"policy", "show", "", 0, 0, policy_show_options, "Shows the active policy.",
     "Its text, under comment lines with version, hash and activation; so what is shown is\n"
     "a policy again.\n\n"
     "Examples:\n"
     "  vaultctl --as admin policy show > crm.policy\n"
     "  vaultctl --as admin policy show --history\n",
     command_policy_show},
    {"policy", "check", "FILE", 1, 1, NULL, "Says whether a policy compiles.",
     "The vault compiles FILE (- for standard input) against its dictionary and purposes;\n"
     "nothing is changed. Each fault is told as FILE:LINE:COLUMN, with the near word where\n"
     "there is one. Exit code 5 where there is a fault.\n\n"
     "Example:\n"
     "  vaultctl --as admin policy check policy/rules/crm.policy\n",
     command_policy_check},
    {"policy", "test", "FILE TESTS", 2, 2, NULL, "Runs decision tests against a policy.",
     "TESTS holds one expectation a line. Each that fails is told; exit code 5 where one\n"
     "fails, or where TESTS holds none. Nothing is changed.\n\n"
     "Example:\n"
     "  vaultctl --as admin policy test policy/rules/crm.policy policy/rules/crm.tests\n",
     command_policy_test},
    {"policy", "explain", "", 0, 0, policy_explain_options, "Says what the active policy decides, and by which rules.",
     "Example:\n"
     "  vaultctl --as admin policy explain --identity spiffe://crm.example/svc/campaigns \\\n"
     "    --purpose marketing --field email --state consented\n",
     command_policy_explain},
    {"policy", "activate", "FILE", 1, 1, NULL, "Puts a policy in force on all nodes.",
     "The vault refuses a text that does not compile. Activation is recorded.\n\n"
     "Example:\n"
     "  vaultctl --as admin policy activate crm.policy\n",
     command_policy_activate},
    {"audit", "list", "", 0, 0, audit_list_options, "Lists audit records, newest first.",
     "Reading the log is recorded too.\n\n"
     "Examples:\n"
     "  vaultctl --as security audit list --since 2h --outcome failure\n"
     "  vaultctl --as security --json audit list --since 2026-01-01T00:00:00Z --all > records\n",
     command_audit_list},
    {"audit", "tail", "", 0, 0, audit_tail_options, "Shows audit records as they are committed.",
     "One line a record: time, id, actor, operation, purpose, outcome, code, form asked for,\n"
     "and field numbers by form given.\n"
     "With --json, one JSON object a line. Ends when it is interrupted.\n\n"
     "Example:\n"
     "  vaultctl --as security audit tail --actor spiffe://crm.example/svc/campaigns\n",
     command_audit_tail},
    {"audit", "new-origin", "ORIGIN", 1, 1, NULL, "Opens a new audit log after a break, under a name of its own.",
     "For a database that was restored from before the last checkpoint: nothing is signed on under the old name. The new log's\n"
     "first entry names the old one with its last signed size and root. There is no way back. Needs manage keys.\n\n"
     "Example:\n"
     "  vaultctl --as admin audit new-origin vault.example.com/audit-2\n",
     command_audit_new_origin},
    {"audit", "verify", "DIRECTORY|URL", 1, 1, audit_verify_options, "Proves the whole log, without trust in the vault.",
     "Checks the signature of the checkpoint, every record against the signed tree, every stream for\n"
     "gaps, times and where it began, and that the log begins with what was proved the last time.\n"
     "Exit code 5, the name of the check and the first record concerned where one fails.\n"
     "DIRECTORY is what audit fetch made; URL is https://HOST:PORT/v1/audit/log. KEY must have come\n"
     "to you once by a way that you trust: it is what all else hangs on.\n\n"
     "Examples:\n"
     "  vaultctl audit verify audit-copy --log vault.vkey\n"
     "  vaultctl --as security audit verify https://127.0.0.1:8443/v1/audit/log --log vault.vkey \\\n"
     "    --witnesses witnesses --quorum 2\n",
     command_audit_verify},
    {"audit", "fetch", "URL DIRECTORY", 2, 2, audit_fetch_options, "Copies the whole log into a directory.",
     "Fetches what is new since the last run, and goes on where one was cut off. It checks nothing:\n"
     "run audit verify on DIRECTORY, on a machine of your own.\n\n"
     "Example:\n"
     "  vaultctl --as security audit fetch https://127.0.0.1:8443/v1/audit/log audit-copy\n",
     command_audit_fetch},
    {"audit", "log-key", "", 0, 0, audit_log_key_options, "Prints the verifier key of the audit log.",
     "What the vault says its key is: NAME+HEX+BASE64. All proofs hang on it, so compare it with what\n"
     "the operator has published before you rely on it, and keep it; a vault that lies can't change it.\n\n"
     "Example:\n"
     "  vaultctl --as security audit log-key > vault.vkey\n",
     command_audit_log_key},
    {"audit", "proof", "RECORD", 1, 1, audit_proof_options, "Prints a proof that a record is in the log.",
     "RECORD is an id as in the header Audit-Record of a reply: 12-345. Whoever made a request may have\n"
     "the proof of its record; the record itself, for --record, needs the right to read the log. The\n"
     "proof (C2SP tlog-proof) holds all that audit verify-record needs besides the log's key.\n\n"
     "Examples:\n"
     "  vaultctl --as service-desk audit proof 12-345 > 12-345.tlog-proof\n"
     "  vaultctl --as security audit proof 12-345 --record record.json > 12-345.tlog-proof\n",
     command_audit_proof},
    {"audit", "verify-record", "PROOF [FILE]", 1, 2, audit_verify_record_options, "Checks a proof without the vault.",
     "PROOF and FILE are what audit proof printed and stored. Without FILE it is checked that the log\n"
     "holds the record that the vault meant, not what that says. Exit code 5 where it does not.\n\n"
     "Example:\n"
     "  vaultctl audit verify-record 12-345.tlog-proof record.json --id 12-345 --log vault.vkey\n",
     command_audit_verify_record},
    {"audit", "witness-key", "FILE", 1, 1, audit_witness_key_options, "Makes a witness's key; prints its verifier key.",
     "With --name it makes a new key, which FILE must not have yet; without, it prints that of FILE.\n\n"
     "Example:\n"
     "  vaultctl audit witness-key w1.key --name witness.example/w1 > w1.vkey\n",
     command_audit_witness_key},
    {"audit", "witness", "", 0, 0, audit_witness_options, "Serves as a witness: cosigns a log that only grows.",
     "Speaks C2SP tlog-witness over plain HTTP on loopback; put a TLS proxy before it. A checkpoint is\n"
     "cosigned only where all that was cosigned before is a part of it, and its state is on disk\n"
     "before the cosignature leaves. Keep it away from those who run the vault. Runs until it is\n"
     "interrupted.\n\n"
     "Example:\n"
     "  vaultctl audit witness --key w1.key --state w1.state --log vault.vkey --listen 127.0.0.1:8490\n",
     command_audit_witness},
    {"audit", "scrub", "", 0, 0, audit_scrub_options, "Holds every customer's row against the audit log.",
     "Waits for the whole cycle and shows each customer, by sref, whose row is not what the log\n"
     "says was written last. Exit code 5 where there is one. An interrupted wait ends nothing.\n\n"
     "Example:\n"
     "  vaultctl --as security audit scrub\n",
     command_audit_scrub},
    {"audit", "show", "ID", 1, 1, NULL, "Shows one audit record.",
     "ID is as in the header Audit-Record, or in audit list.\n\n"
     "Example:\n"
     "  vaultctl --as security audit show 12-3051\n",
     command_audit_show},
    {"audit", "summary", "", 0, 0, audit_summary_options, "Sums a time up: who did most, refusals, odd hours, new purposes.",
     "Odd is an hour of the day (UTC) that has less than a hundredth of what an identity did in\n"
     "this time, where that is 200 records or more. New is a purpose that the log has not seen\n"
     "from the identity before.\n\n"
     "Example:\n"
     "  vaultctl --as security audit summary --since 7d\n",
     command_audit_summary},
    {"audit", "export", "", 0, 0, audit_export_options, "Prints all audit records that match, one JSON object a line.",
     "Newest first, page after page to the end. The formats are the vault's own (native), OCSF 1.3\n"
     "class 6003 (ocsf) and Elastic Common Schema 8.11 (ecs).\n\n"
     "Example:\n"
     "  vaultctl --as security audit export --since 1d --format ocsf > records.ndjson\n",
     command_audit_export},
    {"audit", "ship", "", 0, 0, audit_ship_options, "Copies the log to a file or standard output without end, for a SIEM.",
     "Each record is delivered at least once, those of a stream in order; a restart goes on from\n"
     "the cursor, which is written after what it stands for is on disk. Without a cursor file it\n"
     "begins with the first record of the log. Exit code 5 where a record is missing.\n\n"
     "Example:\n"
     "  vaultctl --as security audit ship --cursor /var/lib/vault-ship/cursor --output /var/log/vault/audit.ndjson --format ecs\n",
     command_audit_ship},
    {"audit", "scope", "", 0, 0, audit_scope_options, "Says what an identity has received: for a breach report.",
     "Counts the different customers whose fields the identity has got, by field and form, and\n"
     "how often. With --srefs, each customer's sref is written to FILE, one a line, sorted.\n\n"
     "Example:\n"
     "  vaultctl --as security audit scope --actor spiffe://crm.example/svc/service-desk --from 2d --to 1h --srefs customers\n",
     command_audit_scope},
    {"webhook", "list", "", 0, 0, NULL, "Lists webhooks, and how many messages wait for each or were given up.",
     "Example:\n"
     "  vaultctl --as security webhook list\n",
     command_webhook_list},
    {"webhook", "put", "NAME URL", 2, 2, webhook_put_options, "Says where messages go.",
     "URL is https://... without a password. Messages are signed, and sent until they are taken or\n"
     "given up. Each version is kept and recorded.\n\n"
     "Examples:\n"
     "  vaultctl --as security webhook put soc https://soc.crm.example/vault --kinds alarm\n"
     "  vaultctl --as security webhook put campaigns https://campaigns.crm.example/vault \\\n"
     "    --kinds erasure,rectification --recipient spiffe://crm.example/svc/campaigns\n",
     command_webhook_put},
    {"webhook", "delete", "NAME", 1, 1, NULL, "Removes a webhook; messages that wait for it are given up.",
     "Example:\n"
     "  vaultctl --as security webhook delete soc\n",
     command_webhook_delete},
    {"webhook", "retry", "NAME", 1, 1, NULL, "Sends the messages that were given up once more.",
     "Example:\n"
     "  vaultctl --as security webhook retry soc\n",
     command_webhook_retry},
    {"canary", "list", "", 0, 0, NULL, "Lists canary customers.",
     "Example:\n"
     "  vaultctl --as security canary list\n",
     command_canary_list},
    {"canary", "put", "SREF", 1, 1, NULL, "Makes a customer a canary: whoever reads it raises an alarm.",
     "SREF names the customer as audit records do: create one, then look at the record of its\n"
     "creation. To callers it is a customer like any other.\n\n"
     "Example:\n"
     "  vaultctl --as security canary put 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n",
     command_canary_put},
    {"canary", "delete", "SREF", 1, 1, NULL, "Makes a canary an ordinary customer again.",
     "Example:\n"
     "  vaultctl --as security canary delete 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n",
     command_canary_delete},
    {"key", "init", "", 0, 0, key_init_options, "Makes a new root key and keyring on this machine.",
     "Refuses (exit code 1) where one of the files is there. Asks no vault.\n\n"
     "Example:\n"
     "  vaultctl key init --keyring var/keys/keyring --root var/keys/root\n",
     command_key_init},
    {"key", "status", "", 0, 0, key_status_options, "Shows the key epochs of a keyring, and of the vault; no key.",
     "The fingerprint is the same on all nodes that hold the same keyring. Where a client\n"
     "certificate is given (--cert, --as, VAULT_CERT), the vault is asked too: which epoch\n"
     "counts, how many customers' keys are on each, how far they are wrapped anew, which\n"
     "nodes hold which epoch. Needs manage keys.\n\n"
     "Examples:\n"
     "  vaultctl key status --config /etc/vault/vaultd.env\n"
     "  vaultctl --as admin key status --config /etc/vault/vaultd.env\n",
     command_key_status},
    {"key", "rotate", "", 0, 0, key_rotate_options, "Makes a new key epoch and puts it in force on all nodes.",
     "Adds a pending epoch to the keyring of this machine, makes the vault read it, waits until\n"
     "every live node holds it, and makes it active. Then the vault wraps customers' keys anew\n"
     "by itself; key status shows how far. Where there are other nodes, bring them the keyring\n"
     "meanwhile (key backup here; key restore and SIGHUP there). Interrupted, or at the end of\n"
     "its wait (exit code 1), it is run again and goes on. Needs manage keys.\n\n"
     "Example:\n"
     "  vaultctl --as admin key rotate --config /etc/vault/vaultd.env\n",
     command_key_rotate},
    {"key", "destroy", "EPOCH", 1, 1, key_destroy_options, "Destroys a retired key epoch; what was under it never opens again.",
     "Refused while a customer's key is under it or its overlap (VAULT_KEY_OVERLAP_S) has not\n"
     "passed. Writes a new keyring under a new root key on this machine, and overwrites and\n"
     "removes the old two files; run again, it finishes what was interrupted. It tells which\n"
     "other nodes still hold the epoch. Copies of the old files that you made are yours to\n"
     "destroy. Needs manage keys.\n\n"
     "Example:\n"
     "  vaultctl --as admin key destroy 1 --config /etc/vault/vaultd.env\n",
     command_key_destroy},
    {"key", "backup", "FILE", 1, 1, key_backup_options, "Writes a backup of the keyring that opens with a key of its own.",
     "FILE must not exist. The key in --backup-key is made where it is missing: keep the two\n"
     "apart from each other, and from the database's backups. Says which epochs it opens, and\n"
     "until when that matters. Asks no vault.\n\n"
     "Example:\n"
     "  vaultctl key backup keyring.backup --backup-key /media/a/backup.key --config /etc/vault/vaultd.env\n",
     command_key_backup},
    {"key", "restore", "FILE", 1, 1, key_backup_options, "Puts a backup of the keyring in place, under a new root key.",
     "Where there is no keyring on this machine, or one that the backup follows: the same keys,\n"
     "and every epoch of it. Old files are overwritten and removed. Then send vaultd SIGHUP.\n\n"
     "Example:\n"
     "  vaultctl key restore keyring.backup --backup-key /media/a/backup.key --config /etc/vault/vaultd.env\n",
     command_key_restore},
    RIGHTS_COMMANDS,
    {"export", "get", "REQUEST FILE", 2, 2, export_get_options, "Fetches the archive of a completed export.",
     "REQUEST is the id of the rights request, req1... FILE must not exist; it is made for its\n"
     "owner alone: it holds everything about a person. Each part that is fetched is recorded. What\n"
     "broke off goes on where it was when the command is given again.\n\n"
     "With --recipient the file is CMS EnvelopedData, for the key of that certificate alone. Where the\n"
     "request names a recipient the vault has encrypted the archive itself, and the certificate must\n"
     "be that one; else it is encrypted here, as it comes, and can't be resumed.\n\n"
     "Examples:\n"
     "  vaultctl --as service-desk export get req1... archive.zip\n"
     "  vaultctl --as service-desk export get req1... archive.cms --recipient customer.pem\n",
     command_export_get},
    {"export", "verify", "FILE", 1, 1, signed_verify_options, "Checks the manifest of an archive without the vault.",
     "FILE is the archive's manifest.json, which names the SHA-256 of every other file. Exit code 5\n"
     "where the signature does not fit.\n\n"
     "Example:\n"
     "  vaultctl export verify manifest.json --public-key HEX\n",
     command_signed_verify},
    {"erasure", "verify", "FILE", 1, 1, signed_verify_options, "Checks an erasure certificate without the vault.",
     "Exit code 5 where the signature does not fit.\n\n"
     "Example:\n"
     "  vaultctl erasure verify certificate.json --public-key HEX\n",
     command_signed_verify},
    {"erasure", "replay", "", 0, 0, erasure_replay_options, "Erases again, in a restored database, all whom the ledger names.",
     "vaultd refuses to serve a database that is older than its ledger; this brings it up to\n"
     "it, in one transaction, and says how many customers it erased again. A second run changes\n"
     "nothing. Needs keyring, root key and ledger, and the role that owns the schema.\n\n"
     "Example:\n"
     "  vaultctl erasure replay --config /etc/vault/vaultd.env\n",
     command_erasure_replay},
    {"retention", "preview", "", 0, 0, NULL, "Counts what would be erased now because its retention has ended.",
     "A line a field, record kind and purpose with retention_days. with_hold: how many of them belong to customers with a\n"
     "hold in force, which may keep them; restrictions keep more. Values of a field count once a walk has seen them.\n\n"
     "Example:\n"
     "  vaultctl --as compliance-1 retention preview\n",
     command_retention_preview},
    {"retention", "status", "", 0, 0, NULL, "Counts what has been erased because its retention had ended.",
     "Example:\n"
     "  vaultctl --as compliance-1 retention status\n",
     command_retention_status},
    {NULL, "backup", "DIRECTORY", 1, 1, backup_options, "Backs up the database: the data, and apart from it the customers' keys.",
     "Runs pg_dump as the role of VAULT_MIGRATE_URL, while the vault serves. DIRECTORY is new or holds backups of the\n"
     "same vault: each run adds the data and replaces the one copy of the customers' keys, so that whoever is erased\n"
     "is gone from here with the next run. Keyring, root key and ledger are never inside: back them up apart.\n\n"
     "Example:\n"
     "  vaultctl backup /backup/vault --keep 14 --config /etc/vault/vault.conf\n",
     command_backup},
    {NULL, "restore", "DIRECTORY", 1, 1, restore_options, "Restores a backup into an empty database, and erases again whom the ledger names.",
     "The database of VAULT_MIGRATE_URL was just made (createdb -O vault_owner vault). Loads the data and the newest\n"
     "copy of the keys, then removes whom the ledger names and whose key is gone; vaultd does not serve before that has\n"
     "ended. Interrupted, run it again: it begins anew or goes on. An older ledger than the backup's is refused.\n\n"
     "Examples:\n"
     "  vaultctl restore /backup/vault --config /etc/vault/vault.conf\n"
     "  vaultctl restore /backup/vault --name data-20261124T021500.000000Z.dump --config /etc/vault/vault.conf\n",
     command_restore},
    {NULL, "migrate", "", 0, 0, migrate_options, "Brings the database to the schema of this build.",
     "As the role that owns the schema: applies each migration that is missing, in order,\n"
     "and activates the shipped policy where there is none. A second run changes nothing.\n"
     "The connection string comes from --url, else from VAULT_MIGRATE_URL.\n\n"
     "Example:\n"
     "  vaultctl migrate --config /etc/vault/vaultd.env\n",
     command_migrate},
    {0},
};
