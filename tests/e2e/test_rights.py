"""Rights requests: what a customer may ask for, decided by more than one person, carried out once."""
import json
import time
import unittest

import test_api
import vault


def setUpModule():
    test_api.setUpModule()


class Rights(test_api.Api):
    def setUp(self):
        super().setUp()
        self.fields = test_api.PEOPLE.fields()
        self.customer = self.create(self.fields)["customer"]
        self.path = "/v1/customers/" + self.customer
        self.seen_by_desk = self.found_by_desk(self.fields)
        self.one = self.client("compliance-1", "rights")
        self.two = self.client("compliance-2", "rights")

    def open(self, kind, status=201, code=None, client=None, customer=None, **more):
        return self.expect((client or self.desk).post("/v1/rights-requests", {"customer": customer or self.seen_by_desk, "kind": kind, **more}), status, code)

    def move(self, client, request, verb, body=None, status=200, code=None):
        return self.expect(client.post(f"/v1/rights-requests/{request['id']}:{verb}", body), status, code)

    def submitted(self, kind, **more):
        request = self.open(kind, **more)
        self.move(self.one, request, "verify")
        return self.move(self.one, request, "submit", {"identity_check": "passport seen"})

    def approved(self, kind, **more):
        request = self.submitted(kind, **more)
        for officer in (self.one, self.two):
            if request["state"] == "awaiting_approval":
                request = self.move(officer, request, "approve", {"scope_hash": request["scope_hash"]})
        self.assertEqual(request["state"], "approved")
        return request

    def wait(self, request, *states, client=None):
        for _ in range(300):
            now = self.expect((client or self.one).get("/v1/rights-requests/" + request["id"]), 200)["request"]
            if now["state"] in states:
                return now
            time.sleep(0.1)
        self.fail(now)


class Erasure(Rights):
    def test_two_officers_erase_a_customer_that_the_desk_asked_for(self):
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
        request = self.submitted("erase")
        officers_token = self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["request"]["customer"]
        self.assertEqual((request["officers"], request["officers_needed"]), (0, 2))
        approval = {"scope_hash": request["scope_hash"]}
        self.assertEqual(self.move(self.one, request, "approve", approval)["state"], "awaiting_approval")
        self.assertEqual(self.move(self.one, request, "approve", approval)["officers"], 1, "the same person twice is one")
        self.assertEqual(self.move(self.two, request, "approve", approval)["state"], "approved")
        done = self.wait(request, "completed")
        self.assertIsNone(done["customer"])
        self.expect(self.core.get("/v1/customers/" + self.customer), 404, "not_found")
        self.open("erase", 410, "erased", client=self.one, customer=officers_token)
        self.assertEqual(self.expect(self.desk.post("/v1/customers:search", {"where": {"email": self.fields["email"]}}), 200)["data"], [])
        left = test_api.V.cluster.sql("SELECT (SELECT count(*) FROM vault.customer c FULL JOIN vault.customer_key k USING (customer_id) WHERE c.customer_id IS NULL OR k.customer_id IS NULL)")
        self.assertEqual(left[0][0], "0", "a row without its key, or a key without its row")
        self.assertEqual(len(test_api.V.cluster.sql("SELECT * FROM vault.erasure")), len(self.ledger()))
        self.open("erase", 404, "not_found")
        signed = self.expect(self.desk.get(f"/v1/rights-requests/{request['id']}/certificate"), 200)
        self.assertEqual(signed["document"]["ledger"]["position"], len(self.ledger()))
        self.assertEqual([r["recipient"] for r in signed["document"]["recipients"]], ["spiffe://crm.example/svc/service-desk"])
        file = vault.folder() / "certificate.json"
        file.write_text(json.dumps(signed, separators=(",", ":"), ensure_ascii=False))
        key = self.expect(self.core.get("/v1/signing-key"), 200)["key"]
        self.assertEqual(test_api.V.ctl("erasure", "verify", file, "--public-key", key).returncode, 0)
        file.write_text(file.read_text().replace('"position":', '"position":1'))
        self.assertEqual(test_api.V.ctl("erasure", "verify", file, "--public-key", key).returncode, 5)

    def ledger(self):
        return (test_api.V.keys / "keyring.ledger").read_text().splitlines()

    def test_an_erasure_that_ran_before_a_crash_is_completed_once(self):
        """Killed between ledger and transaction: the ledger has the entry, the database does not know of it."""
        request = self.approved("erase")
        done = self.wait(request, "completed")
        entries = len(self.ledger())
        # As after a crash: the job is found running, with the row erased already.
        test_api.V.cluster.sql("UPDATE vault.rights_request SET state = 4, ended_at = NULL WHERE request = (SELECT max(request) FROM vault.rights_request)")
        self.assertEqual(self.wait(request, "completed")["state"], done["state"])
        self.assertEqual(len(self.ledger()), entries)

    def test_an_erased_part_is_gone_and_the_rest_stays(self):
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        self.expect(self.core.post(self.path + "/records/complaint", {"data": {"n": 2}}), 201)
        self.wait(self.approved("erase", scope={"classes": ["financial"], "fields": ["email"], "records": ["order"]}), "completed")
        got = self.expect(self.core.get(self.path), 200)["fields"]
        self.assertNotIn("email", got)
        self.assertNotIn("bank_card", got)
        self.assertIn("phone", got)
        self.assertEqual(self.expect(self.core.get(self.path + "/records/order"), 200)["data"], [])
        self.assertEqual(len(self.expect(self.core.get(self.path + "/records/complaint"), 200)["data"]), 1)
        self.assertEqual(self.expect(self.desk.post("/v1/customers:search", {"where": {"email": self.fields["email"]}}), 200)["data"], [])

    def test_a_hold_keeps_the_orders_and_when_it_ends_the_rest_goes(self):
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        hold = self.desk_hold({"records": ["order"]})
        request = self.approved("erase")
        self.wait(request, "on_hold")
        self.assertEqual(self.expect(self.core.get(self.path), 200)["fields"], {})
        self.assertEqual(len(self.expect(self.core.get(self.path + "/records/order"), 200)["data"]), 1)
        self.expect(self.one.post(f"/v1/holds/{hold}:release"), 200)
        self.wait(request, "completed")
        self.expect(self.core.get(self.path), 404, "not_found")

    def desk_hold(self, scope):
        """Proposed by one officer and confirmed by the other. Officers get the customer's token out of a request."""
        request = self.open("rectify")
        token = self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["request"]["customer"]
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        made = self.expect(self.one.post("/v1/holds", {"customer": token, "scope": scope, "reason": "lawsuit", "law": "HGB 257", "until": until}), 201)
        self.assertFalse(made["in_force"])
        self.expect(self.one.post(f"/v1/holds/{made['id']}:confirm"), 403, "four_eyes")
        self.assertTrue(self.expect(self.two.post(f"/v1/holds/{made['id']}:confirm"), 200)["in_force"])
        self.move(self.desk, request, "cancel")
        return made["id"]

    def test_a_hold_in_the_past_is_refused(self):
        request = self.open("rectify")
        token = self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["request"]["customer"]
        body = {"customer": token, "reason": "lawsuit", "law": "HGB 257", "until": "2020-01-01T00:00:00Z"}
        self.expect(self.one.post("/v1/holds", body), 422, "hold_invalid")
        self.expect(self.desk.post("/v1/holds", {**body, "until": "2090-01-01T00:00:00Z", "customer": self.seen_by_desk}), 403, "policy_denied")


class Ledger(unittest.TestCase):
    """A vault of its own: its database is taken back in time."""

    def test_a_restored_database_does_not_bring_an_erased_customer_back(self):
        v = vault.Vault("ledger")
        self.addCleanup(v.close)
        v.start()
        clients = {name: v.client(name, purpose) for name, purpose in (("crm-core", "onboarding"), ("service-desk", "support"), ("compliance-1", "rights"), ("compliance-2", "rights"))}
        fields = {"email": "gone@example.com", "phone": "13812345678"}
        for email in ("gone@example.com", "stays@example.com"):
            self.assertEqual(clients["crm-core"].post("/v1/customers", {"fields": {**fields, "email": email}}).status, 201)
        seen = clients["service-desk"].post("/v1/customers:search", {"where": {"email": "gone@example.com"}}).json["data"][0]["customer"]
        before = vault.folder() / "before.dump"
        vault.run(v.cluster.bin / "pg_dump", "-Fc", "-f", before, v.cluster.superuser_url, check=True)
        made = clients["service-desk"].post("/v1/rights-requests", {"customer": seen, "kind": "erase"}).json
        path = "/v1/rights-requests/" + made["id"]
        clients["compliance-1"].post(path + ":verify")
        clients["compliance-1"].post(path + ":submit", {"identity_check": "seen"})
        for name in ("compliance-1", "compliance-2"):
            self.assertEqual(clients[name].post(path + ":approve", {"scope_hash": made["scope_hash"]}).status, 200)
        for _ in range(300):
            if clients["compliance-1"].get(path).json["request"]["state"] == "completed":
                break
            time.sleep(0.1)
        v.stop()
        v.cluster.sql("DROP SCHEMA vault CASCADE")
        vault.run(v.cluster.bin / "pg_restore", "-d", v.cluster.superuser_url, before, check=True)
        v.start(wait=False)
        for _ in range(100):
            reply = v.operations("/readyz")[1]
            if "erasure replay" in reply:
                break
            time.sleep(0.1)
        self.assertIn("erasure replay", reply)
        replayed = v.ctl("erasure", "replay", "--config", v.conf_file, env={"VAULT_MIGRATE_URL": v.cluster.migrate_url})
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.assertIn("1 customer", replayed.stdout)
        v.wait_ready(30)
        desk = v.client("service-desk", "support")
        self.assertEqual(desk.post("/v1/customers:search", {"where": {"email": "gone@example.com"}}).json["data"], [])
        self.assertEqual(len(desk.post("/v1/customers:search", {"where": {"email": "stays@example.com"}}).json["data"]), 1)
        v.stop()
        ledger = v.keys / "keyring.ledger"
        ledger.rename(v.keys / "away")
        v.start(wait=False)
        for _ in range(100):
            reply = v.operations("/readyz")[1]
            if "not the ledger" in reply:
                break
            time.sleep(0.1)
        self.assertIn("not the ledger", reply, "a lost ledger stops the vault")


class Approval(Rights):
    def test_an_officer_does_not_approve_his_own_request(self):
        first = self.open("rectify")
        token = self.expect(self.one.get("/v1/rights-requests/" + first["id"]), 200)["request"]["customer"]
        request = self.open("erase", client=self.one, customer=token)
        self.move(self.one, request, "verify")
        request = self.move(self.one, request, "submit", {"identity_check": "seen"})
        approval = {"scope_hash": request["scope_hash"]}
        self.move(self.one, request, "approve", approval, 403, "four_eyes")
        self.assertEqual(self.move(self.two, request, "approve", approval)["state"], "approved", "two officers stand behind it")

    def test_an_approval_is_of_the_scope_that_was_shown(self):
        request = self.submitted("erase", scope={"fields": ["email"]})
        shown = {"scope_hash": request["scope_hash"]}
        self.move(self.one, request, "approve", shown)
        amended = self.move(self.desk, request, "amend", {"scope": {"fields": ["phone", "email"]}})
        self.assertEqual(amended["officers"], 0, "an approval of another scope counts no more")
        self.move(self.two, request, "approve", shown, 409, "scope_changed")
        self.assertIn("email", self.expect(self.core.get(self.path), 200)["fields"])

    def test_moves_that_the_table_does_not_have_are_refused(self):
        request = self.open("export")
        self.move(self.one, request, "approve", {"scope_hash": request["scope_hash"]}, 409, "request_state")
        self.move(self.one, request, "submit", {"identity_check": "x"}, 409, "request_state")
        self.move(self.one, request, "retry", status=409, code="request_state")
        self.assertEqual(self.move(self.one, request, "deny", {"reason": "identity_not_proved"})["state"], "denied")
        self.move(self.one, request, "verify", status=409, code="request_state")

    def test_the_same_request_is_not_opened_twice(self):
        self.open("restrict")
        self.open("restrict", 409, "request_exists")
        self.open("restrict", scope={"purposes": ["marketing"]})

    def test_who_may_what(self):
        request = self.open("object", scope={"purposes": ["marketing"]})
        self.expect(self.client("analytics").get("/v1/rights-requests/" + request["id"]), 403, "policy_denied")
        self.move(self.desk, request, "verify", status=403, code="policy_denied")
        mine = self.expect(self.desk.get("/v1/rights-requests"), 200)["data"]
        self.assertIn(request["id"], [m["id"] for m in mine])
        officers = self.expect(self.one.get("/v1/rights-requests?state=received&limit=200"), 200)["data"]
        self.assertIn(request["id"], [m["id"] for m in officers])
        self.expect(self.one.get("/v1/rights-requests/req1" + "q" * 33), 404, "not_found")
        self.assertEqual(self.move(self.desk, request, "cancel")["state"], "cancelled")

    def test_bad_requests_change_nothing(self):
        for body, status, code in (({"kind": "erase"}, 400, "malformed_request"), ({"customer": self.seen_by_desk}, 400, "malformed_request"),
                                   ({"customer": self.seen_by_desk, "kind": "delete"}, 400, "malformed_request"),
                                   ({"customer": "cus1abc", "kind": "erase"}, 400, "bad_token"),
                                   ({"customer": self.seen_by_desk, "kind": "erase", "scope": {"fields": ["no_such"]}}, 400, "unknown_field"),
                                   ({"customer": self.seen_by_desk, "kind": "erase", "scope": {"records": ["email"]}}, 400, "unknown_kind"),
                                   ({"customer": self.seen_by_desk, "kind": "erase", "scope": []}, 400, "malformed_request"),
                                   ({"customer": self.seen_by_desk, "kind": "erase", "jurisdiction": "mars"}, 400, "malformed_request")):
            self.expect(self.desk.post("/v1/rights-requests", body), status, code)


class Jobs(Rights):
    def test_a_restriction_and_an_objection_take_effect(self):
        self.wait(self.approved("restrict"), "completed")
        got = self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
        self.assertEqual(got["fields"]["phone"]["form"], "deny")
        self.wait(self.approved("object", scope={"purposes": ["segmentation"]}), "completed")
        state = self.expect(self.core.get(self.path + "/consents/segmentation"), 200)["state"]
        self.assertTrue(state["objected"] and state["restricted"])

    def test_a_rectification_is_completed_by_an_officer(self):
        request = self.approved("rectify", scope={"fields": ["email"]})
        self.assertEqual(self.move(self.two, request, "complete")["state"], "completed")

    def test_notes_are_for_officers_and_lie_sealed(self):
        request = self.open("export")
        self.move(self.one, request, "note", {"text": "called back, NOTE-CANARY"})
        notes = self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["notes"]
        self.assertEqual([(n["author"], n["text"]) for n in notes], [("spiffe://crm.example/person/compliance-1", "called back, NOTE-CANARY")])
        found = test_api.V.cluster.sql("SELECT count(*) FROM vault.rights_note WHERE encode(sealed, 'escape') LIKE '%CANARY%'")
        self.assertEqual(found[0][0], "0")

    def test_a_term_is_extended_once_with_a_reason(self):
        request = self.open("export", jurisdiction="pipl")
        longer = self.move(self.one, request, "extend", {"reason": "complex"})
        self.assertGreater(longer["due_at"], request["due_at"])
        self.assertTrue(longer["extended"])
        self.move(self.one, request, "extend", {"reason": "complex"}, 409, "request_state")
        self.assertEqual(self.move(self.one, request, "assign", {"assignee": "spiffe://crm.example/person/compliance-2"})["assignee"],
                         "spiffe://crm.example/person/compliance-2")


if __name__ == "__main__":
    vault.main()
