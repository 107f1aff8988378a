"""What compliance officers rely on, as sentences: over mutual TLS, with the shipped roles and policy, on two nodes."""
import threading
import time
import unittest

import test_api
import test_rights
import vault

CONSENT = {"decision": "given", "channel": "web"}


def rfc3339(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def setUpModule():
    global OTHER
    test_api.setUpModule()
    OTHER = vault.Vault("other", cluster=test_api.V.cluster, keys=test_api.V.keys, certs=test_api.V.certs).start()
    unittest.addModuleCleanup(OTHER.close)


class Officers(test_rights.Rights):
    def sql(self, statement):
        return test_api.V.cluster.sql(statement)

    def ledger(self):
        return (test_api.V.keys / "keyring.ledger").read_text().splitlines()

    def token(self, client=None):
        """The customer as an officer knows it."""
        request = self.open("rectify", scope={"fields": ["gender"]})
        token = self.expect((client or self.one).get("/v1/rights-requests/" + request["id"]), 200)["request"]["customer"]
        self.move(self.desk, request, "cancel")
        return token

    def hold(self, scope, seconds=3600, **more):
        body = {"customer": self.token(), "scope": scope, "reason": "lawsuit", "law": "HGB 257", "until": rfc3339(time.time() + seconds), **more}
        made = self.expect(self.one.post("/v1/holds", body), 201)
        self.expect(self.two.post(f"/v1/holds/{made['id']}:confirm"), 200)
        return made

    def records(self, kind):
        return self.expect(self.core.get(f"{self.path}/records/{kind}"), 200)["data"]


class Erasure(Officers):
    def test_two_officers_erase_a_customer_while_a_hold_keeps_the_orders_the_hold_ends_the_rest_goes(self):
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        self.expect(self.core.post(self.path + "/records/complaint", {"data": {"n": 2}}), 201)
        self.hold({"records": ["order"]}, seconds=6)
        request = self.approved("erase")
        self.wait(request, "on_hold")
        self.assertEqual(self.expect(self.core.get(self.path), 200)["fields"], {})
        self.assertEqual((len(self.records("order")), len(self.records("complaint"))), (1, 0))
        self.wait(request, "completed")  # nobody does anything: the hold ends by its time
        self.expect(self.core.get(self.path), 404, "not_found")

    def test_a_hold_that_ends_lets_its_part_go_though_another_one_lasts(self):
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        orders = self.hold({"records": ["order"]})
        self.hold({"fields": ["email"]})
        request = self.approved("erase")
        self.wait(request, "on_hold")
        self.assertEqual(list(self.expect(self.core.get(self.path), 200)["fields"]), ["email"])
        self.assertEqual(len(self.records("order")), 1)
        self.expect(self.two.post(f"/v1/holds/{orders['id']}:release"), 200)
        vault.wait_until(lambda: self.records("order") == [], 20, "the orders are gone")
        self.wait(request, "on_hold")
        self.assertEqual(list(self.expect(self.core.get(self.path), 200)["fields"]), ["email"])

    def test_a_hold_of_a_purpose_keeps_what_policy_lets_it_use(self):
        made = self.hold({"purposes": ["loyalty"]})
        self.assertEqual(made["scope"], {"purposes": ["loyalty"], "records": ["loyalty", "order"]})
        for kind in ("order", "complaint"):
            self.expect(self.core.post(f"{self.path}/records/{kind}", {"data": {"n": 1}}), 201)
        self.wait(self.approved("erase"), "on_hold")
        self.assertEqual((len(self.records("order")), len(self.records("complaint"))), (1, 0))

    def test_an_erasure_of_a_purpose_takes_what_no_other_purpose_uses(self):
        for kind in ("order", "loyalty"):
            self.expect(self.core.post(f"{self.path}/records/{kind}", {"data": {"n": 1}}), 201)
        for purpose in ("loyalty", "marketing"):
            self.expect(self.core.put(f"{self.path}/consents/{purpose}", {**CONSENT, "evidence": "scan-1"}), 200)
        request = self.approved("erase", scope={"purposes": ["loyalty"]})
        self.assertEqual(request["scope"], {"purposes": ["loyalty"], "records": ["loyalty"]}, "what will go is shown, and approved")
        self.wait(request, "completed")
        self.assertEqual((len(self.records("order")), len(self.records("loyalty"))), (1, 0))
        history = {p: self.expect(self.core.get(f"{self.path}/consents/{p}"), 200)["history"] for p in ("loyalty", "marketing")}
        self.assertEqual([e["event"] for e in history["loyalty"]], ["given"], "the decision stays")
        self.assertNotIn("personal", history["loyalty"][0])
        self.assertEqual(history["marketing"][0]["personal"], {"evidence": "scan-1"})

    def test_what_is_held_can_be_corrected_but_not_deleted_by_anybody(self):
        made = {kind: self.expect(self.core.post(f"{self.path}/records/{kind}", {"data": {"n": 1}}), 201)["record"] for kind in ("order", "complaint")}
        hold = self.hold({"records": ["order"], "fields": ["email"]})
        self.expect(self.core.delete(f"{self.path}/records/order/{made['order']}"), 423, "held")
        self.expect(self.core.delete(f"{self.path}/records/complaint/{made['complaint']}"), 200)
        any_version = {"If-Match": "*"}
        self.expect(self.core.patch(self.path, {"fields": {"email": None}}, headers=any_version), 423, "held")
        self.expect(self.core.patch(self.path, {"fields": {"email": "corrected.%s@example.com" % self.customer[-8:], "phone": None}}, headers=any_version), 200)
        self.assertEqual(len(self.records("order")), 1)
        self.expect(self.one.post(f"/v1/holds/{hold['id']}:release"), 200)
        self.expect(self.core.patch(self.path, {"fields": {"email": None}}, headers=any_version), 200)
        self.expect(self.core.delete(f"{self.path}/records/order/{made['order']}"), 200)

    def test_a_partial_erasure_takes_the_archives_that_hold_the_part(self):
        export = self.approved("export")
        self.wait(export, "completed")
        self.assertEqual(self.desk.get(f"/v1/rights-requests/{export['id']}/export").status, 200)
        self.wait(self.approved("erase", scope={"fields": ["email"]}), "completed")
        self.assertNotEqual(self.desk.get(f"/v1/rights-requests/{export['id']}/export").status, 200)

    def test_after_an_erasure_officers_are_told_and_all_others_are_not(self):
        token, desk = self.token(), self.seen_by_desk
        pending = self.open("export", channel="letter")
        self.wait(self.approved("erase"), "completed")
        body = {"customer": token, "reason": "lawsuit", "law": "HGB 257", "until": rfc3339(time.time() + 60)}
        self.expect(self.one.get(f"/v1/customers/{token}/consents"), 410, "erased")
        self.expect(self.one.get(f"/v1/customers/{token}/consents/marketing/receipt"), 410, "erased")
        self.expect(self.one.post("/v1/holds", body), 410, "erased")
        self.open("export", 410, "erased", client=self.one, customer=token)
        for path in ("", "/consents", "/consents/marketing"):
            self.expect(self.desk.get(f"/v1/customers/{desk}{path}"), 404, "not_found")
        self.expect(self.desk.put(f"/v1/customers/{desk}/consents/marketing", CONSENT), 404, "not_found")
        self.open("export", 404, "not_found")
        ended = self.expect(self.one.get("/v1/rights-requests/" + pending["id"]), 200)["request"]
        self.assertEqual((ended["state"], ended["reason"], ended["customer"]), ("cancelled", "erased", None))


class Crash(unittest.TestCase):
    """A vault of its own, which is killed."""

    made = 0  # a folder each: the ledger of the one before is not this database's

    def setUp(self):
        Crash.made += 1
        self.v = vault.Vault(f"crash-{Crash.made}")
        self.addCleanup(self.v.close)
        self.v.start()

    def prepared(self, kind, approvals, **more):
        """A request that one approval is missing to; opening it locks the customer's row, so that comes first."""
        core, desk = self.v.client("crm-core", "onboarding"), self.v.client("service-desk", "support")
        self.customer = core.post("/v1/customers", {"fields": {"email": kind + "@example.com"}}).json["customer"]
        seen = desk.post("/v1/customers:search", {"where": {"email": kind + "@example.com"}}).json["data"][0]["customer"]
        self.made = desk.post("/v1/rights-requests", {"customer": seen, "kind": kind, **more}).json
        path = "/v1/rights-requests/" + self.made["id"]
        self.one, self.two = self.v.client("compliance-1", "rights"), self.v.client("compliance-2", "rights")
        self.assertEqual(self.one.post(path + ":verify").status, 200)
        self.assertEqual(self.one.post(path + ":submit", {"identity_check": "seen"}).status, 200)
        if approvals == 2:
            self.assertEqual(self.approve(self.one, path)["state"], "awaiting_approval")
        return path

    def approve(self, officer, path):
        return officer.post(path + ":approve", {"scope_hash": self.made["scope_hash"]}).json

    def lock_customers(self):
        """Somebody else lets nobody write to a customer for three seconds. To be joined."""
        holder = threading.Thread(target=lambda: self.v.cluster.sql("BEGIN; LOCK TABLE vault.customer IN SHARE MODE; SELECT pg_sleep(3); COMMIT"))
        holder.start()
        vault.wait_until(lambda: self.v.cluster.sql("SELECT 1 FROM pg_locks WHERE mode = 'ShareLock' AND relation = 'vault.customer'::regclass AND granted"), 10, "the lock")
        return holder

    def killed_while_customers_are_locked(self, path, begun, lost):
        """lost: the transaction dies with the node; else the server has all of it, COMMIT included, and ends it alone."""
        holder = self.lock_customers()
        self.assertEqual(self.approve(self.two, path)["state"], "approved")
        vault.wait_until(begun, 10, "the job has begun")
        self.v.kill()
        if lost:
            self.v.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_service'")
        holder.join()
        if lost:
            left = self.v.cluster.sql("SELECT (SELECT count(*) FROM vault.erasure) + (SELECT count(*) FROM vault.consent_event)")
            self.assertEqual(left, [["0"]], "it was killed before its transaction was committed")
        self.v.start()

    def completed(self, path):
        one = self.v.client("compliance-1", "rights")
        vault.wait_until(lambda: one.get(path).json["request"]["state"] == "completed", 30, "the request is completed")

    def state_of_request(self):
        return self.v.cluster.sql("SELECT max(state) FROM vault.rights_request")[0][0]

    def erasure_killed(self, lost):
        ledger = self.v.keys / "keyring.ledger"
        path = self.prepared("erase", 2)
        self.killed_while_customers_are_locked(path, lambda: ledger.exists() and ledger.read_text().strip(), lost)
        self.completed(path)
        self.assertEqual(len(ledger.read_text().splitlines()), 1)
        self.assertEqual(self.v.cluster.sql("SELECT count(*) FROM vault.erasure"), [["1"]])
        self.assertEqual(self.v.client("crm-core", "onboarding").get("/v1/customers/" + self.customer).status, 404)
        self.assertEqual(self.v.client("compliance-1").get(path + "/certificate").json["document"]["ledger"]["position"], 1)

    def test_an_erasure_killed_between_ledger_and_transaction_ends_completed_once_not_twice(self):
        self.erasure_killed(lost=True)

    def test_an_erasure_whose_commit_nobody_heard_of_ends_completed_once_not_twice(self):
        self.erasure_killed(lost=False)

    def test_an_erasure_that_is_in_the_ledger_is_never_given_up(self):
        """Its transaction fails, again and again, until an operator has mended the database."""
        ledger = self.v.keys / "keyring.ledger"
        path = self.prepared("erase", 2)
        self.v.cluster.sql("REVOKE DELETE ON vault.rights_note FROM vault_service")
        self.assertEqual(self.approve(self.two, path)["state"], "approved")
        vault.wait_until(lambda: ledger.exists() and ledger.read_text().strip() and "rights_job_failed" in self.v.log(), 20, "it has failed")
        for verb in ("cancel", "retry"):
            refused = self.one.post(f"{path}:{verb}")
            self.assertEqual((refused.status, refused.code), (409, "request_state"), refused)
        self.assertEqual(self.one.get(path).json["request"]["state"], "running")
        self.v.cluster.sql("GRANT DELETE ON vault.rights_note TO vault_service")
        self.completed(path)
        self.assertEqual(len(ledger.read_text().splitlines()), 1)

    def restriction_killed(self, lost):
        path = self.prepared("restrict", 1, scope={"purposes": ["support"]})
        self.killed_while_customers_are_locked(path, lambda: self.state_of_request() == "4" and self.waits_for_the_lock(), lost)
        self.completed(path)
        history = self.v.client("crm-core", "onboarding").get(f"/v1/customers/{self.customer}/consents/support").json["history"]
        self.assertEqual([(e["event"], e["detail"]["actor"]) for e in history], [("restricted", "spiffe://crm.example/svc/service-desk")])

    def waits_for_the_lock(self):
        return self.v.cluster.sql("SELECT 1 FROM pg_locks WHERE relation = 'vault.customer'::regclass AND NOT granted")

    def test_a_restriction_killed_in_the_middle_is_written_once(self):
        self.restriction_killed(lost=True)

    def test_a_restriction_whose_commit_nobody_heard_of_is_written_once(self):
        self.restriction_killed(lost=False)

    def test_no_hold_is_confirmed_under_an_erasure_that_runs(self):
        path = self.prepared("erase", 2)
        token = self.one.get(path).json["request"]["customer"]
        held = self.one.post("/v1/holds", {"customer": token, "reason": "lawsuit", "law": "HGB 257", "until": rfc3339(time.time() + 3600)}).json
        ledger = self.v.keys / "keyring.ledger"
        holder = self.lock_customers()
        self.approve(self.two, path)
        vault.wait_until(lambda: ledger.exists() and ledger.read_text().strip(), 10, "the ledger has the entry")
        refused = self.two.post(f"/v1/holds/{held['id']}:confirm")
        self.assertEqual((refused.status, refused.code), (409, "request_state"), refused)
        holder.join()
        self.completed(path)


class Approval(Officers):
    def test_two_officers_who_approve_at_once_are_two(self):
        for _ in range(5):
            request = self.submitted("erase", scope={"fields": ["gender"]})
            replies = {}

            def approve(name, client):
                replies[name] = client.post(f"/v1/rights-requests/{request['id']}:approve", {"scope_hash": request["scope_hash"]})
            threads = [threading.Thread(target=approve, args=each) for each in (("one", self.one), ("two", self.two))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual([r.status for r in replies.values()], [200, 200], replies)
            self.assertEqual(sorted(r.json["state"] for r in replies.values()), ["approved", "awaiting_approval"])
            self.wait(request, "completed")

    def test_an_approval_lapses_after_seven_days(self):
        request = self.submitted("erase")
        approval = {"scope_hash": request["scope_hash"]}
        self.move(self.one, request, "approve", approval)
        self.sql("UPDATE vault.rights_approval SET at = at - interval '7 days'")
        got = self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)
        self.assertTrue(got["approvals"][0]["lapsed"])
        self.assertEqual(self.move(self.two, request, "approve", approval)["state"], "awaiting_approval")
        self.assertEqual(self.move(self.one, request, "approve", approval)["state"], "approved", "again, and it counts")

    def test_a_job_that_was_not_begun_within_seven_days_needs_new_approvals(self):
        request = self.approved("erase", scope={"fields": ["gender"]})
        self.wait(request, "completed")
        # As if no node had run until now.
        self.sql("UPDATE vault.rights_approval SET at = at - interval '8 days'")
        self.sql("UPDATE vault.rights_request SET state = 3, ended_at = NULL WHERE request = (SELECT max(request) FROM vault.rights_request)")
        back = self.wait(request, "awaiting_approval")
        self.assertEqual(back["reason"], "approvals_lapsed")

    def test_the_approval_of_an_officer_who_was_frozen_counts_no_more(self):
        security, identity = self.client("security"), "spiffe://crm.example/person/compliance-1"
        request = self.submitted("erase", scope={"fields": ["gender"]})
        approval = {"scope_hash": request["scope_hash"]}
        self.assertEqual(self.move(self.one, request, "approve", approval)["officers"], 1)
        self.expect(security.post("/v1/identities:freeze", {"identity": identity, "reason": "stolen key"}), 200)
        try:
            left = self.move(self.two, request, "approve", approval)
            self.assertEqual((left["state"], left["officers"]), ("awaiting_approval", 1))
        finally:
            self.expect(security.post("/v1/identities:thaw", {"identity": identity}), 200)
        self.assertEqual(self.move(self.two, request, "approve", approval)["state"], "approved", "it was not taken back, only did not count")

    def test_nobody_puts_another_scope_under_an_officers_name(self):
        request = self.open("erase", client=self.one, customer=self.token(), scope={"fields": ["gender"]})
        self.move(self.two, request, "amend", {"scope": {}}, 403, "policy_denied")
        self.move(self.one, request, "verify")
        self.move(self.one, request, "submit", {"identity_check": "seen"})
        self.move(self.two, request, "amend", {"scope": {}}, 403, "policy_denied")
        self.move(self.two, request, "approve", {"scope_hash": "0" * 64}, 409, "scope_changed")
        self.assertEqual(self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["request"]["scope"], {"fields": ["gender"]})

    def test_an_empty_list_is_not_the_whole_customer(self):
        for scope in ({"fields": []}, {"classes": []}, {"records": [], "fields": ["email"]}, {"purposes": []}):
            self.open("erase", 400, "malformed_request", scope=scope)

    def test_a_restriction_is_of_purposes_and_an_objection_names_some(self):
        self.open("restrict", 400, "malformed_request", scope={"fields": ["email"]})
        self.open("object", 400, "malformed_request", scope={"purposes": ["marketing"], "fields": ["email"]})
        self.open("object", 400, "malformed_request")

    def test_bad_input_has_a_stable_code_and_changes_nothing(self):
        token = self.token()
        request = self.submitted("erase")
        before = self.sql("SELECT count(*), coalesce(sum(state), 0), max(due_at) FROM vault.rights_request") + self.sql("SELECT count(*) FROM vault.hold") + \
            self.sql("SELECT count(*) FROM vault.rights_approval") + self.sql("SELECT count(*) FROM vault.consent_event")
        hold = {"customer": token, "reason": "lawsuit", "law": "HGB 257", "until": rfc3339(time.time() + 60)}
        path = "/v1/rights-requests/" + request["id"]
        for reply, status, code in (
                (self.core.put(self.path + "/consents/no_such", CONSENT), 400, "unknown_purpose"),
                (self.desk.post("/v1/rights-requests", {"customer": self.seen_by_desk, "kind": "erase", "scope": {"purposes": ["no_such"]}}), 400, "unknown_purpose"),
                (self.core.put("/v1/customers/" + self.customer[:-1] + ("q" if self.customer[-1] != "q" else "p") + "/consents/marketing", CONSENT), 400, "bad_token"),
                (self.one.post(path + ":approve", {"scope_hash": "ab" * 32}), 409, "scope_changed"),
                (self.one.post(path + ":approve", {}), 400, "malformed_request"),
                (self.one.post(path + ":deny", {"reason": "John Smith does not want it"}), 400, "malformed_request"),
                (self.one.post(path + ":deny", {"reason": "because"}), 400, "unknown_reason"),
                (self.one.post(path + ":extend", {"reason": "holiday"}), 400, "unknown_reason"),
                (self.one.post("/v1/holds", {**hold, "until": "2020-01-01T00:00:00Z"}), 422, "hold_invalid"),
                (self.one.post("/v1/holds", {**hold, "reason": "Mr Smith sues"}), 422, "hold_invalid"),
                (self.one.post("/v1/holds", {**hold, "scope": {"records": ["no_such"]}}), 400, "unknown_kind"),
                (self.one.post("/v1/holds", {k: v for k, v in hold.items() if k != "law"}), 422, "hold_invalid"),
                (self.desk.post("/v1/holds", {**hold, "customer": self.seen_by_desk}), 403, "policy_denied")):
            self.expect(reply, status, code)
        after = self.sql("SELECT count(*), coalesce(sum(state), 0), max(due_at) FROM vault.rights_request") + self.sql("SELECT count(*) FROM vault.hold") + \
            self.sql("SELECT count(*) FROM vault.rights_approval") + self.sql("SELECT count(*) FROM vault.consent_event")
        self.assertEqual(before, after)


class Requests(Officers):
    def test_a_rectification_lists_who_had_received_the_fields(self):
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
        for fields, recipients in ((["phone"], ["spiffe://crm.example/svc/service-desk"]), (["resident_id"], [])):
            request = self.approved("rectify", scope={"fields": fields})
            self.move(self.two, request, "complete")
            path = "/v1/rights-requests/" + request["id"]
            # Looked up after it was completed; an empty list is also what stands there before.
            vault.wait_until(lambda: [r["recipient"] for r in self.expect(self.one.get(path), 200)["recipients"]] == recipients, 20, "the recipients are listed")
            got = self.expect(self.one.get(path), 200)
            self.assertEqual((got["request"]["requester"], got["request"]["scope"]), ("spiffe://crm.example/svc/service-desk", {"fields": fields}))

    def test_rectifications_that_wait_for_people_hold_nothing_up(self):
        fields = sorted(self.expect(self.core.get(self.path), 200)["fields"])
        pairs = [[a, b] for a in fields for b in fields if a < b][:17]
        self.assertEqual(len(pairs), 17)
        for pair in pairs:
            self.approved("rectify", scope={"fields": pair})
        self.wait(self.approved("restrict", scope={"purposes": ["loyalty"]}), "completed")

    def test_notes_are_not_for_the_requester(self):
        request = self.submitted("export")
        self.assertEqual(self.expect(self.desk.get("/v1/rights-requests/" + request["id"]), 200)["notes"], [])
        self.assertEqual(len(self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["notes"]), 1)

    def test_lists_name_the_customer_by_the_callers_token(self):
        request = self.open("export")
        listed = {r["id"]: r for r in self.expect(self.one.get("/v1/rights-requests?limit=200"), 200)["data"]}
        self.assertEqual(listed[request["id"]]["customer"], self.token())
        made = self.hold({"fields": ["email"]})
        seen, cursor = {}, ""
        while cursor is not None:
            page = self.expect(self.two.get("/v1/holds?limit=2" + (f"&cursor={cursor}" if cursor else "")), 200)
            seen.update({h["id"]: h for h in page["data"]})
            cursor = page["next"]
        self.assertEqual(seen[made["id"]]["customer"], self.token(self.two))

    def test_why_a_term_was_extended_stays_when_the_job_has_ended(self):
        request = self.submitted("restrict", scope={"purposes": ["support"]}, jurisdiction="pipl")
        longer = self.move(self.one, request, "extend", {"reason": "many_requests"})
        self.assertGreater(longer["due_at"], request["due_at"])
        self.move(self.one, request, "approve", {"scope_hash": request["scope_hash"]})
        self.assertEqual(self.wait(request, "completed")["extension_reason"], "many_requests")

    def test_a_term_that_has_passed_is_not_extended_and_is_counted(self):
        request = self.open("export")
        number = "(SELECT max(request) FROM vault.rights_request)"
        self.sql(f"UPDATE vault.rights_request SET due_at = now() - interval '1 hour' WHERE request = {number}")
        self.move(self.one, request, "extend", {"reason": "complex"}, 409, "request_state")
        listed = self.expect(self.one.get("/v1/rights-requests?overdue=true"), 200)["data"]
        self.assertIn(request["id"], [r["id"] for r in listed])

        def counts():  # the node that leads counts
            return [max(v.metric(f"vault_rights_requests_{what}") for v in (test_api.V, OTHER)) for what in ("overdue", "due_72h")]
        vault.wait_until(lambda: counts()[0] >= 1, 20, "it counts as overdue")
        overdue, soon = counts()
        self.sql(f"UPDATE vault.rights_request SET due_at = now() + interval '71 hours' WHERE request = {number}")
        vault.wait_until(lambda: counts() == [overdue - 1, soon + 1], 20, "it counts as due soon")
        self.sql(f"UPDATE vault.rights_request SET due_at = now() + interval '73 hours' WHERE request = {number}")
        vault.wait_until(lambda: counts() == [overdue - 1, soon], 20, "it counts no more")


class Consents(Officers):
    def test_a_withdrawn_consent_stops_the_campaigns_next_read_on_a_second_vaultd(self):
        self.expect(self.core.put(self.path + "/consents/marketing", CONSENT), 200)
        handed = self.expect(self.core.post("/v1/tokens:translate", {"tokens": [self.customer], "audience": "campaigns"}, purpose="marketing"), 200)
        token = handed["results"][0]["token"]
        campaigns = OTHER.client("campaigns", "marketing")
        self.addCleanup(campaigns.close)

        def read():
            return self.expect(campaigns.get(f"/v1/customers/{token}?fields=email&form=plain"), 200)["fields"]["email"]
        for _ in range(10):
            self.assertEqual(read()["value"], self.fields["email"])
            self.expect(self.core.post(self.path + "/consents/marketing:withdraw"), 200)
            self.assertEqual((read()["form"], read().get("code")), ("deny", "consent_missing"))
            self.expect(self.core.put(self.path + "/consents/marketing", CONSENT), 200)

    def test_consents_come_with_each_customer_of_a_batch(self):
        def item(**consents):
            return {"fields": test_api.PEOPLE.few(), "consents": consents}
        items = [item(marketing=CONSENT), item(survey={**CONSENT, "decision": "refused"}), item(no_such=CONSENT), item(marketing={**CONSENT, "channel": "pigeon"})]
        refused = self.core.post("/v1/customers:batch", {"mode": "atomic", "items": items})
        self.expect(refused, 400, "unknown_purpose")
        got = self.expect(self.core.post("/v1/customers:batch", {"mode": "partial", "items": items}), 200)["results"]
        self.assertEqual([r.get("error", {}).get("code") for r in got], [None, None, "unknown_purpose", "consent_invalid"])
        state = self.expect(self.core.get(f"/v1/customers/{got[0]['customer']}/consents/marketing"), 200)
        self.assertTrue(state["state"]["consented"])
        self.assertEqual(state["history"][0]["detail"]["actor"], "spiffe://crm.example/svc/crm-core")

    def test_a_receipt_is_of_the_consent_whatever_else_was_decided(self):
        self.expect(self.core.put(self.path + "/consents/marketing", CONSENT), 200)
        self.expect(self.core.put(self.path + "/bases/marketing", {"basis": "contract"}), 200)
        self.expect(self.core.put(self.path + "/restriction"), 200)
        document = self.expect(self.core.get(self.path + "/consents/marketing/receipt"), 200)["document"]
        self.assertEqual((document["consent"]["event"], document["consent"]["status"], document["@type"]), ("given", "dpv:ConsentGiven", "dpv:ConsentRecord"))
        self.assertEqual(document["@context"]["dpv"], "https://w3id.org/dpv#")
        self.assertRegex(document["dct:identifier"], "^[0-9a-f]{32}$")
        for member in ("customer", "purpose", "legal_basis", "consent"):
            self.assertTrue(document["@context"][member].startswith("dpv:"), member)

    def test_the_vault_is_the_actor_of_an_expiry(self):
        until = time.time() + 2
        self.expect(self.core.put(self.path + "/consents/marketing", {**CONSENT, "valid_until": rfc3339(int(until) + 1)}), 200)
        vault.wait_until(lambda: self.expect(self.core.get(self.path + "/consents/marketing"), 200)["history"][0]["event"] == "expired", 30, "the expiry is written")
        event = self.expect(self.core.get(self.path + "/consents/marketing"), 200)["history"][0]
        self.assertTrue(event["detail"]["actor"].startswith("vault:"), event)

    def test_the_notice_of_a_purpose_stays_the_one_that_consents_name(self):
        admin = self.client("admin")
        declared = {"title": "Club", "legal_basis": "consent", "notice": "club"}
        self.expect(admin.put("/v1/purposes/club", {k: v for k, v in declared.items() if k != "notice"}), 201)
        self.expect(self.one.put("/v1/notices/club", {"texts": {"en": "We keep points."}}), 201)
        self.expect(admin.put("/v1/purposes/club", declared), 200)
        self.expect(self.core.put(self.path + "/consents/club", {**CONSENT, "notice_version": 1}), 200)
        self.assertEqual(self.expect(self.core.get(self.path + "/consents/club"), 200)["history"][0]["detail"]["notice"], "club")
        self.expect(admin.put("/v1/purposes/club", {**declared, "notice": "other"}), 409, "conflict")
        self.expect(admin.put("/v1/purposes/club", {k: v for k, v in declared.items() if k != "notice"}), 409, "conflict")


if __name__ == "__main__":
    vault.main()
