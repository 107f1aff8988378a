"""Exports: all of a customer's data in one archive, sealed until it is fetched."""
import hashlib
import io
import json
import unittest
import zipfile

import test_api
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

    def test_an_archive_holds_all_and_says_who_received_it(self):
        other = test_api.PEOPLE.fields()
        self.create(other)
        self.expect(self.core.post(self.path + "/records/order", {"data": {"sku": "=cmd()", "html": "<b>&"}}), 201)
        self.expect(self.core.put(self.path + "/consents/marketing", {"decision": "given", "channel": "web", "evidence": "scan-9"}), 200)
        self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
        request = self.exported()
        self.assertEqual(request["state"], "completed", request)
        files = self.opened(request)
        self.assertEqual(set(files), {"data.json", "schema.json", "fields.csv", "order.csv", "index.html", "manifest.json"})
        data = json.loads(files["data.json"])
        self.assertEqual({k: v for k, v in data["fields"].items() if k in ("email", "name")}, {k: self.fields[k] for k in ("email", "name")})
        self.assertEqual(set(data["fields"]) - {"source", "external_ref"}, set(self.fields))
        self.assertEqual([r["data"]["sku"] for r in data["records"]["order"]], ["=cmd()"])
        self.assertEqual([(c["purpose"], c["event"], c["personal"]) for c in data["consents"]], [("marketing", "given", {"evidence": "scan-9"})])
        self.assertIn(("spiffe://crm.example/svc/service-desk", "support", ["phone"]), [(d["recipient"], d["purpose"], d["fields"]) for d in data["disclosures"]])
        self.assertEqual(data["rights_requests"][0]["kind"], "export")
        for name in ("required",):
            for member in json.loads(files["schema.json"])[name]:
                self.assertIn(member, data)
        page = files["index.html"].decode()
        self.assertIn("&lt;b&gt;&amp;", page)
        self.assertNotIn("<script", page)
        self.assertIn(self.fields["email"], page)
        self.assertIn("您的数据", page)
        for text in files.values():
            self.assertNotIn(other["email"].encode(), text)
        manifest = json.loads(files["manifest.json"])["document"]
        self.assertEqual({f["name"]: f["sha256"] for f in manifest["files"]},
                         {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "manifest.json"})
        file = vault.folder() / "manifest.json"
        file.write_bytes(files["manifest.json"])
        key = self.expect(self.core.get("/v1/signing-key"), 200)["key"]
        self.assertEqual(test_api.V.ctl("export", "verify", file, "--public-key", key).returncode, 0)

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


del test_rights.Erasure, test_rights.Ledger, test_rights.Approval, test_rights.Jobs  # they are run by their own script

if __name__ == "__main__":
    unittest.main()
