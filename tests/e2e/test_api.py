"""The shapes of the data API that others script against, under the shipped policy, over mutual TLS and a real database."""
import re
import unittest

import audit_log
import people
import vault

TOKEN = re.compile(r"^tok1[02-9ac-hj-np-z]{20,}$")
CUSTOMER = re.compile(r"^cus1[02-9ac-hj-np-z]{20,}$")
RECORD = re.compile(r"^rec1[02-9ac-hj-np-z]{20,}$")


def setUpModule():
    global V, PEOPLE
    V = vault.Vault("api")
    V.start()
    unittest.addModuleCleanup(V.close)
    PEOPLE = people.People(7, "api")


class Api(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.core = self.client("crm-core", "onboarding")
        self.desk = self.client("service-desk", "support")

    def client(self, certificate, purpose=None):
        client = V.client(certificate, purpose)
        self.addCleanup(client.close)
        return client

    def expect(self, reply, status, code=None):
        self.assertEqual((reply.status, reply.code), (status, code), reply)
        return reply.json if reply.body else None

    def create(self, fields=None, **more):
        self.last = self.core.post("/v1/customers", {"fields": fields or PEOPLE.fields(), **more})
        return self.expect(self.last, 201)

    def found_by_desk(self, fields):
        """The customer as the service desk's audience knows it."""
        found = self.expect(self.desk.post("/v1/customers:search", {"where": {"email": fields["email"]}, "limit": 50}), 200)
        self.assertEqual(len(found["data"]), 1, found)
        return found["data"][0]["customer"]

    def record(self, reply):
        """The audit record that a reply names, as security reads it."""
        return self.expect(self.client("security").get("/v1/audit/records/" + audit_log.ids_of(reply.headers["Audit-Record"])[0]), 200)


class Create(Api):
    def test_a_customer_becomes_tokens_and_its_values_stay_inside(self):
        fields = PEOPLE.fields()
        made = self.create(fields, external_ref="crm-create-1", source="web")
        self.assertRegex(made["customer"], CUSTOMER)
        self.assertEqual(made["version"], 1)
        self.assertEqual(set(made["fields"]), set(fields))
        for name, field in made["fields"].items():
            self.assertRegex(field["token"], TOKEN, name)
        self.assertEqual(len({f["token"] for f in made["fields"].values()}), len(fields))
        for value in ("email", "phone", "resident_id", "bank_card", "name"):
            self.assertNotIn(fields[value].encode(), self.last.body)
        self.assertRegex(self.last.headers["ETag"], r'^"[^"]+"$')
        self.assertIn("Audit-Record", self.last.headers)

    def test_its_audit_record_names_who_what_why_and_holds_no_value(self):
        fields = PEOPLE.few()
        self.last = self.core.post("/v1/customers", {"fields": fields}, headers={"X-Request-Id": "req-api-1", "X-Ticket": "T-1"})
        self.expect(self.last, 201)
        self.assertEqual(self.last.headers["X-Request-Id"], "req-api-1")
        record = self.record(self.last)
        for key, value in {"actor": "spiffe://crm.example/svc/crm-core", "activity": "create", "outcome": "success", "code": "ok",
                           "purpose": "onboarding", "legal_basis": "contract", "request_id": "req-api-1", "ticket": "T-1",
                           "row_version": 1, "v": 1}.items():
            self.assertEqual(record.get(key), value, key)
        self.assertRegex(record["row_sha256"], r"^[0-9a-f]{64}$")
        self.assertRegex(record["policy"], r"^[0-9a-f]{64}$")
        for value in fields.values():
            self.assertNotIn(value, str(record))

    def test_a_phone_is_stored_in_one_form(self):
        fields = PEOPLE.few()
        for given in ("13912340001", "0086 139 1234 0001", "+86 139-1234-0001"):
            self.create({**PEOPLE.few(), "phone": given})
        self.create({**fields, "phone": "+8613912340001"})
        found = self.expect(self.desk.post("/v1/customers:search", {"where": {"phone": "139 1234 0001"}}), 200)
        self.assertEqual(len(found["data"]), 4)

    def test_the_policy_decides_who_may_create(self):
        for certificate, purpose in (("analytics", "analytics"), ("service-desk", "support"), ("stranger", "onboarding"), ("admin", "onboarding")):
            with self.subTest(certificate):
                reply = self.client(certificate, purpose).post("/v1/customers", {"fields": PEOPLE.few()})
                self.expect(reply, 403, "policy_denied")
                self.assertIn("Audit-Record", reply.headers)


class Read(Api):
    def setUp(self):
        super().setUp()
        self.fields = PEOPLE.fields()
        self.made = self.create(self.fields)

    def test_without_fields_a_customer_is_its_tokens(self):
        reply = self.core.get("/v1/customers/" + self.made["customer"])
        got = self.expect(reply, 200)
        self.assertEqual((got["customer"], got["version"]), (self.made["customer"], 1))
        self.assertEqual({n: f["token"] for n, f in got["fields"].items()}, {n: f["token"] for n, f in self.made["fields"].items()})
        self.assertFalse([f for f in got["fields"].values() if "value" in f])
        self.assertEqual(reply.headers["ETag"], self.last.headers["ETag"])

    def test_best_gives_each_field_in_the_form_that_policy_allows(self):
        customer = self.found_by_desk(self.fields)
        got = self.expect(self.desk.get(f"/v1/customers/{customer}?fields=email,phone,bank_card,birth_date&form=best"), 200)
        email, phone = self.fields["email"], self.fields["phone"]
        self.assertEqual(got["customer"], customer)
        self.assertEqual(got["fields"]["email"]["form"], "masked")
        self.assertEqual(got["fields"]["email"]["value"], email[0] + "***@example.com")
        self.assertRegex(got["fields"]["email"]["token"], TOKEN)
        self.assertEqual((got["fields"]["phone"]["form"], got["fields"]["phone"]["value"]), ("plain", phone))
        self.assertEqual(got["fields"]["bank_card"], {"form": "deny", "code": "policy_denied"})
        self.assertEqual(got["fields"]["birth_date"]["value"], self.fields["birth_date"][:4])
        self.assertEqual(list(got["fields"]), ["email", "phone", "bank_card", "birth_date"])

    def test_masked_is_never_more_than_masked(self):
        customer = self.found_by_desk(self.fields)
        got = self.expect(self.desk.get(f"/v1/customers/{customer}?fields=phone,name,resident_id,address&form=masked"), 200)["fields"]
        self.assertEqual((got["phone"]["form"], got["phone"]["value"]), ("masked", "138****" + self.fields["phone"][-4:]))
        self.assertEqual(got["name"]["form"], "masked")
        self.assertTrue(got["name"]["value"].startswith(self.fields["name"][0] + "*"), got["name"])
        self.assertNotIn(self.fields["resident_id"][6:14], got["resident_id"]["value"])
        self.assertNotIn("西湖区", str(got["address"]))
        self.assertIn("杭州市", str(got["address"]))

    def test_plain_asked_for_is_no_way_around_policy(self):
        customer = self.found_by_desk(self.fields)
        got = self.expect(self.desk.get(f"/v1/customers/{customer}?fields=email,resident_id&form=plain"), 200)["fields"]
        self.assertEqual([f["form"] for f in got.values()], ["masked", "masked"])
        self.assertNotIn(self.fields["email"], str(got))

    def test_the_record_says_which_field_was_given_in_which_form(self):
        customer = self.found_by_desk(self.fields)
        reply = self.desk.get(f"/v1/customers/{customer}?fields=email,phone,bank_card&form=best")
        record = self.record(reply)
        self.assertEqual(record["asked"], "best")
        self.assertEqual(record["given"], {"deny": [10], "masked:email": [1], "plain": [2]})
        self.assertEqual((record["activity"], record["purpose"], record["row_version"]), ("read", "support", 1))
        self.assertTrue(record["rules"])

    def test_the_same_person_has_one_sref_in_every_callers_records(self):
        mine = self.record(self.core.get("/v1/customers/" + self.made["customer"]))
        theirs = self.record(self.desk.get(f"/v1/customers/{self.found_by_desk(self.fields)}?fields=phone"))
        self.assertEqual(mine["sref"], theirs["sref"])

    def test_a_field_that_the_customer_lacks_is_null(self):
        fields = PEOPLE.few()
        self.create(fields)
        got = self.expect(self.desk.get(f"/v1/customers/{self.found_by_desk(fields)}?fields=phone,wechat"), 200)
        self.assertIsNone(got["fields"]["wechat"])

    def test_tokens_of_two_audiences_can_not_be_joined(self):
        theirs = self.found_by_desk(self.fields)
        self.assertNotEqual(theirs, self.made["customer"])
        self.expect(self.desk.get("/v1/customers/" + self.made["customer"]), 404, "not_found")
        self.expect(self.core.get("/v1/customers/" + theirs), 404, "not_found")

    def test_unknown_forged_mistyped_and_foreign_tokens(self):
        good = self.made["customer"]
        wrong = good[:-1] + ("q" if good[-1] != "q" else "p")
        self.expect(self.core.get("/v1/customers/" + wrong), 400, "bad_token")
        self.expect(self.core.get("/v1/customers/" + self.made["fields"]["email"]["token"]), 400, "bad_token")
        self.expect(self.core.get("/v1/customers/cus1"), 400, "bad_token")
        foreign = self.desk.get("/v1/customers/" + good)
        self.expect(foreign, 404, "not_found")
        self.assertIn("Audit-Record", foreign.headers)

    def test_bad_parameters_are_named(self):
        base = "/v1/customers/" + self.made["customer"]
        for query, code in (("?fields=email&form=raw", "bad_parameter"), ("?fields=nope", "unknown_field"), ("?fields=", "bad_parameter"),
                            ("?fields=email,email", "bad_parameter"), ("?field=email", "bad_parameter"), ("?form=plain", "bad_parameter"),
                            ("?fields=email&fields=phone", "bad_parameter"), ("?fields=order", "unknown_field")):
            with self.subTest(query):
                self.expect(self.core.get(base + query), 400, code)

    def test_a_purpose_is_needed_and_must_be_declared(self):
        self.expect(self.core.get("/v1/customers/" + self.made["customer"], purpose=""), 400, "purpose_required")
        self.expect(self.core.get("/v1/customers/" + self.made["customer"], purpose="curiosity"), 400, "unknown_purpose")

    def test_the_wrong_purpose_gives_nothing(self):
        customer = self.found_by_desk(self.fields)
        got = self.expect(self.desk.get(f"/v1/customers/{customer}?fields=phone,email", purpose="marketing"), 200)
        self.assertEqual({f["form"] for f in got["fields"].values()}, {"deny"})

    def test_consent_that_nobody_gave_is_missing(self):
        campaigns = self.client("campaigns", "marketing")
        translated = self.expect(self.core.post("/v1/tokens:translate", {"tokens": [self.made["customer"]], "audience": "campaigns"}), 200)
        self.assertIn("error", translated["results"][0], "crm-core has no right to translate")
        self.expect(campaigns.post("/v1/customers:search", {"where": {"email": self.fields["email"]}}), 403, "policy_denied")


class Batch(Api):
    def post(self, mode, items, **kwargs):
        self.last = self.core.post("/v1/customers:batch", {"mode": mode, "items": items}, **kwargs)
        return self.last

    def test_partial_gives_a_result_an_item_in_order(self):
        items = [{"fields": PEOPLE.few()}, {"fields": {"email": "not an address"}}, {"fields": {"nope": 1}}, {"fields": PEOPLE.few()}]
        results = self.expect(self.post("partial", items), 200)["results"]
        self.assertEqual([r["index"] for r in results], [0, 1, 2, 3])
        self.assertRegex(results[0]["customer"], CUSTOMER)
        self.assertEqual(results[0]["version"], 1)
        self.assertRegex(results[3]["fields"]["email"]["token"], TOKEN)
        self.assertEqual([results[1]["error"]["code"], results[2]["error"]["code"]], ["invalid_value", "unknown_field"])
        self.assertEqual(results[1]["error"]["pointer"], "/fields/email")

    def test_atomic_does_all_or_nothing(self):
        before = V.cluster.sql("SELECT count(*) FROM vault.customer")
        reply = self.post("atomic", [{"fields": PEOPLE.few()}, {"fields": {"email": "not an address"}}])
        self.expect(reply, 422, "invalid_value")
        self.assertEqual(reply.json["errors"][0]["pointer"], "/items/1/fields/email")
        self.assertEqual(V.cluster.sql("SELECT count(*) FROM vault.customer"), before)

    def test_a_thousand_go_and_one_more_does_not(self):
        people_ = [{"fields": {"email": f"bulk{i}@example.com"}} for i in range(1000)]
        results = self.expect(self.post("atomic", people_), 200)["results"]
        self.assertEqual(len({r["customer"] for r in results}), 1000)
        first, _, more = self.last.headers["Audit-Record"].partition("+")
        self.assertEqual(more, "999")
        self.expect(self.post("atomic", people_ + people_[:1]), 400, "limit_exceeded")

    def test_the_same_reference_twice_fails_its_item(self):
        results = self.expect(self.post("partial", [{"fields": PEOPLE.few(), "external_ref": "twice"}] * 2), 200)["results"]
        self.assertIn("customer", results[0])
        self.assertEqual(results[1]["error"]["code"], "external_ref_taken")


class ByReference(Api):
    def test_put_creates_then_updates(self):
        fields = PEOPLE.few()
        first = self.core.put("/v1/customers:by-ref", {"external_ref": "ref-1", "fields": fields})
        made = self.expect(first, 201)
        again = self.expect(self.core.put("/v1/customers:by-ref", {"external_ref": "ref-1", "fields": {"email": "new@example.com"}}), 200)
        self.assertEqual((again["customer"], again["version"]), (made["customer"], 2))
        got = self.expect(self.core.get("/v1/customers/" + made["customer"]), 200)
        self.assertEqual(set(got["fields"]), set(fields), "fields that were not named stay")
        self.assertEqual(got["external_ref"], "ref-1")

    def test_a_reference_belongs_to_one_audience(self):
        self.create(PEOPLE.few(), external_ref="ref-2")
        self.expect(self.core.post("/v1/customers", {"fields": PEOPLE.few(), "external_ref": "ref-2"}), 409, "external_ref_taken")
        found = self.expect(self.desk.post("/v1/customers:search", {"where": {"external_ref": "ref-2"}}), 200)
        self.assertEqual(found["data"], [])

    def test_without_a_reference_it_is_refused(self):
        self.expect(self.core.put("/v1/customers:by-ref", {"fields": PEOPLE.few()}), 422, "invalid_value")


class Patch(Api):
    def setUp(self):
        super().setUp()
        self.fields = PEOPLE.fields()
        self.made = self.create(self.fields)
        self.path = "/v1/customers/" + self.made["customer"]
        self.etag = self.last.headers["ETag"]

    def patch(self, fields, etag):
        return self.core.patch(self.path, {"fields": fields}, headers={"If-Match": etag})

    def test_it_changes_adds_and_removes(self):
        reply = self.patch({"email": "changed@example.com", "wechat": None, "passport": "E12345678"}, self.etag)
        self.assertEqual(self.expect(reply, 200)["version"], 2)
        self.assertNotEqual(reply.headers["ETag"], self.etag)
        got = self.expect(self.core.get(self.path), 200)
        self.assertEqual(set(got["fields"]), (set(self.fields) | {"passport"}) - {"wechat"})
        for value, hits in ((self.fields["email"], 0), ("changed@example.com", 1)):
            found = self.expect(self.core.post("/v1/customers:search", {"where": {"email": value}}), 200)
            self.assertEqual(len(found["data"]), hits, value)

    def test_a_token_survives_a_change_and_leads_to_the_new_value(self):
        self.expect(self.patch({"phone": "+8613700000001"}, self.etag), 200)
        customer = self.found_by_desk(self.fields)
        got = self.expect(self.desk.get(f"{'/v1/customers/' + customer}?fields=phone&form=best"), 200)
        self.assertEqual(got["fields"]["phone"]["value"], "+8613700000001")
        token = self.expect(self.core.get(self.path), 200)["fields"]["phone"]["token"]
        self.assertEqual(token, self.made["fields"]["phone"]["token"])

    def test_it_needs_the_current_version(self):
        self.expect(self.core.patch(self.path, {"fields": {"email": "a@example.com"}}), 428, "if_match_required")
        self.expect(self.patch({"email": "b@example.com"}, '"0123"'), 412, "version_mismatch")
        self.expect(self.patch({"email": "c@example.com"}, self.etag), 200)
        self.expect(self.patch({"email": "d@example.com"}, self.etag), 412, "version_mismatch")

    def test_bad_values_change_nothing(self):
        for fields, status, code in (({"email": "x"}, 422, "invalid_value"), ({"nope": "x"}, 400, "unknown_field"),
                                     ({"resident_id": "330106199001010000"}, 422, "check_digit"), ({}, 400, "malformed_request")):
            with self.subTest(fields=fields):
                self.expect(self.patch(fields, self.etag), status, code)
        self.assertEqual(self.core.get(self.path).headers["ETag"], self.etag)


class Tokens(Api):
    def setUp(self):
        super().setUp()
        self.people = [PEOPLE.fields() for _ in range(3)]
        for fields in self.people:
            self.create(fields)
        self.views = []
        for fields in self.people:
            path = f"/v1/customers/{self.found_by_desk(fields)}"
            self.views.append(self.expect(self.desk.get(path), 200)["fields"])

    def test_order_is_kept_customers_are_mixed_and_each_has_a_result(self):
        tokens = [self.views[2]["phone"]["token"], self.views[0]["email"]["token"], "tok1qqqq", self.views[1]["phone"]["token"],
                  self.views[0]["phone"]["token"]]
        reply = self.desk.post("/v1/tokens:detokenize", {"tokens": tokens, "form": "plain"})
        results = self.expect(reply, 200)["results"]
        self.assertEqual([r["index"] for r in results], [0, 1, 2, 3, 4])
        self.assertEqual(results[0], {"index": 0, "form": "plain", "value": self.people[2]["phone"]})
        self.assertEqual(results[1], {"index": 1, "form": "masked", "value": self.people[0]["email"][0] + "***@example.com"})
        self.assertEqual(results[2], {"index": 2, "error": {"code": "bad_token"}})
        self.assertEqual(results[4]["value"], self.people[0]["phone"])
        self.assertEqual(len(audit_log.ids_of(reply.headers["Audit-Record"])), 4, "one a customer, one for what led nowhere")

    def test_a_token_of_another_audience_is_not_found_and_counted(self):
        mine = self.create(PEOPLE.few())["fields"]["email"]["token"]
        before = V.metric("vault_token_foreign_total")
        results = self.expect(self.desk.post("/v1/tokens:detokenize", {"tokens": [mine]}), 200)["results"]
        self.assertEqual(results, [{"index": 0, "error": {"code": "not_found"}}])
        self.assertEqual(V.metric("vault_token_foreign_total"), before + 1)

    def test_limits_refuse(self):
        token = self.views[0]["phone"]["token"]
        results = self.expect(self.desk.post("/v1/tokens:detokenize", {"tokens": [token] * 1000}), 200)["results"]
        self.assertEqual(len(results), 1000)
        self.expect(self.desk.post("/v1/tokens:detokenize", {"tokens": [token] * 1001}), 400, "limit_exceeded")

    def test_revoked_tokens_lead_nowhere_and_new_ones_do(self):
        made = self.create(PEOPLE.few())
        path = f"/v1/customers/{made['customer']}"
        self.expect(self.core.post(path + "/tokens:revoke"), 200)
        self.expect(self.core.get(path), 404, "not_found")
        token = made["fields"]["email"]["token"]
        results = self.expect(self.core.post("/v1/tokens:detokenize", {"tokens": [token]}), 200)["results"]
        self.assertEqual(results[0]["error"]["code"], "not_found")


class Search(Api):
    def test_equality_over_the_index_of_a_normalised_value(self):
        fields = {**PEOPLE.few(), "email": "Search.Me@EXAMPLE.com"}
        self.create(fields)
        for value in ("Search.Me@EXAMPLE.com", "search.me@example.com"):
            found = self.expect(self.desk.post("/v1/customers:search", {"where": {"email": value}, "limit": 50}), 200)
            self.assertEqual(len(found["data"]), 1, value)
            self.assertRegex(found["data"][0]["customer"], CUSTOMER)
            self.assertIsNone(found["next"])

    def test_several_conditions_are_combined(self):
        one, two = PEOPLE.few(), PEOPLE.few()
        two["phone"] = one["phone"]
        self.create(one)
        self.create(two)
        both = self.expect(self.desk.post("/v1/customers:search", {"where": {"phone": one["phone"]}}), 200)["data"]
        self.assertEqual(len(both), 2)
        narrowed = self.expect(self.desk.post("/v1/customers:search", {"where": {"phone": one["phone"], "email": two["email"]}}), 200)["data"]
        self.assertEqual(len(narrowed), 1)
        self.assertIn(narrowed[0], both)

    def test_pages_are_complete_without_repeats(self):
        for _ in range(7):
            self.create({**PEOPLE.few(), "phone": "+8613600000007"})
        seen, cursor = [], None
        while True:
            body = {"where": {"phone": "+8613600000007"}, "limit": 3, **({"cursor": cursor} if cursor else {})}
            page = self.expect(self.desk.post("/v1/customers:search", body), 200)
            self.assertLessEqual(len(page["data"]), 3)
            seen += [c["customer"] for c in page["data"]]
            cursor = page["next"]
            if cursor is None:
                break
        self.assertEqual((len(seen), len(set(seen))), (7, 7))

    def test_a_cursor_is_bound_to_its_query_and_caller(self):
        for _ in range(3):
            self.create({**PEOPLE.few(), "phone": "+8613600000008"})
        body = {"where": {"phone": "+8613600000008"}, "limit": 1}
        cursor = self.expect(self.desk.post("/v1/customers:search", body), 200)["next"]
        self.expect(self.core.post("/v1/customers:search", {**body, "cursor": cursor}), 400, "bad_cursor")
        self.expect(self.desk.post("/v1/customers:search", {"where": {"phone": "+8613600000009"}, "cursor": cursor}), 400, "bad_cursor")
        self.expect(self.desk.post("/v1/customers:search", {**body, "cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")}), 400, "bad_cursor")

    def test_what_can_not_be_searched_is_refused(self):
        self.expect(self.core.post("/v1/customers:search", {"where": {"gender": "male"}}), 422, "not_indexed")
        self.expect(self.desk.post("/v1/customers:search", {"where": {"resident_id": "330106199001010000"}}), 422, "check_digit")
        right = people.resident_id("33010619900101000")
        self.expect(self.desk.post("/v1/customers:search", {"where": {"resident_id": right}}), 403, "policy_denied")
        self.expect(self.desk.post("/v1/customers:search", {"where": {}}), 400, "malformed_request")
        self.expect(self.desk.post("/v1/customers:search", {"where": {"email": "a@example.com"}, "limit": 201}), 400, "limit_exceeded")


class Idempotency(Api):
    def test_the_same_key_makes_one_customer(self):
        body = {"fields": PEOPLE.few()}
        first = self.core.post("/v1/customers", body, headers={"Idempotency-Key": "k-1"})
        again = self.core.post("/v1/customers", body, headers={"Idempotency-Key": "k-1"})
        self.assertEqual(self.expect(first, 201), self.expect(again, 201))
        self.expect(self.core.post("/v1/customers", {"fields": PEOPLE.few()}, headers={"Idempotency-Key": "k-1"}), 422, "idempotency_reuse")

    def test_a_key_belongs_to_its_caller(self):
        body = {"fields": PEOPLE.few()}
        made = self.expect(self.core.post("/v1/customers", body, headers={"Idempotency-Key": "k-2"}), 201)
        reply = self.desk.post("/v1/customers", body, headers={"Idempotency-Key": "k-2"})
        self.expect(reply, 403, "policy_denied")
        self.assertNotIn(made["customer"].encode(), reply.body)

    def test_reading_posts_ignore_it(self):
        body = {"where": {"email": "nobody@example.com"}}
        for _ in range(2):
            self.expect(self.desk.post("/v1/customers:search", body, headers={"Idempotency-Key": "k-3"}), 200)
        self.expect(self.desk.post("/v1/customers:search", {"where": {"email": "x@example.com"}}, headers={"Idempotency-Key": "k-3"}), 200)


if __name__ == "__main__":
    vault.main()
