"""Exports: all of a customer's data in one archive, sealed until it is fetched."""
import csv
import hashlib
import html
import io
import json
import os
import pathlib
import re
import unittest
import zipfile

import test_api
import test_openapi
import test_rights
import vault


def setUpModule():
    test_rights.setUpModule()


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


class Export(test_rights.Rights):
    def fetch(self, request, client=None):
        parts = []
        for part in range(request["total"]):
            reply = (client or self.desk).get(f"/v1/rights-requests/{request['id']}/export?part={part}")
            self.assertEqual(reply.status, 200, reply)
            self.assertIn("Audit-Record", reply.headers)
            parts.append(reply.body)
        return b"".join(parts)

    def exported(self, **more):
        return self.wait(self.approved("export", **more), "completed", "failed")

    def opened(self, request):
        archive = zipfile.ZipFile(io.BytesIO(self.fetch(request)))
        self.assertIsNone(archive.testzip())
        return {name: archive.read(name) for name in archive.namelist()}

    def data_of(self, request):
        """data.json, which fits its schema."""
        files = self.opened(request)
        data, schema = json.loads(files["data.json"]), json.loads(files["schema.json"])
        self.assertEqual(schema.pop("$schema"), "https://json-schema.org/draft/2020-12/schema")
        schema.pop("title")
        self.assertEqual(test_openapi.Description(schema).faults(schema, data), [])
        return files, data, schema

    def filled(self):
        """A customer with something of every kind; what the service desk has seen of it; a hold that may be told, and one that may not."""
        self.expect(self.one.put("/v1/notices/told", {"texts": {"en": "We <write> to you.", "zh": "我们会写信给您。"}}), None)
        self.expect(self.client("admin").put("/v1/purposes/telling", {"title": "Telling", "legal_basis": "consent", "notice": "told"}), None)
        for order in ({"sku": "=cmd()", "html": "<b>&", "n": -1}, {"sku": "say \"hi\"\n第二行", "lines": [{"a": 1}, {"b": None}], "paid": True}):
            self.expect(self.core.post(self.path + "/records/order", {"data": order}), 201)
        self.expect(self.core.put(self.path + "/consents/telling", {"decision": "given", "channel": "web", "evidence": "scan-9", "notice_version": 1}), 200)
        self.expect(self.core.put(self.path + "/consents/marketing", {"decision": "refused", "channel": "web"}), 200)
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}/records/order"), 200)
        token = self.expect(self.one.get("/v1/rights-requests/" + self.open("object", scope={"purposes": ["segmentation"]})["id"]), 200)["request"]["customer"]
        for told in (True, False):
            hold = {"customer": token, "scope": {"records": ["order"]}, "reason": "taxes" if told else "investigation", "law": "HGB 257", "until": "2099-01-01T00:00:00Z"}
            made = self.expect(self.one.post("/v1/holds", {**hold, "may_be_told": True} if told else hold), 201)
            self.assertEqual(made["may_be_told"], told)
            self.expect(self.two.post(f"/v1/holds/{made['id']}:confirm"), 200)

    def expect(self, reply, status, code=None):
        if status is None:
            self.assertIn(reply.status, (200, 201), reply)
            return reply.json
        return super().expect(reply, status, code)

    def test_an_archive_holds_all_and_says_who_received_it(self):
        other = test_api.PEOPLE.fields()
        self.create(other)
        self.filled()
        request = self.exported()
        self.assertEqual(request["state"], "completed", request)
        files, data, schema = self.data_of(request)
        self.assertEqual(set(files), {"data.json", "schema.json", "fields.csv", "records/order.csv", "index.html", "manifest.json"})
        self.assertEqual({k: v for k, v in data["fields"].items() if k in ("email", "name")}, {k: self.fields[k] for k in ("email", "name")})
        self.assertEqual(set(data["fields"]), set(self.fields))
        self.assertEqual([r["data"]["sku"] for r in data["records"]["order"]], ["say \"hi\"\n第二行", "=cmd()"])
        self.assertEqual([(c["purpose"], c["event"], c.get("notice"), c.get("personal")) for c in data["consents"]],
                         [("telling", "given", "told", {"evidence": "scan-9"}), ("marketing", "refused", None, None)])
        self.assertEqual([(n["name"], n["version"], n["texts"]["zh"]) for n in data["notices"]], [("told", 1, "我们会写信给您。")])
        self.assertEqual([h["reason"] for h in data["holds"]], ["taxes"])
        seen = [(d["recipient"], d["purpose"], d["fields"], d["records"]) for d in data["disclosures"]]
        desk = "spiffe://crm.example/svc/service-desk"
        self.assertEqual(seen, [(desk, "support", [], ["order"]), (desk, "support", ["phone"], [])])
        self.assertEqual([r["kind"] for r in data["rights_requests"]], ["export", "object"])
        del data["fields"], data["holds"][0]["law"]
        self.assertEqual(len(test_openapi.Description(schema).faults(schema, data)), 2, "the schema does not notice what is missing")
        for text in files.values():
            self.assertNotIn(other["email"].encode(), text)
            self.assertNotIn(b"investigation", text)
        manifest = json.loads(files["manifest.json"])["document"]
        self.assertEqual({f["name"]: f["sha256"] for f in manifest["files"]},
                         {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "manifest.json"})
        file = vault.folder() / "manifest.json"
        file.write_bytes(files["manifest.json"])
        key = self.expect(self.core.get("/v1/signing-key"), 200)["key"]
        self.assertEqual(test_api.V.ctl("export", "verify", file, "--public-key", key).returncode, 0)

    def test_the_page_is_for_people_in_english_and_chinese(self):
        self.filled()
        files = self.opened(self.exported())
        if os.environ.get("KEEP_ARCHIVE"):  # to look at it in a browser
            pathlib.Path(os.environ["KEEP_ARCHIVE"]).write_bytes(files["index.html"])
        page = files["index.html"].decode()
        text = html.unescape(re.sub(r"<[^>]*>", "", page))
        self.assertNotIn("<script", page)
        self.assertIn("&lt;b&gt;&amp;", page)
        for words in (self.fields["email"], "Your data", "您的数据", "我们会写信给您。", "We <write> to you.", "say \"hi\"\n第二行", "同意", "taxes", "电子邮箱", "订单"):
            self.assertIn(words, text)

    def test_the_csv_has_a_column_for_each_member_and_values_as_they_are(self):
        self.filled()
        files = self.opened(self.exported())
        rows = list(csv.DictReader(io.StringIO(files["records/order.csv"].decode(), newline="")))
        self.assertEqual([(r["sku"], r["html"], r["n"], r["lines"], r["paid"]) for r in rows],
                         [("say \"hi\"\n第二行", "", "", '[{"a":1},{"b":null}]', "true"), ("'=cmd()", "<b>&", "-1", "", "")])
        fields = dict(csv.reader(io.StringIO(files["fields.csv"].decode(), newline="")))
        self.assertEqual(fields["phone"], self.fields["phone"], "a telephone number is no formula")
        self.assertEqual(fields["name"], self.fields["name"])

    def test_members_beyond_the_columns_are_kept(self):
        for n in range(3):
            self.expect(self.core.post(self.path + "/records/order", {"data": {f"m{n}_{i}": i for i in range(60)}}), 201)
        rows = list(csv.DictReader(io.StringIO(self.opened(self.exported())["records/order.csv"].decode(), newline="")))
        self.assertEqual(len(rows[0]), 102)
        for row in rows:
            found = {k: int(v) for k, v in row.items() if v and k not in ("created_at", "(more)")}
            found.update(json.loads(row["(more)"] or "{}"))
            self.assertEqual(sorted(found.values()), sorted(range(60)))

    def test_what_other_systems_call_the_customer_is_in_it(self):
        fields = test_api.PEOPLE.fields()
        self.create(fields, external_ref="crm-77", source="web shop")
        self.seen_by_desk = self.found_by_desk(fields)
        data = self.data_of(self.exported())[1]
        self.assertEqual((data["external_refs"], data["source"]), ({"crm_core": "crm-77"}, "web shop"))
        self.assertEqual(set(data["fields"]), set(fields))

    def test_that_a_hold_is_in_the_way_is_not_told_by_the_state_of_a_request(self):
        self.filled()
        self.wait(self.approved("erase"), "on_hold")
        data = self.data_of(self.exported())[1]
        self.assertEqual([r["state"] for r in data["rights_requests"] if r["kind"] == "erase"], ["running"])

    def test_more_than_a_page_of_requests_is_in_it(self):
        for n in range(210):
            self.move(self.desk, self.open("rectify", scope={"fields": ["email"]}), "cancel")
        self.assertEqual(len(self.data_of(self.exported())[1]["rights_requests"]), 211)

    def test_formulas_are_no_formulas_in_the_csv(self):
        self.expect(self.core.patch(self.path, {"fields": {"wechat": "=1+1"}}, headers={"If-Match": "*"}), 200)
        self.assertIn(b'"wechat","\'=1+1"', self.opened(self.exported())["fields.csv"])

    def test_only_the_requester_and_officers_fetch_it_and_not_after_an_erasure(self):
        request = self.exported()
        path = f"/v1/rights-requests/{request['id']}/export"
        self.expect(self.client("crm-core", "onboarding").get(path), 403, "policy_denied")
        self.assertEqual(self.one.get(path).status, 200)
        self.expect(self.desk.get(path + "?part=99"), 404, "not_found")
        stored = test_api.V.cluster.sql("SELECT count(*) FROM vault.export_chunk WHERE encode(sealed, 'escape') LIKE '%%PK%%index.html%%'")
        self.assertEqual(stored[0][0], "0")
        self.wait(self.approved("erase"), "completed")
        self.expect(self.desk.get(path), 410, "erased")

    def test_an_archive_is_kept_for_fourteen_days(self):
        request = self.exported()
        test_api.V.cluster.sql("DELETE FROM vault.export_chunk")
        self.expect(self.desk.get(f"/v1/rights-requests/{request['id']}/export"), 410, "expired")

    def test_the_command_line_fetches_it(self):
        request = self.exported()
        file = vault.folder() / "archive.zip"
        got = test_api.V.ctl("export", "get", request["id"], file, certificate="service-desk")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn("data.json", zipfile.ZipFile(file).namelist())

    def test_many_records_take_no_more_memory(self):
        for n in range(250):
            self.expect(self.core.post(self.path + "/records/order", {"data": {"n": n, "text": "x" * 4000}}), 201)
        before = resident_kb(test_api.V.pid())
        request = self.exported()
        self.assertEqual(len(json.loads(self.opened(request)["data.json"])["records"]["order"]), 250)
        self.assertLess(resident_kb(test_api.V.pid()) - before, 16 * 1024)


del test_openapi.OpenApi, test_rights.Erasure, test_rights.Ledger, test_rights.Approval, test_rights.Jobs  # they are run by their own script

if __name__ == "__main__":
    unittest.main()
