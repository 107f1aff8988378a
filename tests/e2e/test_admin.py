"""Configuration and supervision: who may do what, policies, dictionary, callers, the audit log, metrics, OpenAPI."""
import json
import re
import threading
import time
import unittest

import audit_log
import test_api
import vault

PREFIX = "spiffe://crm.example/svc/"
SHIPPED = vault.ROOT / "policy" / "rules" / "crm.policy"


def setUpModule():
    test_api.setUpModule()


class Whoami(test_api.Api):
    def test_it_tells_identity_roles_audience_and_rights(self):
        got = self.expect(self.desk.get("/v1/whoami"), 200)
        self.assertEqual((got["identity"], got["roles"], got["audience"]), (PREFIX + "service-desk", ["service_desk"], "service_desk"))
        rights = [(r["verb"], r["subject"], r["form"], r["purpose"]) for r in got["rights"] if "phone" in r["subject"] and r["purpose"] == "support"]
        self.assertTrue([r for r in rights if r[0] == "read" and r[2] == "plain"], rights)

    def test_a_stranger_is_told_that_it_may_nothing(self):
        got = self.expect(self.client("stranger").get("/v1/whoami"), 200)
        self.assertEqual((got["identity"], got["roles"], got["rights"]), (PREFIX + "stranger", [], []))
        self.assertIsNone(got["audience"])


class Callers(test_api.Api):
    def setUp(self):
        super().setUp()
        self.admin = self.client("admin")

    def test_a_frozen_caller_is_stopped_at_once_and_thawed(self):
        surveys = self.client("surveys", "survey")
        body = {"identity": PREFIX + "surveys", "reason": "test"}
        self.expect(surveys.get("/v1/whoami"), 200)
        self.assertIn(self.admin.post("/v1/identities:freeze", body).status, (200, 204))
        try:
            self.expect(surveys.post("/v1/tokens:detokenize", {"tokens": []}), 403, "identity_frozen")
            self.expect(self.core.get("/v1/whoami"), 200)
        finally:
            self.assertIn(self.admin.post("/v1/identities:thaw", {"identity": PREFIX + "surveys"}).status, (200, 204))
        self.expect(surveys.post("/v1/tokens:detokenize", {"tokens": []}), 200)

    def test_who_may_not_manage_may_not_freeze(self):
        for certificate in ("crm-core", "stranger", "compliance-1"):
            reply = self.client(certificate).post("/v1/identities:freeze", {"identity": PREFIX + "surveys", "reason": "x"})
            self.expect(reply, 403, "policy_denied")

    def test_an_audience_that_is_revoked_loses_all_its_tokens_and_no_other_does(self):
        fields = test_api.PEOPLE.few()
        made = self.create(fields)
        old = self.found_by_desk(fields)
        self.assertIn(self.admin.post("/v1/audiences/service_desk:revoke").status, (200, 204))
        self.expect(self.desk.get("/v1/customers/" + old), 404, "not_found")
        self.assertNotEqual(self.found_by_desk(fields), old)
        self.expect(self.core.get("/v1/customers/" + made["customer"]), 200)
        self.expect(self.admin.post("/v1/audiences/nobody:revoke"), 404, "not_found")


class Dictionary(test_api.Api):
    def setUp(self):
        super().setUp()
        self.admin = self.client("admin")

    def test_shipped_fields_kinds_and_purposes_are_there(self):
        fields = self.expect(self.admin.get("/v1/fields"), 200)["data"]
        self.assertLessEqual({"email", "phone", "resident_id", "order", "complaint"}, {f["name"] for f in fields})
        purposes = self.expect(self.admin.get("/v1/purposes"), 200)["data"]
        self.assertLessEqual({"onboarding", "support", "marketing", "rights", "audit"}, {p["name"] for p in purposes})
        email = self.expect(self.admin.get("/v1/fields/email"), 200)
        self.assertEqual((email["name"], email["type"], email["class"]), ("email", "email", "contact"))
        self.expect(self.admin.get("/v1/fields/nope"), 404, "not_found")

    def test_a_declared_field_is_stored_masked_and_searched(self):
        declaration = {"type": "text", "class": "contact", "normaliser": "text", "index": True, "max_length": 40,
                       "masks": [{"name": "keep", "kind": "keep", "keep": [1, 1]}]}
        self.assertIn(self.admin.put("/v1/fields/telegram", declaration).status, (200, 201))
        fields = {**test_api.PEOPLE.few(), "telegram": "TeleGrammar"}
        self.create(fields)
        got = self.expect(self.desk.get(f"/v1/customers/{self.found_by_desk(fields)}?fields=telegram&form=best"), 200)["fields"]["telegram"]
        self.assertEqual((got["form"], got["value"]), ("masked", "T****r"))
        changed = self.expect(self.admin.put("/v1/fields/telegram", {**declaration, "max_length": 5}), 200)
        self.assertEqual(changed["version"], 2)
        self.expect(self.core.post("/v1/customers", {"fields": {"telegram": "TeleGrammar"}}), 422, "value_too_long")

    def test_a_bad_declaration_is_refused(self):
        for declaration in ({"type": "texte", "class": "contact"}, {"type": "gender", "class": "identity", "index": True}, {"type": "text"},
                            {"type": "text", "class": "contact", "masks": [{"name": "x", "kind": "year"}]}, {"type": "text", "class": "contact", "size": 3}):
            with self.subTest(declaration):
                self.assertIn(self.admin.put("/v1/fields/badly", declaration).status, (400, 422))
        self.expect(self.admin.get("/v1/fields/badly"), 404, "not_found")

    def test_only_who_manages_the_dictionary_changes_it(self):
        self.expect(self.core.put("/v1/fields/mine", {"type": "text", "class": "contact"}), 403, "policy_denied")
        self.expect(self.core.put("/v1/purposes/mine", {"title": "x", "legal_basis": "consent"}), 403, "policy_denied")

    def test_a_purpose_is_declared_and_used(self):
        self.assertIn(self.admin.put("/v1/purposes/warranty", {"title": "Repairs", "legal_basis": "contract"}).status, (200, 201))
        self.expect(self.core.post("/v1/tokens:detokenize", {"tokens": []}, purpose="warranty"), 200)


class Policies(test_api.Api):
    def setUp(self):
        super().setUp()
        self.admin = self.client("admin")
        self.shipped = SHIPPED.read_text()

    def test_the_shipped_policy_is_in_force(self):
        got = self.expect(self.admin.get("/v1/policies"), 200)
        self.assertRegex(got["active"]["hash"], r"^[0-9a-f]{64}$")
        self.assertIn("role crm_core", got["active"]["text"])

    def test_check_says_where_and_suggests_a_word(self):
        self.assertTrue(self.expect(self.admin.post("/v1/policies:check", {"text": self.shipped}), 200)["ok"])
        wrong = "role a is spiffe://crm.example/svc/a\nallow a to read contact.emial for support\n"
        got = self.expect(self.admin.post("/v1/policies:check", {"text": wrong}), 200)
        self.assertFalse(got["ok"])
        self.assertEqual((got["complaints"][0]["line"], got["complaints"][0]["near"]), (2, "contact.email"))

    def test_activation_binds_the_next_request_and_is_recorded(self):
        fields = test_api.PEOPLE.few()
        self.create(fields)
        customer = self.found_by_desk(fields)
        path = f"/v1/customers/{customer}?fields=phone"
        stricter = self.shipped + "\ncap service_desk to read contact.phone as masked\n"
        self.assertEqual(self.expect(self.desk.get(path), 200)["fields"]["phone"]["form"], "plain")
        reply = self.admin.post("/v1/policies:activate", {"text": stricter})
        got = self.expect(reply, 200)
        try:
            self.assertEqual(self.expect(self.desk.get(path), 200)["fields"]["phone"]["form"], "masked")
            record = self.record(reply)
            self.assertEqual((record["activity"], record["actor"]), ("manage", PREFIX + "admin"))
            self.assertEqual(self.expect(self.admin.get("/v1/policies"), 200)["active"]["hash"], got["hash"])
        finally:
            self.expect(self.admin.post("/v1/policies:activate", {"text": self.shipped}), 200)
        self.assertEqual(self.expect(self.desk.get(path), 200)["fields"]["phone"]["form"], "plain")

    def test_what_does_not_compile_is_not_activated(self):
        before = self.expect(self.admin.get("/v1/policies"), 200)["active"]
        reply = self.admin.post("/v1/policies:activate", {"text": "allow everybody to read everything\n"})
        self.expect(reply, 422, "policy_invalid")
        self.assertTrue(reply.json["complaints"][0]["line"] == 1)
        self.assertEqual(self.expect(self.admin.get("/v1/policies"), 200)["active"], before)

    def test_explain_names_form_and_rules(self):
        got = self.expect(self.admin.post("/v1/policies:explain", {"identity": PREFIX + "campaigns", "purpose": "marketing", "field": "email",
                                                                   "verb": "read", "state": ["consented"]}), 200)
        self.assertEqual(got["form"], "plain")
        lines = self.shipped.splitlines()
        for rule in got["rules"]:
            self.assertEqual(lines[rule["line"] - 1].split(), rule["text"].split())
        got = self.expect(self.admin.post("/v1/policies:explain", {"identity": PREFIX + "campaigns", "purpose": "marketing", "field": "email",
                                                                   "verb": "read"}), 200)
        self.assertEqual(got["form"], "deny")

    def test_only_who_manages_policy_may(self):
        for path in ("/v1/policies:activate", "/v1/policies:check"):
            self.expect(self.core.post(path, {"text": self.shipped}), 403, "policy_denied")


class AuditLog(test_api.Api):
    def setUp(self):
        super().setUp()
        self.security = self.client("security")

    def list(self, query=""):
        return self.expect(self.security.get("/v1/audit/records" + query), 200)

    def test_filters_find_what_they_name(self):
        fields = test_api.PEOPLE.few()
        self.create(fields)
        customer = self.found_by_desk(fields)
        reply = self.desk.get(f"/v1/customers/{customer}?fields=phone")
        mine = audit_log.ids_of(reply.headers["Audit-Record"])[0]
        for query, key, value in (("actor=" + PREFIX.replace("/", "%2F").replace(":", "%3A") + "service-desk", "actor", PREFIX + "service-desk"),
                                  ("activity=read", "activity", "read"), ("outcome=success", "outcome", "success"), ("purpose=support", "purpose", "support")):
            with self.subTest(query):
                records = self.list("?limit=200&" + query)["data"]
                self.assertEqual({r[key] for r in records}, {value})
                self.assertIn(mine, [r["id"] for r in records])
        self.expect(self.desk.get("/v1/customers/" + customer, purpose="marketing"), 200)
        self.expect(self.client("stranger", "support").get("/v1/customers/" + customer), 403, "policy_denied")
        failed = self.list("?outcome=failure&limit=5")["data"]
        self.assertEqual((failed[0]["actor"], failed[0]["code"]), (PREFIX + "stranger", "policy_denied"))

    def test_newest_first_in_pages_without_gap_or_repeat(self):
        for _ in range(5):
            self.create(test_api.PEOPLE.few())
        until = self.list("?limit=1")["data"][0]["time"]
        seen, cursor = [], ""
        while cursor is not None and len(seen) < 300:
            page = self.list(f"?limit=7&until={until}" + (f"&cursor={cursor}" if cursor else ""))
            seen += page["data"]
            cursor = page["next"]
        times = [r["time"] for r in seen]
        self.assertEqual(times, sorted(times, reverse=True))
        ids = [r["id"] for r in seen]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(ids), 5)

    def test_a_record_is_got_by_its_id_as_it_was_listed(self):
        self.create(test_api.PEOPLE.few())
        record = self.list("?limit=5")["data"][0]
        self.assertEqual(self.expect(self.security.get("/v1/audit/records/" + record["id"]), 200), record)
        for wrong in ("999999-1", "1-999999", "0-0"):
            self.expect(self.security.get("/v1/audit/records/" + wrong), 404, "not_found")
        self.assertIn(self.security.get("/v1/audit/records/abc").status, (400, 404))

    def test_reading_the_log_leaves_a_record_and_needs_the_right(self):
        reply = self.security.get("/v1/audit/records?limit=1")
        record = self.record(reply)
        self.assertEqual((record["activity"], record["actor"]), ("audit_read", PREFIX + "security"))
        self.expect(self.core.get("/v1/audit/records"), 403, "policy_denied")
        self.expect(self.client("admin").get("/v1/audit/records"), 403, "policy_denied")

    def test_bad_queries_are_refused(self):
        for query in ("?limit=0", "?limit=100000", "?since=yesterday", "?outcome=maybe", "?nope=1", "?cursor=abc"):
            with self.subTest(query):
                self.assertEqual(self.security.get("/v1/audit/records" + query).status, 400)

    def test_followers_get_each_record_as_it_is_committed(self):
        follower = self.client("security")
        follower.connect()
        follower.connection.request("GET", "/v1/audit/records?follow=true")
        stream = follower.connection.getresponse()
        self.assertEqual(stream.status, 200)
        self.assertIn("ndjson", stream.headers["Content-Type"])
        got, enough = [], threading.Event()

        def read():
            for line in stream:
                if line.strip():
                    got.append(json.loads(line))
                    if any(r.get("request_id") == "follow-me" for r in got):
                        enough.set()
                        return

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        time.sleep(0.3)
        begin = time.monotonic()
        self.expect(self.core.post("/v1/customers", {"fields": test_api.PEOPLE.few()}, headers={"X-Request-Id": "follow-me"}), 201)
        self.assertTrue(enough.wait(5 * vault.SLOW), got[-3:])
        self.assertLess(time.monotonic() - begin, 3 * vault.SLOW)
        reader.join(5)
        self.assertEqual(test_api.V.metric("vault_audit_followers"), 1)


class Operations(test_api.Api):
    def test_liveness_readiness_and_metrics(self):
        self.create(test_api.PEOPLE.few())
        v = test_api.V
        self.assertEqual(v.operations("/livez")[0], 200)
        self.assertEqual(v.operations("/readyz")[0], 200)
        text = v.operations("/metrics")[1]
        for name in ("vault_requests_total", "vault_batches_total", "vault_queue_depth", "vault_audit_records_total", "vault_build_info",
                     "vault_database_connections"):
            self.assertRegex(text, rf"(?m)^{name}", name)
        for line in text.splitlines():
            self.assertRegex(line, r'^(#.*|[a-z_:][a-z0-9_:]*(\{[^}]*\})? [0-9.eE+-]+|)$')
        self.assertRegex(text, r'route="customer\.create"[^\n]*201|status="201"')

    def test_the_operations_listener_serves_no_data(self):
        self.assertEqual(test_api.V.operations("/v1/whoami")[0], 404)


class OpenApi(test_api.Api):
    def test_it_describes_the_routes_that_others_script_against(self):
        got = self.expect(self.client("stranger").get("/openapi.json"), 200)
        self.assertTrue(got["openapi"].startswith("3.1"))
        routes = {f"{method.upper()} {path}" for path, methods in got["paths"].items() for method in methods}
        plain = {re.sub(r"\{[^}]*\}", "{}", r) for r in routes}
        for wanted in ("POST /v1/customers", "POST /v1/customers:batch", "PUT /v1/customers:by-ref", "POST /v1/customers:search", "GET /v1/customers/{}",
                       "PATCH /v1/customers/{}", "POST /v1/customers/{}/tokens:revoke", "POST /v1/customers/{}/records/{}",
                       "GET /v1/customers/{}/records/{}", "DELETE /v1/customers/{}/records/{}/{}", "POST /v1/tokens:detokenize",
                       "POST /v1/tokens:translate", "POST /v1/audiences/{}:revoke", "GET /v1/fields/{}", "PUT /v1/fields/{}",
                       "GET /v1/purposes/{}", "PUT /v1/purposes/{}", "GET /v1/policies", "POST /v1/policies:check", "POST /v1/policies:activate",
                       "POST /v1/policies:explain", "GET /v1/audit/records", "GET /v1/audit/records/{}", "GET /v1/whoami",
                       "POST /v1/identities:freeze", "POST /v1/identities:thaw"):
            self.assertIn(wanted, plain)


if __name__ == "__main__":
    vault.main()
