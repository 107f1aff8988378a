"""The officers' commands of vaultctl, and `make demo-rights`, which plays vault/app/RIGHTS.md line by line."""

import json
import os
import pty
import re
import sys
import threading
import time
import unittest

import people
import vault

OK, REFUSED, USAGE, UNREACHED, SERVER, FAILED = range(6)
PEOPLE = people.People(11, "ctl-officers")


class Demo(unittest.TestCase):
    def test_the_demo_plays_every_line_of_the_page_and_leaves_nothing_behind(self):
        temporary = vault.folder() / "t"
        temporary.mkdir(mode=0o711)
        done = vault.run(sys.executable, vault.ROOT / ".dev/demo_rights.py", timeout=240 * vault.SLOW, env=vault.clean_environment(TMPDIR=temporary))
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])
        typed = re.findall(r"(?m)^\$ (.*)$", done.stdout)
        page = (vault.ROOT / "vault/app/RIGHTS.md").read_text()
        written = [line for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines() if line]
        self.assertEqual(len(typed), len(written))
        for kind in ("export", "erase", "rectify", "restrict", "object"):
            self.assertTrue(any(f'request open "cus1' in line and f" {kind}" in line for line in typed), kind)
        self.assertIn("\non_hold\n", done.stdout)
        self.assertIn("The signature is good.", done.stdout)
        self.assertNotRegex(done.stdout, r"\$[A-Z]+", "each name was known")
        self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(processes_that_name(str(temporary)), [])


def processes_that_name(text):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                if entry.isdigit() and text.encode() in f.read():
                    found.append(entry)
        except OSError:
            pass
    return found


class Officers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("ctl-officers").start()
        cls.addClassCleanup(cls.vault.close)
        cls.core = cls.vault.client("crm-core", "onboarding")

    def ctl(self, code, *args, **kwargs):
        done = self.vault.ctl(*args, **kwargs)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        return done

    def customer(self):
        """(the core's token, the desk's token)"""
        fields = PEOPLE.few()
        made = self.core.post("/v1/customers", {"fields": fields}).json["customer"]
        found = self.vault.client("service-desk", "support").post("/v1/customers:search", {"where": {"email": fields["email"]}})
        return made, found.json["data"][0]["customer"]

    def open(self, customer, kind, *more):
        text = self.ctl(OK, "--purpose", "support", "--json", "request", "open", customer, kind, *more, certificate="service-desk").stdout
        return json.loads(text)

    def officer(self, *args, code=OK, who="compliance-1", **kwargs):
        return self.ctl(code, "--purpose", "rights", *args, certificate=who, **kwargs)

    def submitted(self, customer, kind, *more):
        request = self.open(customer, kind, *more)
        self.officer("request", "verify", request["id"])
        self.officer("request", "submit", request["id"], input="passport seen\n")
        return request

    def test_a_request_goes_its_way_on_the_command_line(self):
        core, desk = self.customer()
        request = self.submitted(desk, "erase", "--fields", "email", "--channel", "letter")
        self.assertEqual(request["scope"], {"fields": ["email"]})
        line = self.officer("request", "approve", request["id"], "--scope-hash", request["scope_hash"]).stdout
        self.assertRegex(line, r"^req1\w+  erase  awaiting_approval  1 of 2 officers  due 20\d\d-")
        listed = self.officer("request", "list", "--state", "awaiting_approval").stdout
        self.assertIn(request["id"], listed)
        self.officer("request", "approve", request["id"], "--scope-hash", "0" * 64, code=REFUSED, who="compliance-2")
        self.officer("request", "approve", request["id"], "--scope-hash", request["scope_hash"], who="compliance-2")
        watched = self.officer("request", "watch", request["id"], "--seconds", "60")
        self.assertTrue(watched.stderr.endswith("completed\n"), watched.stderr)
        shown = self.officer("request", "show", request["id"]).stdout
        self.assertIn("passport seen", shown)
        self.assertEqual(self.core.get("/v1/customers/" + core).json["fields"].get("email"), None)

    def test_an_approval_without_a_hash_is_asked_for_on_a_terminal_and_refused_elsewhere(self):
        _, desk = self.customer()
        request = self.submitted(desk, "export")
        self.officer("request", "approve", request["id"], code=USAGE, input="")
        for answer, code in (("no", REFUSED), ("yes", OK)):
            ours, theirs = pty.openpty()
            os.write(ours, (answer + "\n").encode())
            done = self.officer("request", "approve", request["id"], code=code, stdin=theirs)
            os.close(ours)
            os.close(theirs)
            self.assertIn("scope_hash", done.stdout)
        self.assertEqual(self.officer("request", "watch", request["id"]).returncode, OK)

    def test_opening_may_wait_for_the_end_and_a_denial_has_its_exit_code(self):
        _, desk = self.customer()
        result = {}

        def wait():
            result["done"] = self.vault.ctl("--purpose", "support", "request", "open", desk, "restrict", "--purposes", "support", "--wait", certificate="service-desk")
        waiter = threading.Thread(target=wait)
        waiter.start()
        vault.wait_until(lambda: desk_requests(self) != [], 20, "the request is there")
        request = desk_requests(self)[0]
        self.officer("request", "deny", request, code=REFUSED, *("--reason", "because"))
        self.officer("request", "deny", request, "--reason", "identity_not_proved")
        waiter.join()
        self.assertEqual(result["done"].returncode, FAILED, result["done"].stderr)
        self.assertEqual(result["done"].stdout.split(), [request])
        self.assertEqual(result["done"].stderr.split(), ["received", "denied"])

    def test_waiting_ends_by_its_time(self):
        _, desk = self.customer()
        request = self.open(desk, "export")
        began = time.monotonic()
        self.officer("request", "watch", request["id"], "--seconds", "1", code=UNREACHED)
        self.assertLess(time.monotonic() - began, 10 * vault.SLOW)

    def test_the_smaller_moves(self):
        _, desk = self.customer()
        request = self.open(desk, "rectify", "--fields", "phone", "--jurisdiction", "pipl")["id"]
        self.ctl(OK, "request", "amend", request, "--fields", "phone,email", certificate="service-desk")
        self.ctl(USAGE, "request", "amend", request, certificate="service-desk")
        self.ctl(USAGE, "request", "amend", request, "--fields", "", certificate="service-desk")
        self.officer("request", "assign", request, "spiffe://crm.example/person/compliance-2")
        self.officer("request", "note", request, input="called back\n")
        self.assertIn("many_requests", self.officer("request", "extend", request, "--reason", "many_requests").stdout)
        self.officer("request", "verify", request)
        self.officer("request", "submit", request, input="seen")
        shown = json.loads(self.officer("--json", "request", "show", request).stdout)
        self.assertEqual(shown["request"]["scope"], {"fields": ["email", "phone"]})
        self.assertEqual(sorted(n["text"] for n in shown["notes"]), ["called back", "seen"])
        self.officer("request", "approve", request, "--scope-hash", shown["request"]["scope_hash"])
        self.officer("request", "retry", request, code=REFUSED)
        self.assertIn("completed", self.officer("request", "complete", request).stdout)
        other = self.open(desk, "export")["id"]
        self.assertIn("cancelled", self.ctl(OK, "request", "cancel", other, certificate="service-desk").stdout)
        for words in (("request", "show", "req1/../x"), ("hold", "confirm", "x"), ("request", "open", "nobody", "erase"), ("request", "deny", other)):
            self.officer(*words, code=USAGE)

    def test_holds(self):
        _, desk = self.customer()
        token = json.loads(self.officer("--json", "request", "show", self.open(desk, "export")["id"]).stdout)["request"]["customer"]
        terms = ("--reason", "lawsuit", "--law", "HGB 257")
        self.officer("hold", "propose", token, *terms, "--until", "2020-01-01T00:00:00Z", code=REFUSED)
        made = json.loads(self.officer("--json", "hold", "propose", token, "--purposes", "loyalty", *terms, "--until", "2090-01-01T00:00:00Z").stdout)
        self.assertEqual(made["scope"]["records"], ["loyalty", "order"])
        self.officer("hold", "confirm", made["id"], code=REFUSED)
        self.assertRegex(self.officer("hold", "confirm", made["id"], who="compliance-2").stdout, r"in_force +yes")
        self.assertIn(made["id"], self.officer("hold", "list").stdout)
        self.assertRegex(self.officer("hold", "release", made["id"]).stdout, r"in_force +no")

    def test_a_history_is_paged(self):
        core, _ = self.customer()
        for decision in ("given", "refused", "given"):
            assert self.core.put(f"/v1/customers/{core}/consents/survey", {"decision": decision, "channel": "web"}).status == 200

        def page(*more, code=OK):
            return self.ctl(code, "--purpose", "onboarding", "--json", "consent", "list", core, *more, certificate="crm-core").stdout
        first = json.loads(page("survey", "--limit", "2"))
        rest = json.loads(page("survey", "--cursor", first["next"]))
        self.assertEqual([e["event"] for e in first["history"] + rest["history"]], ["given", "refused", "given"])
        page("--limit", "2", code=USAGE)

    def test_bases_objections_and_restrictions(self):
        core, _ = self.customer()

        def crm(*words, code=OK):
            return self.ctl(code, "--purpose", "onboarding", *words, certificate="crm-core").stdout
        self.assertIn("basis_recorded", crm("basis", "put", core, "loyalty", "contract"))
        crm("basis", "put", core, "loyalty", "whim", code=REFUSED)
        self.assertIn("basis_ended", crm("basis", "end", core, "loyalty"))
        self.assertIn("objected", crm("objection", "make", core, "marketing", "--channel", "phone"))
        self.assertIn("objection_lifted", crm("objection", "lift", core, "marketing"))
        self.assertIn("restricted", crm("restriction", "set", core))
        self.assertIn("restriction_lifted", crm("restriction", "lift", core, "--only", "support"))
        purposes = json.loads(crm("--json", "consent", "list", core))["purposes"]
        self.assertTrue(purposes["marketing"]["restricted"])
        self.assertFalse(purposes["support"]["restricted"])


def desk_requests(test):
    text = test.ctl(OK, "--json", "request", "list", "--kind", "restrict", "--state", "received", certificate="service-desk").stdout
    return [r["id"] for r in json.loads(text)["data"]]


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("ctl-import").start()
        cls.addClassCleanup(cls.vault.close)
        core = cls.vault.client("crm-core", "onboarding")
        cls.customers = [core.post("/v1/customers", {"fields": PEOPLE.few()}).json["customer"] for _ in range(3)]
        cls.core = core

    def run_import(self, text, code, *more):
        path = self.vault.folder / "decisions"
        path.write_text(text)
        done = self.vault.ctl("--purpose", "onboarding", "consent", "import", path, *more, certificate="crm-core")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def consented(self, customer, purpose="marketing"):
        return self.core.get(f"/v1/customers/{customer}/consents/{purpose}").json["state"]["consented"]

    def line(self, customer, decision="given", purpose="marketing", **more):
        return json.dumps({"customer": customer, "purpose": purpose, "consent": {"decision": decision, "channel": "web", **more}})

    def test_each_line_that_is_refused_is_told_and_the_rest_goes_on(self):
        a, b, c = self.customers
        text = "\n".join([self.line(a), "", self.line(b, purpose="no_such"), "{not json", self.line(c, channel="pigeon"), self.line(b), self.line("cus1qqq"), ""])
        done = self.run_import(text, REFUSED)
        self.assertEqual(done.stdout, "2 recorded, 4 refused\n")
        told = done.stderr.replace(str(self.vault.folder / "decisions"), "F").splitlines()
        self.assertEqual(sorted(told), ["F:3: unknown_purpose /purpose", "F:4: malformed_json", "F:5: consent_invalid /consent/channel", "F:7: bad_token /customer"])
        self.assertEqual([self.consented(x) for x in self.customers], [True, True, False])

    def test_csv_with_quotes_and_a_heading_in_any_order(self):
        a, b, c = self.customers
        text = "purpose,customer,decision,channel,evidence,separate,notice_version\r\n" \
               f'survey,{a},given,app,"scan ""7"", page 2",yes,\r\nsurvey,{b},refused,,,,\r\nsurvey,{c},given,app,x,perhaps,\r\nsurvey,{c}\r\n'
        done = self.run_import(text, REFUSED, "--csv")
        self.assertEqual(done.stdout, "2 recorded, 2 refused\n")
        self.assertRegex(done.stderr, r"(?m):4: malformed_csv separate$")
        self.assertRegex(done.stderr, r"(?m):5: malformed_csv$")
        event = self.core.get(f"/v1/customers/{a}/consents/survey").json["history"][0]
        self.assertEqual((event["event"], event["personal"]["evidence"], event["detail"]["separate"]), ("given", 'scan "7", page 2', True))
        self.run_import("customer,colour\n", USAGE, "--csv")
        self.run_import("customer\n", USAGE, "--csv")

    def test_more_than_a_lot_and_from_a_line_on(self):
        a, b, c = self.customers
        lines = [self.line(a, decision="refused", purpose="loyalty")] * 1199 + [self.line(b, purpose="loyalty")]
        done = self.run_import("\n".join(lines) + "\n", OK)
        self.assertEqual(done.stdout, "1200 recorded, 0 refused\n")
        self.assertTrue(self.consented(b, "loyalty"))
        done = self.run_import("\n".join(lines[:2] + [self.line(c, purpose="loyalty")]) + "\n", OK, "--from", "3")
        self.assertEqual(done.stdout, "1 recorded, 0 refused\n")

    def test_a_vault_that_is_away_leaves_a_line_to_go_on_from(self):
        path = self.vault.folder / "away"
        path.write_text(self.line(self.customers[0]) + "\n")
        done = vault.run(vault.VAULTCTL, "--url", f"https://127.0.0.1:{vault.free_port()}", "--ca", self.vault.certs / "ca.pem", "--cert", self.vault.certs / "crm-core.pem",
                         "--key", self.vault.certs / "crm-core.key", "--purpose", "onboarding", "consent", "import", path, env=vault.clean_environment())
        self.assertEqual(done.returncode, UNREACHED)
        self.assertIn("go on with --from 1", done.stderr)


if __name__ == "__main__":
    vault.main()
