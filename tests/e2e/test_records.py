"""Records: repeated documents under a customer."""
import unittest

import vault
import test_api


def setUpModule():
    test_api.setUpModule()


class Records(test_api.Api):
    def setUp(self):
        super().setUp()
        self.fields = test_api.PEOPLE.few()
        self.path = f"/v1/customers/{self.create(self.fields)['customer']}/records/"
        self.desk_path = f"/v1/customers/{self.found_by_desk(self.fields)}/records/"

    def add(self, kind, data, **kwargs):
        return self.expect(self.core.post(self.path + kind, {"data": data}, **kwargs), 201)

    def test_what_was_added_is_read_back_newest_first(self):
        for i in range(5):
            made = self.add("order", {"order_no": f"A-{i}", "items": [{"sku": "x", "n": i}]})
            self.assertRegex(made["record"], test_api.RECORD)
        got = self.expect(self.desk.get(self.desk_path + "order"), 200)
        self.assertEqual([r["data"]["order_no"] for r in got["data"]], ["A-4", "A-3", "A-2", "A-1", "A-0"])
        self.assertEqual(got["data"][0]["data"], {"order_no": "A-4", "items": [{"sku": "x", "n": 4}]})
        self.assertRegex(got["data"][0]["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertIsNone(got["next"])

    def test_pages_hold_all_once(self):
        for i in range(5):
            self.add("complaint", {"n": i})
        seen, cursor = [], ""
        while cursor is not None:
            page = self.expect(self.desk.get(self.desk_path + "complaint?limit=2" + (f"&cursor={cursor}" if cursor else "")), 200)
            seen += [r["data"]["n"] for r in page["data"]]
            cursor = page["next"]
        self.assertEqual(seen, [4, 3, 2, 1, 0])
        self.expect(self.desk.get(self.desk_path + "complaint?limit=201"), 400, "limit_exceeded")
        self.expect(self.desk.get(self.desk_path + "complaint?cursor=abc"), 400, "bad_cursor")

    def test_a_caller_without_the_right_sees_none(self):
        self.add("survey", {"score": 9})
        self.expect(self.desk.get(self.desk_path + "survey"), 403, "policy_denied")
        listed = self.expect(self.core.get(self.path + "survey"), 200)
        self.assertNotIn("data", listed["data"][0], "crm-core may hold the token only")

    def test_one_is_deleted_and_only_that(self):
        first, second = self.add("order", {"n": 1})["record"], self.add("order", {"n": 2})["record"]
        self.assertIn(self.core.delete(f"{self.path}order/{first}").status, (200, 204))
        self.expect(self.core.delete(f"{self.path}order/{first}"), 404, "not_found")
        self.assertEqual([r["record"] for r in self.expect(self.core.get(self.path + "order"), 200)["data"]], [second])

    def test_a_record_of_another_customer_or_kind_is_not_found(self):
        record = self.add("order", {"n": 1})["record"]
        other = self.create(test_api.PEOPLE.few())["customer"]
        self.expect(self.core.delete(f"/v1/customers/{other}/records/order/{record}"), 404, "not_found")
        self.expect(self.core.delete(f"{self.path}complaint/{record}"), 404, "not_found")
        self.assertEqual(len(self.expect(self.core.get(self.path + "order"), 200)["data"]), 1)

    def test_the_same_key_adds_one_record(self):
        made = [self.add("order", {"n": 1}, headers={"Idempotency-Key": "rec-1"}) for _ in range(2)]
        self.assertEqual(made[0], made[1])
        reply = self.core.post(self.path + "complaint", {"data": {"n": 1}}, headers={"Idempotency-Key": "rec-1"})
        self.expect(reply, 422, "idempotency_reuse")

    def test_bad_records_are_refused(self):
        for path, body, status, code in (
                ("nope", {"data": {}}, 400, "unknown_kind"), ("email", {"data": {}}, 400, "unknown_kind"),
                ("order", {"data": 1}, 422, "invalid_value"), ("order", {"date": {}}, 400, "malformed_request"),
                ("order", {"data": {"x": "y" * 70000}}, 422, "value_too_long")):
            with self.subTest(path=path, code=code):
                self.expect(self.core.post(self.path + path, body), status, code)
        self.assertEqual(self.expect(self.core.get(self.path + "order"), 200)["data"], [])


if __name__ == "__main__":
    vault.main()
