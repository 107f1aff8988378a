/* route.c: the table of routes, and the matching of a path against it. */
#include "vault/app/operations.h"
#include "vault/app/req_int.h"

#include <string.h>

#define KIB ((size_t)1024)
#define OP(name) name##_plan, name##_want, name##_decide, name##_reply
#define DECISION(name) name##_plan, consent_put_want, consent_put_decide, consent_put_reply
#define CONSENTS consents_list_plan, consents_list_want, consents_list_decide, NULL
#define STEP(name) NULL, NULL, name##_decide, NULL /* decides and composes in one */

const struct route routes[] = {
    {"POST", "/v1/customers", "customer.create", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_IDEMPOTENT, 512 * KIB, {NULL}, OP(create)},
    {"POST", "/v1/customers:batch", "customer.create_batch", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_BULK | ROUTE_IDEMPOTENT, 16384 * KIB, {NULL}, OP(create_batch)},
    {"PUT", "/v1/customers:by-ref", "customer.put_by_ref", ROUTE_PURPOSE | ROUTE_BODY, 512 * KIB, {NULL}, OP(put_by_ref)},
    {"POST", "/v1/customers:search", "customer.search", ROUTE_PURPOSE | ROUTE_BODY, 64 * KIB, {NULL}, OP(search)},
    {"GET", "/v1/customers/{customer}", "customer.read", ROUTE_PURPOSE, 0, {"fields", "form"}, OP(read_customer)},
    {"PATCH", "/v1/customers/{customer}", "customer.update", ROUTE_PURPOSE | ROUTE_BODY, 512 * KIB, {NULL}, OP(patch)},
    {"POST", "/v1/customers/{customer}/tokens:revoke", "customer.revoke_tokens", ROUTE_PURPOSE, 0, {NULL}, OP(revoke_tokens)},
    {"POST", "/v1/customers/{customer}/records/{kind}", "record.create", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_IDEMPOTENT, 128 * KIB, {NULL}, OP(record_add)},
    {"GET", "/v1/customers/{customer}/records/{kind}", "record.list", ROUTE_PURPOSE, 0, {"limit", "cursor"}, OP(record_list)},
    {"DELETE", "/v1/customers/{customer}/records/{kind}/{record}", "record.delete", ROUTE_PURPOSE, 0, {NULL}, OP(record_delete)},
    {"GET", "/v1/customers/{customer}/consents", "consent.list", ROUTE_PURPOSE | ROUTE_SOLO, 0, {NULL}, CONSENTS},
    {"GET", "/v1/customers/{customer}/consents/{purpose}", "consent.read", ROUTE_PURPOSE | ROUTE_SOLO, 0, {"limit", "cursor"}, CONSENTS},
    {"GET", "/v1/customers/{customer}/consents/{purpose}/receipt", "consent.receipt", ROUTE_PURPOSE | ROUTE_SOLO, 0, {NULL}, consents_list_plan, consents_list_want, receipt_decide, NULL},
    {"PUT", "/v1/customers/{customer}/consents/{purpose}", "consent.put", ROUTE_PURPOSE | ROUTE_BODY, 8 * KIB, {NULL}, DECISION(consent_put)},
    {"POST", "/v1/customers/{customer}/consents/{purpose}:withdraw", "consent.withdraw", ROUTE_PURPOSE, 0, {"channel", "method"}, DECISION(consent_withdraw)},
    {"POST", "/v1/consents:batch", "consent.put_batch", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_BULK, 4096 * KIB, {NULL}, OP(consent_batch)},
    {"PUT", "/v1/customers/{customer}/bases/{purpose}", "basis.put", ROUTE_PURPOSE | ROUTE_BODY, 4 * KIB, {NULL}, DECISION(basis_put)},
    {"DELETE", "/v1/customers/{customer}/bases/{purpose}", "basis.delete", ROUTE_PURPOSE, 0, {NULL}, DECISION(basis_delete)},
    {"PUT", "/v1/customers/{customer}/objections/{purpose}", "objection.put", ROUTE_PURPOSE, 0, {"channel", "method"}, DECISION(objection_put)},
    {"DELETE", "/v1/customers/{customer}/objections/{purpose}", "objection.delete", ROUTE_PURPOSE, 0, {"channel", "method"}, DECISION(objection_delete)},
    {"PUT", "/v1/customers/{customer}/restriction", "restriction.put", ROUTE_PURPOSE, 0, {"purpose", "channel", "method"}, DECISION(restriction_put)},
    {"DELETE", "/v1/customers/{customer}/restriction", "restriction.delete", ROUTE_PURPOSE, 0, {"purpose", "channel", "method"}, DECISION(restriction_delete)},
    {"POST", "/v1/tokens:detokenize", "token.detokenize", ROUTE_PURPOSE | ROUTE_BODY, 256 * KIB, {NULL}, OP(detokenize)},
    {"POST", "/v1/tokens:translate", "token.translate", ROUTE_PURPOSE | ROUTE_BODY, 256 * KIB, {NULL}, OP(translate)},

    {"GET", "/v1/whoami", "caller.whoami", 0, 0, {NULL}, STEP(whoami)},
    {"GET", "/v1/identities", "identity.list", ROUTE_SOLO, 0, {NULL}, STEP(identities)},
    {"POST", "/v1/identities:freeze", "identity.freeze", ROUTE_BODY | ROUTE_SOLO, 4 * KIB, {NULL}, STEP(freeze)},
    {"POST", "/v1/identities:thaw", "identity.thaw", ROUTE_BODY | ROUTE_SOLO, 4 * KIB, {NULL}, STEP(thaw)},
    {"POST", "/v1/certificates:reload", "certificate.reload", ROUTE_SOLO, 0, {NULL}, STEP(reload)},
    {"POST", "/v1/audiences/{audience}:revoke", "audience.revoke", ROUTE_SOLO, 0, {NULL}, STEP(audience_revoke)},
    {"GET", "/v1/fields", "field.list", 0, 0, {NULL}, STEP(fields_list)},
    {"GET", "/v1/fields/{name}", "field.read", 0, 0, {NULL}, STEP(field_get)},
    {"PUT", "/v1/fields/{name}", "field.put", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(field_put)},
    {"GET", "/v1/purposes", "purpose.list", 0, 0, {NULL}, STEP(purposes_list)},
    {"GET", "/v1/purposes/{name}", "purpose.read", 0, 0, {NULL}, STEP(purpose_get)},
    {"PUT", "/v1/purposes/{name}", "purpose.put", ROUTE_BODY | ROUTE_SOLO, 4 * KIB, {NULL}, STEP(purpose_put)},
    {"GET", "/v1/key-epochs", "key.list", ROUTE_SOLO | ROUTE_BULK, 0, {NULL}, STEP(key_epochs)},
    {"POST", "/v1/key-epochs/{epoch}:activate", "key.activate", ROUTE_SOLO, 0, {NULL}, STEP(key_activate)},
    {"POST", "/v1/key-epochs/{epoch}:destroy", "key.destroy", ROUTE_SOLO, 0, {NULL}, STEP(key_destroy)},
    {"GET", "/v1/signing-key", "key.signing", 0, 0, {NULL}, STEP(signing_key)},
    {"GET", "/v1/notices/{name}", "notice.read", ROUTE_SOLO, 0, {NULL}, STEP(notice_get)},
    {"PUT", "/v1/notices/{name}", "notice.put", ROUTE_BODY | ROUTE_SOLO, 512 * KIB, {NULL}, STEP(notice_put)},
    {"POST", "/v1/rights-requests", "rights.open", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, rights_open_plan, rights_open_want, rights_open_decide, NULL},
    {"GET", "/v1/rights-requests", "rights.list", ROUTE_SOLO, 0, {"state", "kind", "overdue", "limit", "cursor"}, STEP(rights_list)},
    {"GET", "/v1/rights-requests/{id}", "rights.read", ROUTE_SOLO, 0, {NULL}, STEP(rights_get)},
    {"GET", "/v1/rights-requests/{id}/export", "rights.export", ROUTE_SOLO | ROUTE_BULK, 0, {"part"}, STEP(export_get)},
    {"GET", "/v1/rights-requests/{id}/certificate", "rights.certificate", ROUTE_SOLO, 0, {NULL}, STEP(certificate)},
    {"POST", "/v1/rights-requests/{id}:verify", "rights.verify", ROUTE_SOLO, 0, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:submit", "rights.submit", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:approve", "rights.approve", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:deny", "rights.deny", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:cancel", "rights.cancel", ROUTE_SOLO, 0, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:extend", "rights.extend", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:assign", "rights.assign", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:note", "rights.note", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:amend", "rights.amend", ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:retry", "rights.retry", ROUTE_SOLO, 0, {NULL}, STEP(rights_move)},
    {"POST", "/v1/rights-requests/{id}:complete", "rights.complete", ROUTE_SOLO, 0, {NULL}, STEP(rights_move)},
    {"GET", "/v1/retention:preview", "retention.preview", ROUTE_SOLO | ROUTE_BULK, 0, {NULL}, STEP(retention_preview)},
    {"GET", "/v1/webhooks", "webhook.list", ROUTE_SOLO, 0, {NULL}, STEP(webhooks_list)},
    {"PUT", "/v1/webhooks/{name}", "webhook.put", ROUTE_BODY | ROUTE_SOLO, 4 * KIB, {NULL}, STEP(webhook_put)},
    {"DELETE", "/v1/webhooks/{name}", "webhook.delete", ROUTE_SOLO, 0, {NULL}, STEP(webhook_delete)},
    {"POST", "/v1/webhooks/{name}:retry", "webhook.retry", ROUTE_SOLO, 0, {NULL}, STEP(webhook_retry)},
    {"POST", "/v1/holds", "hold.propose", ROUTE_PURPOSE | ROUTE_BODY | ROUTE_SOLO, 16 * KIB, {NULL}, hold_put_plan, hold_put_want, hold_put_decide, NULL},
    {"GET", "/v1/holds", "hold.list", ROUTE_SOLO, 0, {"limit", "cursor"}, STEP(hold_list)},
    {"POST", "/v1/holds/{id}:confirm", "hold.confirm", ROUTE_SOLO, 0, {NULL}, STEP(hold_confirm)},
    {"POST", "/v1/holds/{id}:release", "hold.release", ROUTE_SOLO, 0, {NULL}, STEP(hold_release)},
    {"GET", "/v1/policies", "policy.read", ROUTE_SOLO, 0, {NULL}, STEP(policies_get)},
    {"POST", "/v1/policies:check", "policy.check", ROUTE_BODY | ROUTE_BULK, 4096 * KIB, {NULL}, STEP(policy_check)},
    {"POST", "/v1/policies:activate", "policy.activate", ROUTE_BODY | ROUTE_SOLO, 2048 * KIB, {NULL}, STEP(policy_activate)},
    {"POST", "/v1/policies:explain", "policy.explain", ROUTE_BODY, 16 * KIB, {NULL}, STEP(policy_explain)},
    {"GET", "/v1/audit/records", "audit.list", ROUTE_SOLO | ROUTE_BULK | ROUTE_STREAM, 0,
     {"since", "until", "actor", "activity", "outcome", "purpose", "customer", "limit", "cursor", "follow"},
     audit_list_plan, NULL, audit_list_decide, NULL},
    {"GET", "/v1/audit/scope", "audit.scope", ROUTE_SOLO | ROUTE_BULK, 0, {"actor", "since", "until", "cursor"}, scope_plan, NULL, scope_decide, NULL},
    {"GET", "/v1/audit/streams", "audit.streams", ROUTE_SOLO | ROUTE_BULK, 0, {"after"}, STEP(streams)},
    {"GET", "/v1/audit/streams/{stream}", "audit.stream", ROUTE_SOLO | ROUTE_BULK, 0, {"from"}, STEP(stream)},
    {"GET", "/v1/audit/scrub", "audit.scrub_status", ROUTE_SOLO, 0, {NULL}, STEP(scrub_status)},
    {"POST", "/v1/audit/scrub", "audit.scrub", ROUTE_SOLO, 0, {NULL}, STEP(scrub)},
    {"GET", "/v1/canaries", "canary.list", ROUTE_SOLO, 0, {NULL}, STEP(canaries)},
    {"PUT", "/v1/canaries/{sref}", "canary.put", ROUTE_SOLO, 0, {NULL}, STEP(canary_put)},
    {"DELETE", "/v1/canaries/{sref}", "canary.delete", ROUTE_SOLO, 0, {NULL}, STEP(canary_delete)},
    {"GET", "/v1/audit/records/{id}", "audit.read", ROUTE_SOLO, 0, {NULL}, STEP(audit_get)},
    {"GET", "/v1/audit/records/{id}/proof", "audit.proof", ROUTE_SOLO | ROUTE_BULK, 0, {NULL}, STEP(audit_proof)},
    {"GET", "/v1/audit/log/checkpoint", "audit.checkpoint", ROUTE_SOLO | ROUTE_BULK, 0, {"log"}, STEP(audit_checkpoint)},
    {"GET", "/v1/audit/log/tile/{tile}", "audit.tile", ROUTE_SOLO | ROUTE_BULK | ROUTE_REST, 0, {"log"}, STEP(audit_tile)},
    {"POST", "/v1/audit/log:new-origin", "audit.new_origin", ROUTE_BODY | ROUTE_SOLO, 4 * KIB, {NULL}, STEP(audit_origin)},
    {"GET", "/openapi.json", "openapi", 0, 0, {NULL}, STEP(openapi)},
};

size_t route_count(void)
{
	return sizeof routes / sizeof *routes;
}

/* One segment against its pattern: literal, {name}, or {name}:verb. */
static bool segment_matches(const char *pattern, size_t pattern_len, const char *text, size_t len, const char **value, size_t *value_len)
{
	const char *close;
	size_t suffix;

	if (pattern[0] != '{')
		return pattern_len == len && !memcmp(pattern, text, len);
	close = memchr(pattern, '}', pattern_len);
	suffix = pattern_len - (size_t)(close + 1 - pattern);
	if (len <= suffix || memcmp(text + len - suffix, close + 1, suffix))
		return false;
	*value = text;
	*value_len = len - suffix;
	return suffix || !memchr(text, ':', len);
}

struct found {
	const char *value[ROUTE_PARAMS_MAX];
	size_t len[ROUTE_PARAMS_MAX], n;
};

static bool path_matches(const struct route *r, const char *path, struct found *f)
{
	const char *pattern = r->pattern;

	f->n = 0;
	while (*pattern == '/' && *path == '/') {
		const char *value = NULL;
		size_t len = 0;
		const size_t pattern_len = strcspn(++pattern, "/");
		const bool rest = (r->flags & ROUTE_REST) && !pattern[pattern_len];
		const size_t path_len = rest ? strlen(++path) : strcspn(++path, "/");

		if (path_len == 0 || !segment_matches(pattern, pattern_len, path, path_len, &value, &len))
			return false;
		if (value && f->n < ROUTE_PARAMS_MAX) {
			f->value[f->n] = value;
			f->len[f->n++] = len;
		}
		pattern += pattern_len;
		path += path_len;
	}
	return !*pattern && !*path;
}

const struct route *route_find(const char *method, const char *path, struct arena *a, const char *params[ROUTE_PARAMS_MAX],
                               const char **allowed)
{
	struct found f;
	char others[64] = "";

	*allowed = NULL;
	for (size_t i = 0; i < route_count(); i++) {
		if (!path_matches(&routes[i], path, &f))
			continue;
		if (!strcmp(routes[i].method, method)) {
			for (size_t k = 0; k < f.n; k++) {
				params[k] = arena_copy(a, f.value[k], f.len[k]);
				if (!params[k])
					return NULL;
			}
			return &routes[i];
		}
		if (others[0])
			strcat(others, ", "); /* at most five methods: it fits */
		strcat(others, routes[i].method);
	}
	if (others[0])
		*allowed = arena_copy(a, others, strlen(others));
	return NULL;
}
