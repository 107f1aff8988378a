/* metrics.h: counters, gauges and histograms, as Prometheus text (format 0.0.4).
 *
 * All metrics are declared in the one list below; there are no dynamic labels,
 * so no identifier can become one. Updates are relaxed atomics, safe from any
 * thread. Requests by route and status are kept in a table that the route
 * table's owner sizes once at start. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"

#include <stdint.h>

/*    id                          type       name                                   help */
#define METRIC_LIST(X)                                                                                                  \
	X(METRIC_CONNECTIONS,         gauge,     "vault_connections",                     "Client connections that are open now.") \
	X(METRIC_HANDSHAKE_FAILURES,  counter,   "vault_tls_handshake_failures_total",    "Clients refused or lost during the TLS handshake.") \
	X(METRIC_DEADLINE_CUTS,       counter,   "vault_deadline_cuts_total",             "Connections closed because a handshake, header or body took too long.") \
	X(METRIC_IN_FLIGHT,           gauge,     "vault_requests_in_flight",              "Requests accepted and not yet answered.") \
	X(METRIC_QUEUE_DEPTH,         gauge,     "vault_queue_depth",                     "Jobs waiting for a database executor.") \
	X(METRIC_QUEUE_REFUSED,       counter,   "vault_queue_refused_total",             "Requests refused with 503 because the queue was full.") \
	X(METRIC_BODIES_REFUSED,      counter,   "vault_bodies_refused_total",            "Requests refused with 503 because large bodies in flight took all the memory that they may.") \
	X(METRIC_BATCHES,             counter,   "vault_batches_total",                   "Batches committed.")                    \
	X(METRIC_BATCH_JOBS,          counter,   "vault_batch_jobs_total",                "Jobs in committed batches.")            \
	X(METRIC_BATCH_RERUNS,        counter,   "vault_batch_reruns_total",              "Batches run again one job at a time after an error.") \
	X(METRIC_UNKNOWN_COMMITS,     counter,   "vault_unknown_commits_total",           "Commits whose outcome had to be read back.") \
	X(METRIC_DB_CONNECTED,        gauge,     "vault_database_connections",            "Executors that are connected to the database now.") \
	X(METRIC_DB_RECONNECTS,       counter,   "vault_database_reconnects_total",       "Connections to the database opened again after a loss.") \
	X(METRIC_AUDIT_RECORDS,       counter,   "vault_audit_records_total",             "Audit records committed.")              \
	X(METRIC_AUDIT_SEGMENTS,      counter,   "vault_audit_segments_total",            "Audit segments committed.")             \
	X(METRIC_AUDIT_LAST_US,       gauge,     "vault_audit_last_commit_timestamp_us",  "When the last audit segment of this node was committed.") \
	X(METRIC_AUDIT_SEALED,        gauge,     "vault_audit_tree_size",                 "Entries of the audit log's tree (of the node that seals).") \
	X(METRIC_AUDIT_SIGNED_US,     gauge,     "vault_audit_checkpoint_timestamp_us",   "When this node last signed a checkpoint.") \
	X(METRIC_AUDIT_LAG_US,        gauge,     "vault_audit_lag_us",                    "Age of the oldest audit record when it was sealed and signed, or of the oldest that is not (of the node that seals).") \
	X(METRIC_AUDIT_STOPPED,       gauge,     "vault_audit_streams_stopped",           "Audit streams with a gap or a change, which are not sealed further: an alarm.") \
	X(METRIC_AUDIT_REFUSED,       gauge,     "vault_audit_log_refused",               "1: the database does not agree with what was signed, so nothing is signed: an alarm.") \
	X(METRIC_TOKEN_FORGERIES,     counter,   "vault_token_forgeries_total",           "Tokens with a right checksum that no audience's key opens: an alarm.") \
	X(METRIC_TOKEN_FOREIGN,       counter,   "vault_token_foreign_total",             "Tokens of another audience that were presented.") \
	X(METRIC_SEAL_FAILURES,       counter,   "vault_seal_failures_total",             "Sealed units that did not open: an alarm.") \
	X(METRIC_POLICY_REVISION,     gauge,     "vault_configuration_revision",          "Revision of policy and dictionary in force here.") \
	X(METRIC_RELOADS,             counter,   "vault_reloads_total",                   "Certificate and deny list reloads that succeeded.") \
	X(METRIC_RELOAD_FAILURES,     counter,   "vault_reload_failures_total",           "Reloads that failed; the old state stays in force.") \
	X(METRIC_RIGHTS_OPEN,         gauge,     "vault_rights_requests_open",            "Rights requests that have not ended (of the leading node).") \
	X(METRIC_RIGHTS_OVERDUE,      gauge,     "vault_rights_requests_overdue",         "Of these, past their due time.") \
	X(METRIC_RIGHTS_DUE_SOON,     gauge,     "vault_rights_requests_due_72h",         "Of these, due within 72 hours.") \
	X(METRIC_KEY_ROWS_LEFT,       gauge,     "vault_key_rewrap_left",                 "Customers' keys that are not under the active key epoch (of the leading node).") \
	X(METRIC_KEY_REWRAPPED,       counter,   "vault_key_rewrapped_total",             "Customers' keys wrapped anew by this node.") \
	X(METRIC_KEY_ROTATION_DUE,    gauge,     "vault_key_rotation_due",                "1 while the active key epoch is older than VAULT_KEY_EPOCH_S (of the leading node).") \
	X(METRIC_ALARM_CANARY,        counter,   "vault_alarm_canary_total",              "Accesses to canary customers: an alarm.") \
	X(METRIC_ALARM_CUSTOMER_BUDGET, counter, "vault_alarm_customer_budget_total",     "Identities frozen because they asked for too many customers: an alarm.") \
	X(METRIC_ALARM_TOKEN_FORGERY, counter,   "vault_alarm_token_forgery_total",       "Recorded alarms of forged tokens.") \
	X(METRIC_ALARM_LOG,           counter,   "vault_alarm_log_total",                 "Segments of the audit log that are missing or changed: an alarm.") \
	X(METRIC_ALARM_CLOCK,         counter,   "vault_alarm_clock_back_total",          "Times that this node's clock was found set back by more than a second: an alarm.") \
	X(METRIC_ALARM_ROW,           counter,   "vault_alarm_row_total",                 "Customers whose row is not what the audit log says: an alarm.") \
	X(METRIC_SCRUB_FINDINGS,      gauge,     "vault_scrub_findings",                  "Customers whose row is not what the audit log says (of the leading node).") \
	X(METRIC_SCRUB_SLICE,         gauge,     "vault_scrub_slices_done",               "Slices of 4,096 that this cycle has compared (of the leading node).") \
	X(METRIC_SCRUB_ENDED_US,      gauge,     "vault_scrub_last_end_timestamp_us",     "When the last whole comparison of rows and log ended (of the leading node).") \
	X(METRIC_WATCH_RECORDS,       counter,   "vault_watch_records_total",             "Audit records that the watcher has read (of the leading node).") \
	X(METRIC_OUTBOX_WAITING,      gauge,     "vault_outbox_waiting",                  "Webhook messages that wait to be sent (of the leading node).") \
	X(METRIC_OUTBOX_DEAD,         gauge,     "vault_outbox_dead",                     "Webhook messages given up after their last try: an alarm.") \
	X(METRIC_OUTBOX_SENT,         counter,   "vault_outbox_sent_total",               "Webhook messages that were taken.")     \
	X(METRIC_OUTBOX_FAILURES,     counter,   "vault_outbox_failures_total",           "Tries of webhook messages that failed.") \
	X(METRIC_RETENTION_SWEPT,     counter,   "vault_retention_swept_total",           "Values, records and consent events erased because their retention had ended.") \
	X(METRIC_RETENTION_KEPT,      counter,   "vault_retention_kept_total",            "Customers passed over by such a sweep for a hold or a restriction.") \
	X(METRIC_FOLLOWERS,           gauge,     "vault_audit_followers",                 "Clients that follow the audit log now.")

enum metric {
#define X(id, type, name, help) id,
	METRIC_LIST(X)
#undef X
	METRIC_COUNT
};

void metric_add(enum metric m, int64_t delta);
void metric_set(enum metric m, int64_t value);
int64_t metric_get(enum metric m);

/* Histograms share one scale: buckets from 100 us to 10 s, 1-2.5-5 steps. */
enum histogram { HISTOGRAM_REQUEST, HISTOGRAM_BATCH, HISTOGRAM_QUEUE_WAIT, HISTOGRAM_COUNT };
void histogram_observe(enum histogram h, int64_t us);
/* Batch size in jobs: buckets are powers of two from 1 to 512. */
void metric_batch_size(size_t jobs);

/* Requests by route and status. Called once at start, before threads; names
 * are borrowed for ever. ERR_MEMORY. */
enum err metrics_routes(const char *const *names, size_t n) MUST_CHECK;
/* Counts the request and observes HISTOGRAM_REQUEST. A route past n counts only there. */
void metric_request(size_t route, int status, int64_t us);

/* Appends the whole page, vault_build_info{version=...} included. */
void metrics_render(struct buf *out);

#endif
