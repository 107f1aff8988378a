/* err.h: every error of the vault, in one list.
 *
 * A function that can fail returns enum err. ERR_OK is 0. Each error has an
 * HTTP status and a stable code, which clients script against (RFC 9457), and
 * a public text, which never holds a value, an id or a key. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/*    name                  status  code                    public text */
#define ERR_LIST(X)                                                                                                    \
	X(ERR_OK,               200, "ok",                    "No error.")                                                   \
	X(ERR_MALFORMED_JSON,   400, "malformed_json",        "The body is no JSON in UTF-8, or has a duplicate key, a NUL, a lone surrogate or more than 32 levels.") \
	X(ERR_MALFORMED,        400, "malformed_request",     "The request is not of the form that this route takes.")       \
	X(ERR_BAD_HEADER,       400, "bad_header",            "A header is missing, repeated or has a bad value.")           \
	X(ERR_BAD_PARAMETER,    400, "bad_parameter",         "A query parameter is unknown or has a bad value.")            \
	X(ERR_BAD_TOKEN,        400, "bad_token",             "A token is mistyped: its checksum does not match.")           \
	X(ERR_BAD_CURSOR,       400, "bad_cursor",            "The cursor was not made by this vault for this query.")       \
	X(ERR_LIMIT,            400, "limit_exceeded",        "More items were asked for than one request may hold.")        \
	X(ERR_UNKNOWN_FIELD,    400, "unknown_field",         "The dictionary has no field of this name.")                   \
	X(ERR_UNKNOWN_KIND,     400, "unknown_kind",          "The dictionary has no record kind of this name.")             \
	X(ERR_UNKNOWN_PURPOSE,  400, "unknown_purpose",       "No purpose of this name is declared.")                        \
	X(ERR_UNKNOWN_NOTICE,   400, "unknown_notice",        "No privacy notice of this name and version is published.")    \
	X(ERR_UNKNOWN_REASON,   400, "unknown_reason",        "The reason is none of the codes that this takes.")            \
	X(ERR_PURPOSE_REQUIRED, 400, "purpose_required",      "This request needs the header X-Purpose.")                    \
	X(ERR_INVALID_VALUE,    422, "invalid_value",         "A value does not fit the type of its field.")                 \
	X(ERR_CHECK_DIGIT,      422, "check_digit",           "The check digit of a value is wrong.")                        \
	X(ERR_VALUE_TOO_LONG,   422, "value_too_long",        "A value is longer than its field allows.")                    \
	X(ERR_NOT_INDEXED,      422, "not_indexed",           "This field has no index, so it can't be searched.")           \
	X(ERR_POLICY_TEXT,      422, "policy_invalid",        "The policy text does not compile.")                           \
	X(ERR_DICTIONARY,       422, "dictionary_invalid",    "The declaration is not valid.")                               \
	X(ERR_CONSENT,          422, "consent_invalid",       "The consent lacks what its purpose or the law asks for, or its times can't be.") \
	X(ERR_HOLD,             422, "hold_invalid",          "The hold's reason, law, scope or end can't be.")              \
	X(ERR_POLICY_DENIED,    403, "policy_denied",         "Policy does not allow this for the stated purpose.")          \
	X(ERR_NO_CONSENT,       403, "consent_missing",       "Policy asks for a consent that the customer has not given.")  \
	X(ERR_FOUR_EYES,        403, "four_eyes",             "This needs another person than the one who asked for it.")    \
	X(ERR_FROZEN,           403, "identity_frozen",       "This identity is frozen.")                                    \
	X(ERR_DENY_LISTED,      403, "identity_denied",       "This certificate or identity is on the deny list.")           \
	X(ERR_NOT_FOUND,        404, "not_found",             "There is no such thing here, or it is not yours to see.")     \
	X(ERR_NO_ROUTE,         404, "no_such_route",         "No route has this path.")                                     \
	X(ERR_METHOD,           405, "method_not_allowed",    "This route does not take this method.")                       \
	X(ERR_TIMEOUT,          408, "request_timeout",       "The request did not arrive in time.")                         \
	X(ERR_CONFLICT,         409, "conflict",              "The request conflicts with what is stored.")                  \
	X(ERR_REF_TAKEN,        409, "external_ref_taken",    "A customer with this external reference exists.")             \
	X(ERR_REQUEST_STATE,    409, "request_state",         "The rights request is not in a state that allows this.")      \
	X(ERR_REQUEST_EXISTS,   409, "request_exists",        "The same request for this customer is still open.")           \
	X(ERR_SCOPE_CHANGED,    409, "scope_changed",         "The scope is not the one that was shown for approval.")       \
	X(ERR_KEY_STATE,        409, "key_state",             "The key epoch is not in a state that allows this.")           \
	X(ERR_KEY_NODES,        409, "key_nodes",             "A live node does not hold the key epoch yet.")                \
	X(ERR_KEY_IN_USE,       409, "key_in_use",            "Customers' keys are still under the key epoch, or its overlap has not passed.") \
	X(ERR_IN_FLIGHT,        409, "idempotency_in_flight", "A request with this Idempotency-Key is still running.")       \
	X(ERR_ERASED,           410, "erased",                "The customer has been erased.")                               \
	X(ERR_EXPIRED,          410, "expired",               "It was kept for a time, which has passed.")                   \
	X(ERR_VERSION,          412, "version_mismatch",      "If-Match names a version that is not the current one.")       \
	X(ERR_BODY_TOO_LARGE,   413, "body_too_large",        "The body is larger than this route takes.")                   \
	X(ERR_MEDIA_TYPE,       415, "unsupported_media_type", "The body must be application/json.")                         \
	X(ERR_IDEMPOTENCY_REUSE, 422, "idempotency_reuse",     "This Idempotency-Key was used with another body.")           \
	X(ERR_HELD,             423, "held",                  "A legal hold forbids this.")                                  \
	X(ERR_VERSION_REQUIRED, 428, "if_match_required",     "This request needs the header If-Match.")                     \
	X(ERR_BUDGET,           429, "budget_exhausted",      "This identity has used up its budget for this hour.")         \
	X(ERR_HEADERS_TOO_LARGE, 431, "headers_too_large",     "The request's header is too large.")                         \
	X(ERR_RESTRICTED,       451, "restricted",            "Processing of this customer's data is restricted.")           \
	X(ERR_INTERNAL,         500, "internal",              "The vault could not do this; its log says why.")              \
	X(ERR_BUSY,             503, "busy",                  "The vault is at its limit; try again shortly.")               \
	X(ERR_UNAVAILABLE,      503, "unavailable",           "The database can't be reached; nothing was done.")            \
	X(ERR_AUDIT,            503, "audit_unavailable",     "The disclosure could not be recorded, so nothing left.")      \
	X(ERR_UNKNOWN_OUTCOME,  503, "outcome_unknown",       "The database went away during the commit: repeat the request with the same Idempotency-Key.") \
	X(ERR_STOPPING,         503, "stopping",              "This node is stopping; another one will answer.")             \
	X(ERR_LEDGER,           503, "ledger_mismatch",       "Database and erasure ledger disagree, so nothing is served: run vaultctl restore.") \
	X(ERR_NOT_SEALED,       503, "not_sealed",            "The audit log has no signed checkpoint over this yet; try again shortly.") \
	X(ERR_UNWITNESSED,      503, "unwitnessed",           "The audit log has not been cosigned for too long, so nothing is disclosed.") \
	/* Errors that no client sees: of files, keys and configuration. */                                                   \
	X(ERR_UNDELIVERED,      500, "undelivered",           "A message was given up: its webhook did not take it.")        \
	X(ERR_MEMORY,           503, "out_of_memory",         "The vault is out of memory.")                                 \
	X(ERR_IO,               500, "io",                    "A file could not be read or written.")                        \
	X(ERR_CONFIG,           500, "configuration",         "The configuration is wrong.")                                 \
	X(ERR_CRYPTO,           500, "crypto",                "A cryptographic operation failed.")                           \
	X(ERR_SEAL,             500, "seal_broken",           "A sealed unit did not open: it was changed or misplaced.")    \
	X(ERR_KEYRING,          500, "keyring",               "The keyring can't be used.")                                  \
	X(ERR_NO_EPOCH,         503, "key_epoch",             "The keyring lacks a key epoch.")                              \
	X(ERR_DATABASE,         500, "database",              "The database refused a statement.")                           \
	X(ERR_SCHEMA,           500, "schema",                "The database's schema is not the one that this build needs.") \
	X(ERR_STREAM_LOST,      503, "stream_lost",           "Another writer has taken this audit stream.")

enum err {
#define X(name, status, code, text) name,
	ERR_LIST(X)
#undef X
	ERR_COUNT
};

/* All three take any value; one outside the list reads as ERR_INTERNAL. */
int err_status(enum err e);
const char *err_code(enum err e);
const char *err_text(enum err e);

#endif
