"""Exports: all of a customer's data in one archive, sealed until it is fetched."""
import csv
import hashlib
import html
import io
import json
import os
import pathlib
import re
import ssl
import time
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

    def test_a_changed_reference_in_the_database_shows_nobody_elses_recipients(self):
        other = self.found_by_desk_of_another()
        self.expect(self.desk.get(f"/v1/customers/{other}?fields=name&form=best"), 200)
        request = self.submitted("export")
        test_api.V.cluster.sql("UPDATE vault.rights_request SET sref = (SELECT sref FROM vault.rights_request ORDER BY request DESC OFFSET 1 LIMIT 1) "
                               "WHERE request = (SELECT max(request) FROM vault.rights_request)")
        request = self.move(self.one, request, "approve", {"scope_hash": request["scope_hash"]})
        self.assertEqual(self.data_of(self.wait(request, "completed"))[1]["disclosures"], [])

    def found_by_desk_of_another(self):
        fields = test_api.PEOPLE.fields()
        self.create(fields)
        other = self.found_by_desk(fields)
        self.open("rectify", customer=other, scope={"fields": ["name"]})
        return other

    def test_more_than_a_page_of_requests_is_in_it(self):
        for n in range(210):
            self.move(self.desk, self.open("rectify", scope={"fields": ["email"]}), "cancel")
        self.assertEqual(len(self.data_of(self.exported())[1]["rights_requests"]), 211)

    def test_formulas_are_no_formulas_in_the_csv(self):
        self.expect(self.core.patch(self.path, {"fields": {"wechat": "=1+1"}}, headers={"If-Match": "*"}), 200)
        self.assertIn(b'"wechat","\'=1+1"', self.opened(self.exported())["fields.csv"])

    def certificate(self, name, *kind):
        pem, key = vault.folder() / (name + ".pem"), vault.folder() / (name + ".key")
        vault.run("openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-keyout", key, "-out", pem, "-subj", "/CN=recipient", check=True)
        return pem, key

    def test_an_archive_for_a_certificate_is_opened_by_its_key_alone(self):
        for name, kind in (("rsa", ("rsa:2048",)), ("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"))):
            pem, key = self.certificate(name, *kind)
            request = self.exported(recipient=pem.read_text())
            fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest()
            self.assertEqual((request["state"], request["recipient"]), ("completed", fingerprint))
            enclosed = self.fetch(request)
            self.assertNotIn(b"data.json", enclosed)
            file, out = vault.folder() / "archive.cms", vault.folder() / "archive.zip"
            file.write_bytes(enclosed)
            vault.run("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file, "-recip", pem, "-inkey", key, "-out", out, check=True)
            self.assertEqual(json.loads(zipfile.ZipFile(out).read("data.json"))["fields"]["email"], self.fields["email"])
            self.move(self.desk, self.open("export"), "cancel")

    def test_a_request_is_opened_for_a_certificate_on_the_command_line(self):
        pem, key = self.certificate("by_ctl", "rsa:2048")
        opened = test_api.V.ctl("request", "open", self.seen_by_desk, "export", "--recipient", pem, "--purpose", "support", "--json", certificate="service-desk")
        self.assertEqual(opened.returncode, 0, opened.stderr)
        self.assertEqual(json.loads(opened.stdout)["recipient"], hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest())
        self.assertEqual(test_api.V.ctl("request", "open", self.seen_by_desk, "export", "--recipient", key, "--purpose", "support", certificate="service-desk").returncode, 1)

    def test_an_approval_is_of_the_certificate_too(self):
        one = self.open("export", recipient=self.certificate("one", "rsa:2048")[0].read_text())
        self.move(self.desk, one, "cancel")
        other = self.open("export", recipient=self.certificate("other", "rsa:2048")[0].read_text())
        self.move(self.desk, other, "cancel")
        plain = self.open("export")
        self.assertEqual(len({r["scope_hash"] for r in (one, other, plain)}), 3)

    def test_certificates_that_can_not_be_encrypted_to_are_refused(self):
        for bad in ("", "nonsense", 7, self.certificate("signer", "ed25519")[0].read_text(), self.certificate("weak", "rsa:1024")[0].read_text()):
            reply = self.desk.post("/v1/rights-requests", {"customer": self.seen_by_desk, "kind": "export", "recipient": bad})
            self.expect(reply, 400, "malformed_request")
            self.assertEqual(reply.json["errors"][0]["pointer"], "/recipient")
        self.open("erase", 400, "malformed_request", recipient=self.certificate("good", "rsa:2048")[0].read_text())

    def test_colleagues_of_the_requester_fetch_it_but_change_nothing(self):
        admin = self.client("admin")
        text = admin.get("/v1/policies").json["active"]["text"]
        self.addCleanup(admin.post, "/v1/policies:activate", {"text": text})
        more = re.sub(r"(?m)^(role service_desk\s+is )(\S+)", r"\1\2, spiffe://crm.example/svc/stranger", text)
        request = self.exported()
        path = f"/v1/rights-requests/{request['id']}"
        colleague = self.client("stranger")
        self.expect(colleague.get(path + "/export"), 403, "policy_denied")
        activated = admin.post("/v1/policies:activate", {"text": more})
        self.assertEqual(activated.status, 200, activated)
        self.assertEqual(colleague.get(path + "/export").status, 200)
        self.expect(colleague.get(path), 200)
        mine = self.open("rectify", scope={"fields": ["name"]})
        self.expect(colleague.post(f"/v1/rights-requests/{mine['id']}:cancel"), 404, "not_found")
        self.expect(self.client("crm-core").get(path + "/export"), 403, "policy_denied")

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

    def get(self, request, file, *more, **kwargs):
        return test_api.V.ctl("export", "get", request["id"], file, *more, certificate="service-desk", **kwargs)

    def large(self):
        """An archive of several parts: random text does not shrink."""
        for n in range(4):
            self.expect(self.core.post(self.path + "/records/order", {"data": {"text": os.urandom(30000).hex()}}), 201)
        request = self.exported()
        self.assertGreater(request["total"], 2)
        return request

    def test_the_command_line_fetches_it(self):
        request = self.exported()
        file = vault.folder() / "fetched.zip"
        got = self.get(request, file)
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn("data.json", zipfile.ZipFile(file).namelist())
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.get(request, file).returncode, 1, "what is there is not replaced")
        self.assertEqual(list(vault.folder().glob("fetched.zip.*")), [])

    def test_a_download_that_broke_off_goes_on_where_it_was(self):
        request = self.large()
        whole = self.fetch(request)
        file = vault.folder() / "resumed.zip"
        part = vault.folder() / f"resumed.zip.{request['id']}.part"
        part.write_bytes(whole[:65536 + 1000])  # the second part was cut
        part.chmod(0o600)
        before = self.downloads()
        got = self.get(request, file)
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn("goes on after 1 of", got.stderr)
        self.assertEqual(file.read_bytes(), whole)
        self.assertEqual(self.downloads() - before, request["total"] - 1, "each part that was fetched is recorded, and no other")
        part.write_bytes(whole)
        part.chmod(0o644)
        self.assertEqual(self.get(request, vault.folder() / "resumed.zip").returncode, 1)
        file.unlink()
        self.assertEqual(self.get(request, file).returncode, 1, "a file that others can read")

    def downloads(self):
        page = self.expect(self.client("security").get("/v1/audit/records?activity=export&limit=500"), 200)
        return sum(r.get("object") == "download" for r in page["data"])

    def test_the_command_line_keeps_what_came_when_the_vault_goes(self):
        request = self.large()
        file = vault.folder() / "kept.zip"
        test_api.V.cluster.sql("ALTER TABLE vault.export_chunk RENAME TO export_chunk_away; CREATE TABLE vault.export_chunk AS SELECT * FROM vault.export_chunk_away "
                               "WHERE chunk = 0; GRANT SELECT, INSERT, DELETE ON vault.export_chunk TO vault_service")
        try:
            got = self.get(request, file)
        finally:
            test_api.V.cluster.sql("DROP TABLE vault.export_chunk; ALTER TABLE vault.export_chunk_away RENAME TO export_chunk")
        self.assertNotEqual(got.returncode, 0)
        self.assertFalse(file.exists())
        self.assertIn("goes on with it", got.stderr)
        got = self.get(request, file)
        self.assertEqual((got.returncode, file.read_bytes() == self.fetch(request)), (0, True), got.stderr)

    def test_the_command_line_encrypts_to_a_certificate(self):
        (pem, key), (other, _) = self.certificate("mine", "rsa:2048"), self.certificate("theirs", "rsa:2048")
        clear, closed = self.exported(), None
        out = vault.folder() / "decrypted.zip"
        for n, request in enumerate((clear, closed)):
            request = request or self.exported(recipient=pem.read_text())
            file = vault.folder() / f"for_{n}.cms"
            got = self.get(request, file, "--recipient", other)
            self.assertEqual(got.returncode, 5 if n else 0, got.stderr)
            if not n:
                file.unlink()
            got = self.get(request, file, "--recipient", pem)
            self.assertEqual(got.returncode, 0, got.stderr)
            vault.run("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file, "-recip", pem, "-inkey", key, "-out", out, check=True)
            self.assertIsNone(zipfile.ZipFile(out).testzip())
        self.assertEqual(self.get(clear, vault.folder() / "x.cms", "--recipient", key).returncode, 2)

    def latencies(self, until, least=200):
        """Milliseconds of single reads, one after the other, until until() says so, with the highest resident set seen; at least so many."""
        times, peak = [], 0
        while len(times) < least or not until():
            began = time.monotonic()
            self.expect(self.desk.get(f"/v1/customers/{self.seen_by_desk}?fields=phone&form=plain"), 200)
            times.append(1000 * (time.monotonic() - began))
            peak = max(peak, resident_kb(test_api.V.pid()))
        times.sort()
        return {"reads": len(times), "median": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "max": times[-1], "peak_kb": peak}

    def test_many_records_take_no_more_memory_and_others_do_not_wait(self):
        """EXPORT_RECORDS=10000 for the full number; prints its figures with EXPORT_FIGURES."""
        records = int(os.environ.get("EXPORT_RECORDS", "600"))
        small = self.approved("export")
        self.wait(small, "completed")  # whatever is allocated once
        for n in range(records):
            self.expect(self.core.post(self.path + "/records/order", {"data": {"n": n, "text": f"{n:06d}" * int(os.environ.get("EXPORT_RECORD_WORDS", "150")), "items": [{"sku": f"s{n}", "price": n}]}}), 201)
        quiet = self.latencies(lambda: True)
        before = resident_kb(test_api.V.pid())
        request = self.approved("export")
        began = time.monotonic()
        busy = self.latencies(lambda: test_api.V.cluster.sql("SELECT max(state) FROM vault.rights_request WHERE request = (SELECT max(request) FROM vault.rights_request)")[0][0] == "6"
                              if time.monotonic() - began > 1 else False, 50)
        seconds = time.monotonic() - began
        request = self.wait(request, "completed")
        grown = max(busy["peak_kb"], resident_kb(test_api.V.pid())) - before
        if os.environ.get("EXPORT_FIGURES"):
            print(f"{records} records: {seconds:.1f} s, {request['total']} parts; resident {before} kB, grown at most {grown} kB; reads quiet {quiet}; during {busy}")
        self.assertLess(grown, 16 * 1024 * vault.SLOW)
        self.assertLess(busy["median"], 10 * quiet["median"] + 20, (quiet, busy))
        self.assertLess(busy["max"], 1000 * vault.SLOW, (quiet, busy))
        self.assertEqual(len(json.loads(self.opened(request)["data.json"])["records"]["order"]), records)


del test_openapi.OpenApi, test_rights.Erasure, test_rights.Ledger, test_rights.Approval, test_rights.Jobs  # they are run by their own script

if __name__ == "__main__":
    unittest.main()
