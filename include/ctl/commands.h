/* commands.h: the commands of vaultctl, and what they share. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "codec/doc.h"
#include "ctl/arguments.h"
#include "ctl/client.h"

/* All commands, in the order of --help. */
extern const struct ctl_command ctl_commands[];

int command_whoami(const struct arguments *a);
int command_customer_get(const struct arguments *a);
int command_customer_put(const struct arguments *a);
int command_customer_search(const struct arguments *a);
int command_policy_show(const struct arguments *a);
int command_policy_check(const struct arguments *a);
int command_policy_test(const struct arguments *a);
int command_policy_explain(const struct arguments *a);
int command_policy_activate(const struct arguments *a);
int command_audit_list(const struct arguments *a);
int command_audit_tail(const struct arguments *a);
int command_audit_new_origin(const struct arguments *a);
int command_audit_fetch(const struct arguments *a);
int command_audit_log_key(const struct arguments *a);
int command_audit_proof(const struct arguments *a);
int command_audit_verify(const struct arguments *a);
int command_audit_verify_record(const struct arguments *a);
int command_audit_witness(const struct arguments *a);
int command_audit_witness_key(const struct arguments *a);
int command_audit_show(const struct arguments *a);
int command_audit_export(const struct arguments *a);
int command_audit_ship(const struct arguments *a);
int command_audit_summary(const struct arguments *a);
int command_audit_scope(const struct arguments *a);
int command_audit_scrub(const struct arguments *a);
int command_webhook_list(const struct arguments *a);
int command_webhook_put(const struct arguments *a);
int command_webhook_delete(const struct arguments *a);
int command_webhook_retry(const struct arguments *a);
int command_canary_list(const struct arguments *a);
int command_canary_put(const struct arguments *a);
int command_canary_delete(const struct arguments *a);
int command_key_init(const struct arguments *a);
int command_key_status(const struct arguments *a);
int command_key_rotate(const struct arguments *a);
int command_key_destroy(const struct arguments *a);
int command_key_backup(const struct arguments *a);
int command_key_restore(const struct arguments *a);
int command_consent_list(const struct arguments *a);
int command_consent_give(const struct arguments *a);
int command_consent_withdraw(const struct arguments *a);
int command_consent_receipt(const struct arguments *a);
int command_signed_verify(const struct arguments *a);
int command_notice_get(const struct arguments *a);
int command_notice_put(const struct arguments *a);
int command_consent_import(const struct arguments *a);
int command_basis_put(const struct arguments *a);
int command_basis_end(const struct arguments *a);
int command_objection_make(const struct arguments *a);
int command_objection_lift(const struct arguments *a);
int command_restriction_set(const struct arguments *a);
int command_restriction_lift(const struct arguments *a);
int command_request_open(const struct arguments *a);
int command_request_list(const struct arguments *a);
int command_request_show(const struct arguments *a);
int command_request_verify(const struct arguments *a);
int command_request_submit(const struct arguments *a);
int command_request_approve(const struct arguments *a);
int command_request_deny(const struct arguments *a);
int command_request_extend(const struct arguments *a);
int command_request_assign(const struct arguments *a);
int command_request_note(const struct arguments *a);
int command_request_amend(const struct arguments *a);
int command_request_cancel(const struct arguments *a);
int command_request_complete(const struct arguments *a);
int command_request_retry(const struct arguments *a);
int command_request_watch(const struct arguments *a);
int command_request_certificate(const struct arguments *a);
int command_hold_propose(const struct arguments *a);
int command_hold_confirm(const struct arguments *a);
int command_hold_release(const struct arguments *a);
int command_hold_list(const struct arguments *a);
int command_erasure_replay(const struct arguments *a);
int command_export_get(const struct arguments *a);
int command_retention_preview(const struct arguments *a);
int command_retention_status(const struct arguments *a);
int command_backup(const struct arguments *a);
int command_restore(const struct arguments *a);
int command_migrate(const struct arguments *a);

/* ---- remote.c: a command's talk with the vault. All return an enum ctl_exit. ---- */

/* Sends; says on standard error what went wrong. On CTL_OK body has the reply. */
int remote_send(const struct arguments *a, const struct client_request *r, struct buf *body);
/* remote_send, then parses. Owner of *doc: caller. With --json it prints the
 * reply and leaves *doc NULL, so the command has nothing left to show. */
int remote_ask(const struct arguments *a, const struct client_request *r, struct doc **doc);
/* remote_ask, and shows the reply as an object. */
int remote_show(const struct arguments *a, const struct client_request *r);
/* Prints what is at path as it came: the bytes of a signed document are what is signed. */
int remote_print(const struct arguments *a, const char *path);
/* As remote_ask, but *doc is there with --json too. */
int remote_ask_both(const struct arguments *a, const struct client_request *r, struct doc **doc);

/* GETs path below url, which wins over --url. CTL_OK where the vault answered with 200, 404 or 410: look at
 * reply->status; else it has said what is wrong. reply is to be ended with client_reply_fini in any case. */
int remote_get(const struct arguments *a, const char *url, const char *path, struct client_reply *reply);

/* ---- input.c: what goes in and out ---- */

/* Reads a file, or standard input for "-", that must be UTF-8 and at most
 * limit bytes. False with a line on standard error. out is the caller's
 * storage, to be ended with buf_fini in any case. */
bool input_read(const char *path, size_t limit, struct buf *out);
/* "2h", "30m", "7d", "90s" ago, or RFC 3339, as RFC 3339 in UTC. False: neither. */
bool input_time(const char *text, int64_t now_us, struct buf *out);
/* Appends "NAME=VALUE" to a query, percent-encoded, with ? or & before it. NULL value: nothing. */
void input_query(struct buf *path, const char *name, const char *value);
/* Is it a whole word of [A-Za-z0-9._-], 1 to 64 long? */
bool input_is_word(const char *text);
/* Is it of the form of a customer token? */
bool input_is_customer(const char *text);
/* Of the form of a rights request's or a hold's id, with nothing that a path could hold beside it? */
bool input_is_request(const char *text);
/* Lower-case hex of exactly n bytes. NULL text: no. */
bool input_hex(const char *text, size_t len, uint8_t *out, size_t n);
/* A decimal number from least to most. */
bool input_number(const char *text, long least, long most, long *out);
/* Writes a finished text to standard output: CTL_OK, or CTL_SERVER where that failed. */
int output(const struct buf *text);
/* Tells on standard error that another page is there. */
void tell_more(const char *cursor, size_t len);
/* "error: ..." on standard error; returns code. */
int complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
