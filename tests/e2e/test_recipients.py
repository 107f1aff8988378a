"""Those who received what is erased or corrected are listed with the request, and told by their webhooks."""
import json
import unittest

import people
import receiver
import test_api
import test_rights
import vault

CAMPAIGNS = "spiffe://crm.example/svc/campaigns"
DESK = "spiffe://crm.example/svc/service-desk"


def setUpModule():
    test_api.V = vault.Vault("recipients", webhook_loopback=1, webhook_retry_ms=100, webhook_tries=3).start()
    unittest.addModuleCleanup(test_api.V.close)
    test_api.PEOPLE = people.People(11, "recipients")
    admin = test_api.V.client("admin")
    text = admin.get("/v1/policies").json["active"]["text"]
    assert admin.post("/v1/policies:activate", {"text": text + "\nallow crm_core to translate contact for onboarding\n"}).status == 200
    admin.close()


class Recipients(test_rights.Rights):
    def setUp(self):
        super().setUp()
        self.expect(self.core.put(self.path + "/consents/marketing", {"decision": "given", "channel": "web"}), 200)
        token = self.expect(self.core.get(self.path), 200)["fields"]["email"]["token"]
        translated = self.expect(self.core.post("/v1/tokens:translate", {"tokens": [token], "audience": "campaigns"}), 200)
        self.seen_by_campaigns = translated["results"][0]["token"]
        self.received = receiver.Receiver()
        self.addCleanup(self.received.close)

    def hook(self, name, recipient, url=None, kinds=("erasure", "rectification")):
        security = self.client("security")
        reply = security.put("/v1/webhooks/" + name, {"url": url or self.received.url, "kinds": list(kinds), "recipient": recipient})
        self.assertIn(reply.status, (200, 201), reply)
        self.addCleanup(self.client("security").delete, "/v1/webhooks/" + name)

    def campaigns_reads(self):
        """The e-mail address, by the token that it holds: it never saw one to the customer."""
        reply = self.client("campaigns", "marketing").post("/v1/tokens:detokenize", {"tokens": [self.seen_by_campaigns], "form": "plain"})
        self.assertEqual(self.expect(reply, 200)["results"][0]["value"], self.fields["email"])
        return reply.headers["Audit-Record"]

    def desk_reads(self, field="phone"):
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields={field}&form=best"), 200)

    def recipients(self, request):
        return self.expect(self.one.get("/v1/rights-requests/" + request["id"]), 200)["recipients"]

    def told(self, request):
        return {r["recipient"]: r["notification"] for r in self.recipients(request)}

    def test_an_erasure_is_told_to_who_received_the_data_by_its_own_token_and_nothing_else(self):
        self.hook("campaigns", CAMPAIGNS)
        record = self.campaigns_reads()
        self.desk_reads()
        request = self.approved("erase")
        self.wait(request, "completed")
        message = receiver.parsed(self.received.wait(1)[0])
        self.assertEqual(message["type"], "erasure")
        self.assertEqual(set(message["data"]), {"audit_records", "customer", "disclosures", "everything", "fields", "last", "records"})
        self.assertEqual(message["data"]["fields"], {"email": self.seen_by_campaigns})
        self.assertEqual((message["data"]["audit_records"], message["data"]["everything"]), ([record.partition("+")[0]], True))
        for value in list(self.fields.values()) + [self.customer, self.seen_by_desk]:
            if isinstance(value, str):
                self.assertNotIn(value.encode(), self.received.got[0][1])
        vault.wait_until(lambda: self.told(request).get(CAMPAIGNS) == "told", 10, "noted as told")
        self.assertEqual(self.told(request), {CAMPAIGNS: "told", DESK: "no_webhook"})
        self.assertEqual(len(self.received.got), 1)
        left = test_api.V.cluster.sql("SELECT data FROM vault.outbox")
        self.assertNotIn(self.fields["email"], json.dumps(left, ensure_ascii=False))

    def test_only_who_received_something_of_the_part_is_told_and_of_what(self):
        self.hook("campaigns", CAMPAIGNS)
        self.hook("desk", DESK)
        self.campaigns_reads()  # email
        self.desk_reads("phone")
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        request = self.approved("erase", scope={"fields": ["phone"], "records": ["order", "complaint"]})
        self.wait(request, "completed")
        message = receiver.parsed(self.received.wait(1)[0])["data"]
        self.assertEqual((message["customer"], message["everything"], list(message["fields"]), message["records"]), (self.seen_by_desk, False, ["phone"], []))
        vault.wait_until(lambda: [(r["recipient"], r["notification"]) for r in self.recipients(request)] == [(DESK, "told")], 10, "listed")
        # A job that a crash has cut off after its transaction runs again, and tells nothing anew.
        test_api.V.cluster.sql("UPDATE vault.rights_request SET state = 4, ended_at = NULL WHERE request = (SELECT max(request) FROM vault.rights_request)")
        self.wait(request, "completed")
        self.assertEqual(test_api.V.cluster.sql("SELECT count(*) FROM vault.outbox WHERE request = (SELECT max(request) FROM vault.rights_request)"), [["1"]])

    def test_a_rectification_is_told_when_an_officer_completes_it(self):
        self.hook("campaigns", CAMPAIGNS)
        self.campaigns_reads()
        self.desk_reads("phone")
        request = self.approved("rectify", scope={"fields": ["email"]})
        self.assertEqual(self.recipients(request), [])
        self.move(self.one, request, "complete")
        message = receiver.parsed(self.received.wait(1)[0])
        self.assertEqual((message["type"], message["data"]["fields"]), ("rectification", {"email": self.seen_by_campaigns}))
        vault.wait_until(lambda: [(r["recipient"], r["notification"]) for r in self.recipients(request)] == [(CAMPAIGNS, "told")], 10, "listed")
        self.assertEqual(len(self.received.got), 1)

    def test_a_hold_divides_an_erasure_and_its_messages(self):
        self.hook("desk", DESK)
        self.desk_reads("phone")
        self.expect(self.core.post(self.path + "/records/order", {"data": {"n": 1}}), 201)
        token = self.expect(self.one.get("/v1/rights-requests/" + self.open("restrict")["id"]), 200)["request"]["customer"]
        hold = self.expect(self.one.post("/v1/holds", {"customer": token, "scope": {"records": ["order"]}, "reason": "tax", "law": "HGB 257",
                                                       "until": "2099-01-01T00:00:00Z"}), 201)
        self.expect(self.two.post(f"/v1/holds/{hold['id']}:confirm"), 200)
        request = self.approved("erase")
        self.wait(request, "on_hold")
        first = receiver.parsed(self.received.wait(1)[0])["data"]
        self.assertFalse(first["everything"])
        self.assertIn("phone", first["fields"])
        self.assertNotIn("order", first["records"])
        self.expect(self.one.post(f"/v1/holds/{hold['id']}:release"), 200)
        self.wait(request, "completed")
        self.assertTrue(receiver.parsed(self.received.wait(2)[1])["data"]["everything"])

    def test_who_received_it_too_long_ago_is_not_listed(self):
        self.hook("campaigns", CAMPAIGNS)
        self.campaigns_reads()
        test_api.V.cluster.sql("UPDATE vault.audit_segment SET first_at = first_at - interval '800 days', last_at = last_at - interval '800 days'")
        request = self.approved("erase")
        self.wait(request, "completed")
        self.assertEqual(self.recipients(request), [])

    def test_a_list_of_no_records_is_no_disclosure(self):
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}/records/order"), 200)
        request = self.approved("erase")
        self.wait(request, "completed")
        self.assertEqual(self.recipients(request), [])

    def test_an_archive_made_before_a_part_was_erased_is_gone_with_it(self):
        export = self.wait(self.approved("export"), "completed")
        path = f"/v1/rights-requests/{export['id']}/export"
        self.assertEqual(self.desk.get(path).status, 200)
        self.wait(self.approved("erase", scope={"fields": ["email"]}), "completed")
        self.expect(self.desk.get(path), 410, "expired")

    def test_who_fetched_an_archive_has_received_everything(self):
        export = self.wait(self.approved("export"), "completed")
        self.assertEqual(self.desk.get(f"/v1/rights-requests/{export['id']}/export").status, 200)
        request = self.approved("erase", scope={"fields": ["wechat", "email"]})
        self.wait(request, "completed")
        self.assertEqual([r["recipient"] for r in self.recipients(request)], [DESK])


del test_rights.Erasure, test_rights.Ledger, test_rights.Approval, test_rights.Jobs  # they are run by their own script

if __name__ == "__main__":
    vault.main()
