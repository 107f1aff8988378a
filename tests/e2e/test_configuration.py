"""Configuration by API: who may do what, what binds when, what is refused, and what is recorded of it."""

import threading
import unittest

import vault

IDENTITY = "spiffe://crm.example/svc/"
VAULT = None


def setUpModule():
    global VAULT
    VAULT = vault.Vault()
    VAULT.start()


def tearDownModule():
    VAULT.close()


class Base(unittest.TestCase):
    def client(self, name, purpose=None):
        c = VAULT.client(name, purpose=purpose)
        self.addCleanup(c.close)
        return c

    def ok(self, reply, status=200):
        self.assertEqual(reply.status, status, reply)
        return reply.json

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply)
        return reply.json


class Whoami(Base):
    def test_a_caller_learns_its_roles_audience_and_rights(self):
        me = self.ok(self.client("service-desk").get("/v1/whoami"))
        self.assertEqual(me["identity"], IDENTITY + "service-desk")
        self.assertEqual((me["roles"], me["audience"], me["frozen"]), (["service_desk"], "service_desk", False))
        self.assertIn({"verb": "read", "subject": "contact.phone", "form": "plain", "purpose": "support", "when": None}, me["rights"])

    def test_a_stranger_learns_that_it_is_one(self):
        me = self.ok(self.client("stranger").get("/v1/whoami"))
        self.assertEqual((me["roles"], me["audience"], me["rights"]), ([], None, []))

    def test_it_leaves_no_audit_record(self):
        self.assertNotIn("Audit-Record", self.client("admin").get("/v1/whoami").headers)


class Callers(Base):
    def test_a_frozen_caller_is_refused_until_it_is_thawed(self):
        security, loyalty = self.client("security"), self.client("loyalty", "loyalty")
        self.ok(loyalty.get("/v1/fields"))
        body = {"identity": IDENTITY + "loyalty", "reason": "a key was lost"}
        reply = security.post("/v1/identities:freeze", body)
        self.assertEqual(self.ok(reply), {"identity": IDENTITY + "loyalty", "frozen": True})
        self.assertIn("Audit-Record", reply.headers)
        try:
            self.refused(loyalty.get("/v1/fields"), 403, "identity_frozen")
            frozen = self.ok(security.get("/v1/identities"))["frozen"]
            self.assertEqual([(f["identity"], f["frozen_by"], f["reason"]) for f in frozen],
                             [(IDENTITY + "loyalty", IDENTITY + "security", "a key was lost")])
            self.ok(security.post("/v1/identities:freeze", body))  # again: no error
        finally:
            self.ok(security.post("/v1/identities:thaw", {"identity": IDENTITY + "loyalty"}))
        self.ok(loyalty.get("/v1/fields"))
        self.refused(security.post("/v1/identities:thaw", {"identity": IDENTITY + "loyalty"}), 404, "not_found")

    def test_nobody_freezes_himself(self):
        self.refused(self.client("security").post("/v1/identities:freeze", {"identity": IDENTITY + "security", "reason": "x"}), 409, "conflict")

    def test_freezing_is_a_right(self):
        for name in ("crm-core", "compliance-1", "stranger"):
            reply = self.client(name).post("/v1/identities:freeze", {"identity": IDENTITY + "loyalty", "reason": "x"})
            self.refused(reply, 403, "policy_denied")
            self.assertIn("Audit-Record", reply.headers)
            self.refused(self.client(name).get("/v1/identities"), 403, "policy_denied") if name != "compliance-1" else None

    def test_bad_bodies_are_refused(self):
        security = self.client("security")
        for body in ({}, [], {"identity": 1, "reason": "x"}, {"identity": "x", "reason": "x"}, {"identity": IDENTITY + "a"},
                     {"identity": IDENTITY + "a b", "reason": "x"}, {"identity": IDENTITY + "a", "reason": "x", "more": 1},
                     {"identity": IDENTITY + "a", "reason": ""}):
            self.refused(security.post("/v1/identities:freeze", body), 400, "malformed_request")
        self.refused(security.post("/v1/identities:freeze", {"identity": IDENTITY + "a" * 300, "reason": "x"}), 400, "limit_exceeded")

    def test_certificates_reload_by_call(self):
        before = VAULT.metric("vault_reloads_total")
        reply = self.client("admin").post("/v1/certificates:reload")
        self.assertEqual(self.ok(reply), {"reloaded": True})
        self.assertIn("Audit-Record", reply.headers)
        self.assertEqual(VAULT.metric("vault_reloads_total"), before + 1)
        self.refused(self.client("crm-core").post("/v1/certificates:reload"), 403, "policy_denied")

    def test_a_bad_reload_keeps_the_old_and_says_so(self):
        bundle = next((VAULT.certs / "bundles").glob("*.pem"))
        kept = bundle.read_bytes()
        try:
            bundle.write_bytes(b"no certificate\n")
            self.refused(self.client("admin").post("/v1/certificates:reload"), 500, "internal")
            self.assertIn("reload_failed", VAULT.log())
            self.ok(self.client("admin").get("/v1/whoami"))
        finally:
            bundle.write_bytes(kept)
        self.ok(self.client("admin").post("/v1/certificates:reload"))

    def test_revoking_an_audience_ends_its_tokens_and_no_others(self):
        core, admin = self.client("crm-core", "onboarding"), self.client("admin")
        made = self.ok(core.post("/v1/customers", {"fields": {"email": "revoke@example.com"}}), 201)
        self.ok(core.get("/v1/customers/" + made["customer"]))
        self.refused(core.post("/v1/audiences/crm_core:revoke"), 403, "policy_denied")
        self.ok(admin.post("/v1/audiences/loyalty:revoke"))
        self.ok(core.get("/v1/customers/" + made["customer"]))
        reply = self.ok(admin.post("/v1/audiences/crm_core:revoke"))
        self.assertEqual(reply["audience"], "crm_core")
        self.refused(core.get("/v1/customers/" + made["customer"]), 404, "not_found")
        found = self.ok(core.post("/v1/customers:search", {"where": {"email": "revoke@example.com"}}))
        self.assertEqual(len(found["data"]), 1)
        self.assertNotEqual(found["data"][0]["customer"], made["customer"])
        self.refused(admin.post("/v1/audiences/nobody:revoke"), 404, "not_found")


class Dictionary(Base):
    def test_fields_are_listed_with_their_declaration(self):
        fields = {f["name"]: f for f in self.ok(self.client("crm-core").get("/v1/fields"))["data"]}
        self.assertEqual(fields["email"]["type"], "email")
        self.assertTrue(fields["order"]["record"])
        one = self.ok(self.client("crm-core").get("/v1/fields/email"))
        self.assertEqual(one, fields["email"])
        self.refused(self.client("crm-core").get("/v1/fields/nope"), 404, "not_found")
        self.refused(self.client("stranger").get("/v1/fields"), 403, "policy_denied")

    def test_a_new_field_can_be_used_at_once(self):
        admin, core = self.client("admin"), self.client("crm-core", "onboarding")
        highest = max(f["number"] for f in self.ok(admin.get("/v1/fields"))["data"])
        self.refused(core.post("/v1/customers", {"fields": {"nickname": "Bo"}}), 400, "unknown_field")
        reply = admin.put("/v1/fields/nickname", {"type": "text", "class": "identity", "max_length": 40})
        made = self.ok(reply, 201)
        self.assertIn("Audit-Record", reply.headers)
        self.assertEqual((made["number"], made["version"], made["record"]), (highest + 1, 1, False))
        self.ok(core.post("/v1/customers", {"fields": {"nickname": "Bo"}}), 201)
        changed = self.ok(admin.put("/v1/fields/nickname", {"type": "text", "class": "identity", "max_length": 50,
                                                            "masks": [{"name": "stars", "kind": "stars"}]}))
        self.assertEqual((changed["number"], changed["version"]), (highest + 1, 2))
        self.assertEqual(VAULT.cluster.sql(f"SELECT version FROM vault.field_history WHERE number = {highest + 1} ORDER BY 1"), [["1"], ["2"]])

    def test_a_new_record_kind_can_be_used_at_once(self):
        admin, core = self.client("admin"), self.client("crm-core", "onboarding")
        made = self.ok(admin.put("/v1/fields/visit", {"record": True, "class": "behaviour"}), 201)
        self.assertTrue(made["record"])
        customer = self.ok(core.post("/v1/customers", {"fields": {"name": "V"}}), 201)["customer"]
        self.ok(core.post(f"/v1/customers/{customer}/records/visit", {"data": {"at": "shop"}}), 201)

    def test_what_is_stored_keeps_its_meaning(self):
        admin = self.client("admin")
        for body in ({"type": "text", "class": "contact"}, {"type": "phone", "class": "identity"},
                     {"type": "phone", "class": "contact", "list": True}, {"record": True, "class": "contact"}):
            self.refused(admin.put("/v1/fields/phone", {"index": True, **body} if not body.get("record") else body), 409, "conflict")
        without = self.refused(admin.put("/v1/fields/phone", {"type": "phone", "class": "contact", "index": False}), 422, "dictionary_invalid")
        self.assertIn("index", without["detail"])
        self.assertEqual(self.ok(admin.get("/v1/fields/phone"))["version"], 1)

    def test_the_policy_in_force_must_still_compile(self):
        problem = self.refused(self.client("admin").put("/v1/fields/address", {"type": "address", "class": "contact"}), 422, "dictionary_invalid")
        self.assertTrue(problem["complaints"], problem)

    def test_bad_declarations_are_refused_with_a_reason(self):
        admin = self.client("admin")
        for name, body in (("x1", {"type": "nothing", "class": "contact"}), ("x1", {"class": "contact"}), ("X", {"type": "text", "class": "contact"}),
                           ("x1", {"type": "gender", "class": "contact", "index": True}), ("x1", {"type": "text", "class": "contact", "surprise": 1}),
                           ("x1", {"type": "text", "class": "contact", "masks": [{"name": "m", "kind": "year"}]}), ("x" * 60, {"type": "text", "class": "contact"})):
            self.assertTrue(self.refused(admin.put("/v1/fields/" + name, body), 422, "dictionary_invalid")["detail"])
        self.refused(admin.put("/v1/fields/x1", []), 400, "malformed_request")
        self.refused(admin.put("/v1/fields/x1", {"record": 1, "class": "contact"}), 400, "malformed_request")
        self.refused(self.client("crm-core").put("/v1/fields/x1", {"type": "text", "class": "contact"}), 403, "policy_denied")
        self.refused(admin.get("/v1/fields/x1"), 404, "not_found")

    def test_purposes_are_declared_and_changed(self):
        admin = self.client("admin")
        self.assertEqual(len(self.ok(admin.get("/v1/purposes"))["data"]), 10)
        made = self.ok(admin.put("/v1/purposes/recall", {"title": "Recalls", "legal_basis": "legal_obligation"}), 201)
        self.assertEqual(made, {"name": "recall", "number": 11, "version": 1, "title": "Recalls", "legal_basis": "legal_obligation"})
        changed = self.ok(admin.put("/v1/purposes/recall", {"title": "Recalls \"of\" goods", "legal_basis": "legal_obligation"}))
        self.assertEqual((changed["version"], changed["title"]), (2, "Recalls \"of\" goods"))
        self.assertEqual(self.ok(admin.get("/v1/purposes/recall")), changed)
        self.refused(admin.put("/v1/purposes/recall", {"title": "x", "legal_basis": "because"}), 422, "dictionary_invalid")
        self.refused(admin.put("/v1/purposes/recall", {"title": "x"}), 400, "malformed_request")
        self.refused(admin.get("/v1/purposes/nope"), 404, "not_found")
        self.refused(self.client("security").put("/v1/purposes/recall", {"title": "x", "legal_basis": "consent"}), 403, "policy_denied")


class Policies(Base):
    def active(self):
        return self.ok(self.client("admin").get("/v1/policies"))["active"]

    def test_the_active_text_and_history_are_shown(self):
        policies = self.ok(self.client("compliance-1").get("/v1/policies"))
        self.assertEqual(policies["active"]["version"], policies["history"][0]["version"])
        self.assertIn("service_desk", policies["active"]["text"])
        self.assertEqual(policies["history"][-1]["activated_by"], "migration")
        self.refused(self.client("crm-core").get("/v1/policies"), 403, "policy_denied")

    def test_check_tells_line_column_and_the_near_word(self):
        admin = self.client("admin")
        self.assertEqual(self.ok(admin.post("/v1/policies:check", {"text": self.active()["text"]})), {"ok": True})
        bad = self.ok(admin.post("/v1/policies:check", {"text": "role a is spiffe://x.y/a\nalow a to read contact for support\n"}))
        self.assertFalse(bad["ok"])
        self.assertEqual((bad["complaints"][0]["line"], bad["complaints"][0]["column"], bad["complaints"][0]["near"]), (2, 1, "allow"))

    def test_check_runs_tests(self):
        tests = (vault.ROOT / "policy/rules/crm.tests").read_text()
        ran = self.ok(self.client("compliance-1").post("/v1/policies:check", {"text": self.active()["text"], "tests": tests}))
        self.assertGreater(ran["passed"], 10)
        self.assertEqual((ran["failed"], ran["report"]), (0, []))

    def test_activation_binds_the_next_request_and_is_kept_as_history(self):
        admin, desk = self.client("admin"), self.client("service-desk", "support")
        core = self.client("crm-core", "onboarding")
        self.ok(core.post("/v1/customers", {"fields": {"email": "activate@example.com", "phone": "13800138000"}}), 201)
        customer = self.ok(desk.post("/v1/customers:search", {"where": {"email": "activate@example.com"}}))["data"][0]["customer"]
        before = self.active()
        path = f"/v1/customers/{customer}?fields=phone&form=best"
        self.assertEqual(self.ok(desk.get(path))["fields"]["phone"]["form"], "plain")
        activated = self.ok(admin.post("/v1/policies:activate", {"text": before["text"] + "\ncap service_desk to read contact as masked\n"}))
        try:
            self.assertEqual(activated["version"], before["version"] + 1)
            self.assertEqual(self.ok(desk.get(path))["fields"]["phone"]["form"], "masked")
            after = self.ok(admin.get("/v1/policies"))
            self.assertEqual((after["active"]["hash"], after["active"]["activated_by"]), (activated["hash"], IDENTITY + "admin"))
            self.assertEqual(after["history"][0]["version"], activated["version"])
        finally:
            self.ok(admin.post("/v1/policies:activate", {"text": before["text"]}))
        self.assertEqual(self.ok(desk.get(path))["fields"]["phone"]["form"], "plain")

    def test_a_new_audience_gets_tokens_of_its_own(self):
        admin, stranger = self.client("admin"), self.client("stranger", "support")
        before = self.active()["text"]
        identity = self.ok(stranger.get("/v1/whoami"))["identity"]
        self.ok(admin.post("/v1/policies:activate", {"text": before + f"\nrole guest is {identity} audience guests\nallow guest to search contact.email for support\n"}))
        try:
            self.assertEqual(self.ok(stranger.get("/v1/whoami"))["audience"], "guests")
            self.assertEqual(VAULT.cluster.sql("SELECT count(*) FROM vault.audience WHERE name = 'guests'"), [["1"]])
        finally:
            self.ok(admin.post("/v1/policies:activate", {"text": before}))

    def test_a_policy_that_does_not_compile_or_locks_all_out_is_refused(self):
        admin = self.client("admin")
        version = self.active()["version"]
        problem = self.refused(admin.post("/v1/policies:activate", {"text": "nonsense\n"}), 422, "policy_invalid")
        self.assertEqual(problem["complaints"][0]["line"], 1)
        self.refused(admin.post("/v1/policies:activate", {"text": "role a is spiffe://crm.example/svc/crm-core\nallow a to read contact as token for support\n"}), 409, "conflict")
        self.refused(self.client("security").post("/v1/policies:activate", {"text": "x"}), 403, "policy_denied")
        self.assertEqual(self.active()["version"], version)

    def test_explain_names_the_rules_that_decided(self):
        admin = self.client("admin")
        told = self.ok(admin.post("/v1/policies:explain", {"identity": IDENTITY + "campaigns", "purpose": "marketing", "field": "email", "verb": "read"}))
        self.assertEqual((told["form"], told["reason"]), ("deny", "consent_missing"))
        told = self.ok(admin.post("/v1/policies:explain", {"identity": IDENTITY + "campaigns", "purpose": "marketing", "field": "contact.email", "state": ["consented"]}))
        self.assertEqual((told["form"], told["reason"]), ("plain", "allowed"))
        self.assertTrue(any(rule["decided"] for rule in told["rules"]))
        ask = {"identity": IDENTITY + "campaigns", "purpose": "marketing", "field": "email"}
        self.refused(admin.post("/v1/policies:explain", {**ask, "field": "identity.email"}), 400, "unknown_field")
        self.refused(admin.post("/v1/policies:explain", {**ask, "purpose": "fun"}), 400, "unknown_purpose")
        self.refused(admin.post("/v1/policies:explain", {**ask, "verb": "eat"}), 400, "malformed_request")
        self.refused(admin.post("/v1/policies:explain", {**ask, "state": ["drunk"]}), 400, "malformed_request")
        self.refused(self.client("loyalty").post("/v1/policies:explain", ask), 403, "policy_denied")


class TwoNodes(Base):
    def test_a_freeze_on_one_node_binds_the_next_batch_on_the_other(self):
        with vault.Vault("second", cluster=VAULT.cluster, certs=VAULT.certs, keys=VAULT.keys) as other:
            there = other.client("loyalty")
            self.addCleanup(there.close)
            security = self.client("security")
            self.ok(there.get("/v1/fields"))
            for _ in range(5):
                self.ok(security.post("/v1/identities:freeze", {"identity": IDENTITY + "loyalty", "reason": "x"}))
                self.refused(there.get("/v1/fields"), 403, "identity_frozen")
                self.ok(security.post("/v1/identities:thaw", {"identity": IDENTITY + "loyalty"}))
                self.ok(there.get("/v1/fields"))

    def test_a_field_declared_on_one_node_can_be_used_on_the_other_at_once(self):
        with vault.Vault("second", cluster=VAULT.cluster, certs=VAULT.certs, keys=VAULT.keys) as other:
            there = other.client("crm-core", purpose="onboarding")
            self.addCleanup(there.close)
            for i in range(3):
                self.ok(self.client("admin").put(f"/v1/fields/shared_{i}", {"type": "text", "class": "contact"}), 201)
                self.ok(there.post("/v1/customers", {"fields": {f"shared_{i}": "x"}}), 201)

    def test_changes_on_two_nodes_at_once_come_one_after_the_other(self):
        with vault.Vault("second", cluster=VAULT.cluster, certs=VAULT.certs, keys=VAULT.keys) as other:
            replies = []

            def change(node, mine):
                admin = node.client("admin")
                try:
                    for i in range(8):
                        replies.append(admin.put("/v1/fields/contested", {"type": "text", "class": "contact", "max_length": 10 + i}))
                        replies.append(admin.put(f"/v1/fields/{mine}_{i}", {"type": "text", "class": "contact"}))
                finally:
                    admin.close()

            threads = [threading.Thread(target=change, args=a) for a in ((VAULT, "here"), (other, "there"))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            made = [self.ok(r, r.status) for r in replies]
            self.assertEqual({r.status for r in replies}, {200, 201})
            self.assertEqual(sorted(m["version"] for m in made if m["name"] == "contested"), list(range(1, 17)))
            numbers = [f["number"] for f in self.ok(self.client("admin").get("/v1/fields"))["data"]]
            self.assertEqual(len(numbers), len(set(numbers)))
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))


if __name__ == "__main__":
    vault.main()
