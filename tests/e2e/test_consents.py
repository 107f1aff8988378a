"""Consents, lawful bases, objections, restriction: what a customer decides binds at once, and stays written."""
import hashlib
import json
import time
import unittest

import test_api
import vault

BODY = {"decision": "given", "channel": "web", "method": "checkbox", "language": "zh-CN"}


def setUpModule():
    test_api.setUpModule()


def rfc3339(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Consents(test_api.Api):
    def setUp(self):
        super().setUp()
        self.fields = test_api.PEOPLE.few()
        made = self.create(self.fields)
        self.customer = made["customer"]
        self.path = f"/v1/customers/{self.customer}"

    def consent(self, purpose="marketing", status=200, code=None, **more):
        return self.expect(self.core.put(f"{self.path}/consents/{purpose}", {**BODY, **more}), status, code)

    def state(self, purpose="marketing"):
        return self.expect(self.core.get(f"{self.path}/consents/{purpose}"), 200)["state"]

    def test_a_consent_counts_and_its_withdrawal_does_too(self):
        self.assertFalse(self.state()["consented"])
        self.assertEqual(self.consent()["decision"], "given")
        self.assertTrue(self.state()["consented"])
        self.assertEqual(self.expect(self.core.post(f"{self.path}/consents/marketing:withdraw"), 200)["decision"], "withdrawn")
        self.assertFalse(self.state()["consented"])

    def test_nothing_is_overwritten(self):
        for decision in ("given", "refused", "given", "withdrawn"):
            self.consent(decision=decision)
        got = self.expect(self.core.get(f"{self.path}/consents/marketing"), 200)
        self.assertEqual([e["event"] for e in got["history"]], ["withdrawn", "given", "refused", "given"])
        self.assertEqual(got["history"][0]["detail"]["actor"], "spiffe://crm.example/svc/crm-core")
        seen, cursor = [], ""
        while cursor is not None:
            page = self.expect(self.core.get(f"{self.path}/consents/marketing?limit=3" + (f"&cursor={cursor}" if cursor else "")), 200)
            seen += [e["event"] for e in page["history"]]
            cursor = page["next"]
        self.assertEqual(seen, ["withdrawn", "given", "refused", "given"])

    def test_an_expired_consent_stops_counting_at_its_second(self):
        until = time.time() + 2.5
        self.consent(valid_until=rfc3339(int(until) + 1))
        self.assertTrue(self.state()["consented"])
        time.sleep(max(0, int(until) + 1 - time.time()) + 0.01)
        self.assertFalse(self.state()["consented"])
        for _ in range(200):
            history = self.expect(self.core.get(f"{self.path}/consents/marketing"), 200)["history"]
            if history[0]["event"] == "expired":
                break
            time.sleep(0.1)
        self.assertEqual([e["event"] for e in history], ["expired", "given"])

    def test_another_consent_counts_on_when_one_expires(self):
        until = int(time.time() + 2.5) + 1
        self.consent("survey")
        self.consent(valid_until=rfc3339(until))
        time.sleep(max(0, until - time.time()) + 0.01)
        for _ in range(200):
            if self.state("survey")["consented"]:
                break
            time.sleep(0.1)
        self.assertTrue(self.state("survey")["consented"])
        self.assertFalse(self.state("marketing")["consented"])

    def test_evidence_is_given_back_and_lies_sealed(self):
        self.consent(evidence="scan-7781-CANARY")
        got = self.expect(self.core.get(f"{self.path}/consents/marketing"), 200)
        self.assertEqual(got["history"][0]["personal"], {"evidence": "scan-7781-CANARY"})
        rows = test_api.V.cluster.sql("SELECT count(*) FROM vault.consent_event WHERE detail LIKE '%CANARY%' OR encode(sealed, 'escape') LIKE '%CANARY%'")
        self.assertEqual(int(rows[0][0]), 0)

    def test_a_child_needs_a_guardian(self):
        made = self.create({**test_api.PEOPLE.few(), "birth_date": rfc3339(time.time() - 10 * 365.25 * 86400)[:10]})
        self.path = f"/v1/customers/{made['customer']}"
        self.consent(status=422, code="consent_invalid")
        self.consent(guardian="Li Na, mother")
        self.assertTrue(self.state()["consented"])

    def test_consents_come_with_the_customer(self):
        made = self.expect(self.core.post("/v1/customers", {"fields": test_api.PEOPLE.few(), "consents": {"marketing": BODY, "survey": {**BODY, "decision": "refused"}}}), 201)
        self.path = f"/v1/customers/{made['customer']}"
        self.assertTrue(self.state()["consented"])
        self.assertFalse(self.state("survey")["consented"])
        all_of_them = self.expect(self.core.get(self.path + "/consents"), 200)["purposes"]
        self.assertEqual(all_of_them["survey"]["last"]["event"], "refused")
        self.expect(self.core.post("/v1/customers", {"fields": test_api.PEOPLE.few(), "consents": {"no_such": BODY}}), 400, "unknown_purpose")

    def test_bases_objections_and_restriction_are_states_of_their_own(self):
        self.expect(self.core.put(self.path + "/bases/loyalty", {"basis": "contract"}), 200)
        self.assertTrue(self.state("loyalty")["basis"])
        self.expect(self.core.put(self.path + "/objections/segmentation"), 200)
        self.assertTrue(self.state("segmentation")["objected"])
        self.expect(self.core.delete(self.path + "/objections/segmentation"), 200)
        self.assertFalse(self.state("segmentation")["objected"])
        self.expect(self.core.put(self.path + "/restriction"), 200)
        for purpose in ("marketing", "loyalty", "support", "segmentation"):
            self.assertTrue(self.state(purpose)["restricted"], purpose)
        self.expect(self.core.delete(self.path + "/restriction"), 200)
        self.assertFalse(self.state("support")["restricted"])
        self.expect(self.core.delete(self.path + "/bases/loyalty"), 200)
        self.assertFalse(self.state("loyalty")["basis"])

    def test_a_restricted_customer_is_read_for_no_purpose_but_rights(self):
        desk = self.found_by_desk(self.fields)
        self.expect(self.core.put(self.path + "/restriction"), 200)
        got = self.expect(self.desk.get(f"/v1/customers/{desk}?fields=phone&form=plain"), 200)
        self.assertEqual(got["fields"]["phone"]["form"], "deny")
        self.expect(self.core.delete(self.path + "/restriction"), 200)
        got = self.expect(self.desk.get(f"/v1/customers/{desk}?fields=phone&form=plain"), 200)
        self.assertEqual(got["fields"]["phone"]["form"], "plain")

    def test_a_restricted_customer_is_not_found_by_a_search(self):
        def found():
            reply = self.desk.post("/v1/customers:search", {"where": {"email": self.fields["email"]}})
            return len(self.expect(reply, 200)["data"])
        self.assertEqual(found(), 1)
        self.expect(self.core.put(self.path + "/restriction"), 200)
        self.assertEqual(found(), 0)
        self.expect(self.core.delete(self.path + "/restriction"), 200)
        self.assertEqual(found(), 1)

    def test_bad_decisions_change_nothing(self):
        later, past = rfc3339(time.time() + 7200), rfc3339(time.time() - 60)
        for more in ({"decision": "maybe"}, {"channel": "pigeon"}, {"channel": None}, {"given_at": later}, {"valid_until": past},
                     {"valid_until": "soon"}, {"method": "two words"}, {"separate": "yes"}, {"evidence": ""}, {"evidence": 7}):
            self.consent(status=422, code="consent_invalid", **more)
        self.consent(status=400, code="unknown_notice", notice_version=1)
        self.consent(status=400, code="malformed_request", colour="red")
        self.consent("no_such_purpose", status=400, code="unknown_purpose")
        self.expect(self.desk.get(f"{self.path}/consents"), 404, "not_found")
        self.expect(self.client("analytics", "analytics").put(f"{self.path}/consents/marketing", BODY), 403, "policy_denied")
        self.assertEqual(self.expect(self.core.get(f"{self.path}/consents/marketing"), 200)["history"], [])


    def test_many_decisions_come_in_one_request(self):
        other = self.create(test_api.PEOPLE.few())["customer"]
        def item(customer, purpose, **more):
            return {"customer": customer, "purpose": purpose, "consent": {**BODY, **more}}
        items = [item(self.customer, "marketing"), item(self.customer, "survey"), item(other, "marketing", decision="refused")]
        got = self.expect(self.core.post("/v1/consents:batch", {"items": items}), 200)
        self.assertEqual([r["decision"] for r in got["results"]], ["given", "given", "refused"])
        self.assertTrue(self.state()["consented"] and self.state("survey")["consented"])
        bad = [item(self.customer, "marketing", decision="withdrawn"), item("cus1" + "q" * 33, "marketing"), item(other, "survey", channel="x")]
        self.assertNotEqual(self.core.post("/v1/consents:batch", {"items": bad}).status, 200)
        self.assertTrue(self.state()["consented"], "all or nothing")
        got = self.expect(self.core.post("/v1/consents:batch", {"items": bad, "mode": "partial"}), 200)
        self.assertEqual([r.get("decision", r.get("error", {}).get("code")) for r in got["results"]], ["withdrawn", "bad_token", "consent_invalid"])
        self.assertFalse(self.state()["consented"])

    def test_a_receipt_is_checked_without_the_vault(self):
        self.consent()
        self.expect(self.core.get(f"{self.path}/consents/survey/receipt"), 404, "not_found")
        v = test_api.V
        receipt = v.ctl("--purpose", "onboarding", "consent", "receipt", self.customer, "marketing", certificate="crm-core", check=True).stdout
        key = self.expect(self.core.get("/v1/signing-key"), 200)["key"]
        document = json.loads(receipt)["document"]
        self.assertEqual((document["customer"], document["purpose"]["name"], document["consent"]["event"]), (self.customer, "marketing", "given"))
        file = vault.folder() / "receipt.json"
        file.write_text(receipt)
        self.assertEqual(v.ctl("consent", "verify", file, "--public-key", key).returncode, 0)
        self.assertEqual(v.ctl("consent", "verify", file, "--public-key", "0" * 64).returncode, 5)
        file.write_text(receipt.replace('"given"', '"refused"'))
        self.assertEqual(v.ctl("consent", "verify", file, "--public-key", key).returncode, 5)

    def test_the_command_line_gives_and_withdraws(self):
        v = test_api.V
        def ctl(*words):
            return v.ctl("--purpose", "onboarding", "--json", "consent", *words, certificate="crm-core", check=True).stdout
        self.assertIn("given", ctl("give", self.customer, "marketing", "--channel", "app"))
        self.assertTrue(json.loads(ctl("list", self.customer))["purposes"]["marketing"]["consented"])
        self.assertIn("withdrawn", ctl("withdraw", self.customer, "marketing"))
        self.assertFalse(self.state()["consented"])


class Notices(test_api.Api):
    def test_a_new_version_may_ask_for_consent_anew(self):
        admin, officer = self.client("admin"), self.client("compliance-1")
        core = self.core
        self.expect(admin.put("/v1/purposes/newsletter", {"title": "Newsletter", "legal_basis": "consent", "notice": "news"}), 201)
        self.expect(core.put("/v1/notices/news", {"texts": {"en": "We write."}}), 403, "policy_denied")
        first = self.expect(officer.put("/v1/notices/news", {"texts": {"zh": "我们会写信。", "en": "We write."}}), 201)
        self.assertEqual(first["version"], 1)
        path = f"/v1/customers/{self.create(test_api.PEOPLE.few())['customer']}/consents/newsletter"
        self.expect(core.put(path, BODY), 422, "consent_invalid")
        self.expect(core.put(path, {**BODY, "notice_version": 2}), 400, "unknown_notice")
        self.expect(core.put(path, {**BODY, "notice_version": 1}), 200)
        self.assertTrue(self.expect(core.get(path), 200)["state"]["consented"])
        self.expect(officer.put("/v1/notices/news", {"texts": {"en": "We write, too."}}), 200)
        self.assertTrue(self.expect(core.get(path), 200)["state"]["consented"], "a correction asks for nothing")
        self.expect(officer.put("/v1/notices/news", {"texts": {"en": "We write and sell."}, "renew": True}), 200)
        self.assertFalse(self.expect(core.get(path), 200)["state"]["consented"])
        self.expect(core.put(path, {**BODY, "notice_version": 2}), 422, "consent_invalid")
        self.expect(core.put(path, {**BODY, "notice_version": 3}), 200)
        self.assertTrue(self.expect(core.get(path), 200)["state"]["consented"])
        versions = self.expect(core.get("/v1/notices/news"), 200)["versions"]
        self.assertEqual([(v["version"], v["renew"]) for v in versions], [(3, True), (2, False), (1, False)])
        self.assertEqual([v["texts"] for v in versions], [{"en": "We write and sell."}, {"en": "We write, too."}, {"en": "We write.", "zh": "我们会写信。"}])
        for v in versions:
            stored = json.dumps(v["texts"], separators=(",", ":"), ensure_ascii=False, sort_keys=True)
            self.assertEqual(v["sha256"], hashlib.sha256(stored.encode()).hexdigest(), "the hash is of the texts, sorted by language")
        for body in ({}, {"texts": {}}, {"texts": {"en": ""}}, {"texts": {"x": "y"}}, {"texts": {"en": "y"}, "renew": 1}):
            self.expect(officer.put("/v1/notices/news", body), 400, "malformed_request")


if __name__ == "__main__":
    unittest.main()
