/* commands_rights.h: the part of the table of commands that officers use, with consents and notices. For commands.c only. */
#ifndef CTL_COMMANDS_RIGHTS_H
#define CTL_COMMANDS_RIGHTS_H

#include "ctl/arguments.h"

#define SCOPE_OPTIONS                                                                                                  \
	{"fields", "A,B", NULL, "Of these fields; without any of these four: of the whole customer."},                 \
	    {"classes", "A,B", NULL, "Of the fields of these classes."},                                               \
	    {"records", "A,B", NULL, "Of records of these kinds."},                                                    \
	    {"purposes", "A,B", NULL, "Of these purposes."}

#define WAIT_OPTIONS {"seconds", "N", NULL, "Wait no longer than this, 1 to 86400; default 3600."}

static const struct ctl_option consent_give_options[] = {
    {"channel", "WORD", NULL, "Where: web, app, store, phone, email, letter, event or other."},
    {"method", "WORD", NULL, "How: checkbox, signature and the like."},
    {"language", "TAG", NULL, "Language of the notice that was read."},
    {"notice-version", "N", NULL, "Version of the notice that was read."},
    {"valid-until", "TIME", NULL, "The consent ends by itself at this time (RFC 3339)."},
    {"evidence", "TEXT", NULL, "Reference to evidence; kept sealed."},
    {"guardian", "TEXT", NULL, "Who consents for a child under 14; kept sealed."},
    {"separate", NULL, NULL, "It was given apart from other declarations."},
    {"written", NULL, NULL, "It was given in writing."},
    {"refuse", NULL, NULL, "Record a refusal instead."},
    {0},
};

static const struct ctl_option notice_put_options[] = {
    {"renew", NULL, NULL, "Consents on earlier versions do not count any more."},
    {0},
};

static const struct ctl_option consent_list_options[] = {
    {"limit", "N", NULL, "Decisions a page, of one purpose."},
    {"cursor", "CURSOR", NULL, "Goes on where the last page ended."},
    {0},
};

static const struct ctl_option consent_import_options[] = {
    {"csv", NULL, NULL, "FILE is CSV with a heading; without it, a JSON object a line."},
    {"from", "LINE", NULL, "Begin at this line of FILE, after an interruption."},
    {0},
};

static const struct ctl_option state_options[] = {
    {"channel", "WORD", NULL, "Where it was said: web, app, store, phone, email, letter, event or other."},
    {"method", "WORD", NULL, "How."},
    {0},
};

static const struct ctl_option restriction_options[] = {
    {"only", "NAME", NULL, "Of this purpose; without it, of all."},
    {"channel", "WORD", NULL, "Where it was said: web, app, store, phone, email, letter, event or other."},
    {"method", "WORD", NULL, "How."},
    {0},
};

static const struct ctl_option request_open_options[] = {
    SCOPE_OPTIONS,
    {"jurisdiction", "NAME", NULL, "Whose term counts: gdpr (default) or pipl."},
    {"channel", "WORD", NULL, "Where it was asked for."},
    {"recipient", "FILE", NULL, "Of an export: certificate (PEM) to which the archive is encrypted."},
    {"wait", NULL, NULL, "Then watch it, as request watch does."},
    WAIT_OPTIONS,
    {0},
};

static const struct ctl_option request_list_options[] = {
    {"state", "STATE", NULL, "Only those in this state."},
    {"kind", "KIND", NULL, "Only export, erase, rectify, restrict or object."},
    {"overdue", NULL, NULL, "Only those past their term."},
    {"limit", "N", NULL, "Requests a page."},
    {"cursor", "CURSOR", NULL, "Goes on where the last page ended."},
    {0},
};

static const struct ctl_option request_approve_options[] = {
    {"scope-hash", "HEX", NULL, "The scope that was seen, as request show tells it; without it you are asked."},
    {0},
};

static const struct ctl_option request_reason_options[] = {
    {"reason", "CODE", NULL, "Why, a code."},
    {0},
};

static const struct ctl_option request_amend_options[] = {SCOPE_OPTIONS, {0}};

static const struct ctl_option request_watch_options[] = {WAIT_OPTIONS, {0}};

static const struct ctl_option hold_propose_options[] = {
    SCOPE_OPTIONS,
    {"reason", "CODE", NULL, "Why: lawsuit, tax_audit and the like; a small letter, then letters, digits and _."},
    {"law", "TEXT", NULL, "The law that asks for it."},
    {"until", "TIME", NULL, "It ends by itself at this time (RFC 3339)."},
    {"may-be-told", NULL, NULL, "The customer may be told of it, in an export."},
    {0},
};

static const struct ctl_option hold_list_options[] = {
    {"limit", "N", NULL, "Holds a page."},
    {"cursor", "CURSOR", NULL, "Goes on where the last page ended."},
    {0},
};

#define CONSENT_COMMANDS \
    {"consent", "list", "CUSTOMER [PURPOSE]", 1, 2, consent_list_options, "Shows what a customer has decided.", \
     "Without PURPOSE: what counts now for each purpose. With it: the history, newest first.\n\n" \
     "Example:\n" \
     "  vaultctl --as crm-core --purpose onboarding consent list cus1... marketing\n", \
     command_consent_list}, \
    {"consent", "give", "CUSTOMER PURPOSE", 2, 2, consent_give_options, "Records a consent, or a refusal.", \
     "It binds every read that begins after this command has ended, on all nodes.\n\n" \
     "Example:\n" \
     "  vaultctl --as crm-core --purpose onboarding consent give cus1... marketing --channel web --method checkbox\n", \
     command_consent_give}, \
    {"consent", "withdraw", "CUSTOMER PURPOSE", 2, 2, NULL, "Records that a consent is withdrawn.", \
     "Nothing more is asked for: withdrawing is as easy as giving.\n\n" \
     "Example:\n" \
     "  vaultctl --as service-desk --purpose support consent withdraw cus1... marketing\n", \
     command_consent_withdraw}, \
    {"consent", "import", "FILE", 1, 1, consent_import_options, "Records many decisions out of a file.", \
     "FILE (- for standard input) holds one decision a line, {\"customer\", \"purpose\", \"consent\": {...}} as in\n" \
     "POST /v1/consents:batch, or with --csv the columns customer, purpose, decision, channel, method,\n" \
     "language, given_at, valid_until, notice_version, evidence, guardian, separate, written in any\n" \
     "order. What is refused is told as FILE:LINE, and the rest goes on; exit code 1 where a line was\n" \
     "refused. What is recorded last counts, so keep the lines in the order of time.\n\n" \
     "Examples:\n" \
     "  vaultctl --as crm-core --purpose onboarding consent import decisions.jsonl\n" \
     "  vaultctl --as crm-core --purpose onboarding consent import --csv decisions.csv\n", \
     command_consent_import}, \
    {"consent", "receipt", "CUSTOMER PURPOSE", 2, 2, NULL, "Prints a signed receipt of the last decision.", \
     "In the terms of ISO/IEC TS 27560 and W3C DPV. consent verify checks it offline.\n\n" \
     "Example:\n" \
     "  vaultctl --as crm-core --purpose onboarding consent receipt cus1... marketing > receipt.json\n", \
     command_consent_receipt}, \
    {"consent", "verify", "FILE", 1, 1, signed_verify_options, "Checks a receipt without the vault.", \
     "Exit code 5 where the signature does not fit.\n\n" \
     "Example:\n" \
     "  vaultctl consent verify receipt.json --public-key HEX\n", \
     command_signed_verify}, \
    {"notice", "get", "NAME", 1, 1, NULL, "Shows the versions of a privacy notice.", \
     "Example:\n" \
     "  vaultctl --as compliance-1 notice get marketing\n", \
     command_notice_get}, \
    {"notice", "put", "NAME [FILE]", 1, 2, notice_put_options, "Publishes a new version of a privacy notice.", \
     "FILE (or standard input) is a JSON object of languages and texts: {\"en\": \"...\", \"zh\": \"...\"}.\n\n" \
     "Example:\n" \
     "  vaultctl --as compliance-1 notice put marketing notice.json --renew\n", \
     command_notice_put}

#define RIGHTS_COMMANDS                                                                                                \
	{"basis", "put", "CUSTOMER PURPOSE BASIS", 3, 3, NULL, "Records a lawful basis other than consent.",           \
	 "BASIS is contract, legal_obligation, vital_interest, public_task or legitimate_interest.\n\n"                \
	 "Example:\n  vaultctl --as crm-core --purpose onboarding basis put cus1... loyalty contract\n",               \
	 command_basis_put},                                                                                           \
	    {"basis", "end", "CUSTOMER PURPOSE", 2, 2, NULL, "Records that a lawful basis has ended.",                 \
	     "Example:\n  vaultctl --as crm-core --purpose onboarding basis end cus1... loyalty\n", command_basis_end}, \
	    {"objection", "make", "CUSTOMER PURPOSE", 2, 2, state_options, "Records an objection (GDPR 21).",           \
	     "From the next read on nothing but deleting is done for that purpose, on all nodes.\n\n"                  \
	     "Example:\n  vaultctl --as service-desk --purpose support objection make cus1... marketing --channel phone\n", \
	     command_objection_make},                                                                                  \
	    {"objection", "lift", "CUSTOMER PURPOSE", 2, 2, state_options, "Records that an objection is taken back.", \
	     "Example:\n  vaultctl --as service-desk --purpose support objection lift cus1... marketing\n",            \
	     command_objection_lift},                                                                                  \
	    {"restriction", "set", "CUSTOMER", 1, 1, restriction_options, "Restricts processing (GDPR 18).",           \
	     "From the next read on, on all nodes; rights requests and the log go on.\n\n"                             \
	     "Example:\n  vaultctl --as service-desk --purpose support restriction set cus1...\n",                     \
	     command_restriction_set},                                                                                 \
	    {"restriction", "lift", "CUSTOMER", 1, 1, restriction_options, "Ends a restriction.",                      \
	     "Example:\n  vaultctl --as service-desk --purpose support restriction lift cus1... --only marketing\n",   \
	     command_restriction_lift},                                                                                \
	    {"request", "open", "CUSTOMER KIND", 2, 2, request_open_options, "Opens a rights request.",                \
	     "KIND is export, erase, rectify, restrict or object. In an erasure --purposes stands for what policy\n"   \
	     "lets only these purposes use: the reply's scope names it.\n\n"                                           \
	     "Examples:\n"                                                                                             \
	     "  vaultctl --as service-desk --purpose support request open cus1... erase --channel letter\n"            \
	     "  vaultctl --as service-desk --purpose support request open cus1... object --purposes marketing --wait\n", \
	     command_request_open},                                                                                    \
	    {"request", "list", "", 0, 0, request_list_options, "Lists rights requests, newest first.",                \
	     "All of them for who may handle requests, else one's own.\n\n"                                            \
	     "Example:\n  vaultctl --as compliance-1 request list --state awaiting_approval\n", command_request_list}, \
	    {"request", "show", "REQUEST", 1, 1, NULL, "Shows one request: scope, approvals, notes, recipients.",      \
	     "Example:\n  vaultctl --as compliance-1 request show req1...\n", command_request_show},                   \
	    {"request", "verify", "REQUEST", 1, 1, NULL, "Takes a request up: who asks is to be checked.",             \
	     "Example:\n  vaultctl --as compliance-1 request verify req1...\n", command_request_verify},               \
	    {"request", "submit", "REQUEST [FILE]", 1, 2, NULL, "Says how the identity was checked; asks for approval.", \
	     "The text is read from FILE or standard input and kept sealed under the customer's key.\n\n"              \
	     "Example:\n  vaultctl --as compliance-1 request submit req1... identity.txt\n",                 \
	     command_request_submit},                                                                                  \
	    {"request", "approve", "REQUEST", 1, 1, request_approve_options, "Approves what was shown.",               \
	     "Bound to the scope: give its hash, or look at the request and answer yes on the terminal. An\n"          \
	     "approval lapses after seven days; nobody approves what he asked for himself.\n\n"                        \
	     "Example:\n  vaultctl --as compliance-2 request approve req1...\n", command_request_approve},             \
	    {"request", "deny", "REQUEST", 1, 1, request_reason_options, "Denies a request.",                          \
	     "--reason is identity_not_proved, not_our_customer, unfounded, excessive, duplicate,\n"                   \
	     "legal_obligation, legal_claims, public_interest, rights_of_others, no_such_data or other.\n\n"           \
	     "Example:\n  vaultctl --as compliance-1 request deny req1... --reason identity_not_proved\n",             \
	     command_request_deny},                                                                                    \
	    {"request", "extend", "REQUEST", 1, 1, request_reason_options, "Extends the term, once, before it ends.",  \
	     "--reason is complex or many_requests.\n\n"                                                               \
	     "Example:\n  vaultctl --as compliance-1 request extend req1... --reason complex\n",                       \
	     command_request_extend},                                                                                  \
	    {"request", "assign", "REQUEST WHO", 2, 2, NULL, "Says who works on a request.",                           \
	     "Example:\n  vaultctl --as compliance-1 request assign req1... spiffe://crm.example/person/compliance-2\n", \
	     command_request_assign},                                                                                  \
	    {"request", "note", "REQUEST [FILE]", 1, 2, NULL, "Adds a note, for officers, from FILE or standard input.", \
	     "Kept sealed under the customer's key.\n\n"                                                               \
	     "Example:\n  vaultctl --as compliance-1 request note req1... note.txt\n", command_request_note}, \
	    {"request", "amend", "REQUEST", 1, 1, request_amend_options, "Changes the scope of one's own request.",    \
	     "Until it is approved. Approvals of the earlier scope count no more.\n\n"                                 \
	     "Example:\n  vaultctl --as service-desk request amend req1... --fields email,phone\n",                    \
	     command_request_amend},                                                                                   \
	    {"request", "cancel", "REQUEST", 1, 1, NULL, "Cancels a request that has not begun.",                      \
	     "Example:\n  vaultctl --as service-desk request cancel req1...\n", command_request_cancel},               \
	    {"request", "complete", "REQUEST", 1, 1, NULL, "Says that a rectification has been made.",                 \
	     "Example:\n  vaultctl --as compliance-1 request complete req1...\n", command_request_complete},           \
	    {"request", "retry", "REQUEST", 1, 1, NULL, "Runs a failed request again.",                                \
	     "Example:\n  vaultctl --as compliance-1 request retry req1...\n", command_request_retry},                 \
	    {"request", "watch", "REQUEST", 1, 1, request_watch_options, "Waits for a request's end.",                 \
	     "Tells each state on standard error, and on a terminal how far it is. Exit code 0 where it is\n"          \
	     "completed, 5 where it was denied, cancelled or has failed, 3 where it has not ended in time.\n\n"        \
	     "Example:\n  vaultctl --as compliance-1 request watch req1...\n", command_request_watch},                 \
	    {"request", "certificate", "REQUEST", 1, 1, NULL, "Prints the signed certificate of an erasure.",          \
	     "erasure verify checks it offline.\n\n"                                                                   \
	     "Example:\n  vaultctl --as compliance-1 request certificate req1... > certificate.json\n",                \
	     command_request_certificate},                                                                             \
	    {"hold", "propose", "CUSTOMER", 1, 1, hold_propose_options, "Proposes a legal hold.",                      \
	     "Another person must confirm it. What it is about is not erased before it ends; --purposes stands\n"      \
	     "for all that policy lets them use: the reply's scope names it.\n\n"                                      \
	     "Example:\n"                                                                                              \
	     "  vaultctl --as compliance-1 --purpose rights hold propose cus1... --records order \\\n"                 \
	     "    --reason lawsuit --law 'HGB 257' --until 2030-01-01T00:00:00Z\n",                                    \
	     command_hold_propose},                                                                                    \
	    {"hold", "confirm", "HOLD", 1, 1, NULL, "Confirms a hold that another person has proposed.",               \
	     "Example:\n  vaultctl --as compliance-2 hold confirm req1...\n", command_hold_confirm},                   \
	    {"hold", "release", "HOLD", 1, 1, NULL, "Ends a hold before its time.",                                    \
	     "Erasures that waited for it go on by themselves.\n\n"                                                    \
	     "Example:\n  vaultctl --as compliance-1 hold release req1...\n", command_hold_release},                   \
	    {"hold", "list", "", 0, 0, hold_list_options, "Lists holds, newest first.",                                \
	     "Example:\n  vaultctl --as compliance-1 hold list\n", command_hold_list}

#endif
