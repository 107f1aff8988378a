"""Retention: what has been kept for as long as its declaration says goes by itself. Time is shortened in the database, never slept."""
import time
import unittest

import vault

LONG = "retention-long-note " * 200


class Site(unittest.TestCase):
    rate = 200

    @classmethod
    def setUpClass(cls):
        cls.v = vault.Vault("retention-" + cls.__name__.lower(), retention_rate=cls.rate).start()
        cls.addClassCleanup(cls.v.close)
        cls.sql = cls.v.cluster.sql
        clients = {"core": ("crm-core", "onboarding"), "desk": ("service-desk", "support"), "one": ("compliance-1", "rights"),
                   "two": ("compliance-2", "rights"), "admin": ("admin", "administration"), "security": ("security", "audit")}
        for name, (certificate, purpose) in clients.items():
            setattr(cls, name, cls.v.client(certificate, purpose))
            cls.addClassCleanup(getattr(cls, name).close)

    def setUp(self):
        self.n = time.monotonic_ns()

    def ok(self, reply, *status):
        self.assertIn(reply.status, status or (200, 201), reply)
        return reply.json if reply.body else None

    def create(self, **fields):
        made = self.ok(self.core.post("/v1/customers", {"fields": {"email": f"r{time.monotonic_ns()}@example.com", **fields}}))["customer"]
        number = self.sql("SELECT customer_id FROM vault.customer ORDER BY created_at DESC LIMIT 1")[0][0]
        return "/v1/customers/" + made, number

    def keep(self, name, days):
        """Declares a retention; the change begins a pass."""
        now = self.ok(self.admin.get("/v1/fields/" + name))
        self.ok(self.admin.put("/v1/fields/" + name, {k: v for k, v in now.items() if k not in ("name", "number", "version")} | {"retention_days": days}))

    def pass_ends(self):
        """A pass that began after this call has ended: the walk has noted a customer made now, and what was due before it went."""
        self.keep("wechat", 36000)
        path, number = self.create(wechat="wx%d" % time.monotonic_ns())
        self.keep("wechat", 36001)
        vault.wait_until(lambda: self.sql(f"SELECT 1 FROM vault.field_age WHERE customer_id = {number}"), 30, "the walk")
        time.sleep(1.5)  # lots follow the walk at once; each is a tick of half a second

    def aged(self, number, days):
        self.sql(f"UPDATE vault.customer SET updated_at = now() - interval '{days} days' WHERE customer_id = {number}")

    def fields(self, path):
        return set(self.ok(self.core.get(path))["fields"])

    def records(self, since):
        return [r for r in self.ok(self.security.get("/v1/audit/records?activity=erase&limit=200&since=" + since))["data"] if r["operation"] == "retention.sweep"]

    def subject(self, what, name):
        return next(s for s in self.ok(self.one.get("/v1/retention:preview"))["data"] if (s["what"], s["name"]) == (what, name))

    def now(self):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))


class Sweep(Site):
    def test_a_value_goes_with_its_index_entry_and_the_rest_stays(self):
        since = self.now()
        phone = "+8613%09d" % (self.n % 10**9)
        old, number = self.create(phone=phone, notes=LONG, gender="male")
        young, _ = self.create(phone="+8613%09d" % ((self.n + 1) % 10**9), notes=LONG)
        self.assertEqual(len(self.ok(self.desk.post("/v1/customers:search", {"where": {"phone": phone}}))["data"]), 1)
        self.aged(number, 40)
        self.keep("phone", 30)
        self.keep("notes", 30)
        vault.wait_until(lambda: not self.fields(old) & {"phone", "notes"}, 30, "what is due is gone")
        self.assertEqual(self.fields(old), {"email", "gender"})
        self.assertLessEqual({"email", "phone", "notes"}, self.fields(young))
        self.assertEqual(self.ok(self.desk.post("/v1/customers:search", {"where": {"phone": phone}}))["data"], [])
        for table in ("customer_large WHERE subject = 14 AND", "blind_index WHERE space = 2 AND", "field_age WHERE subject IN (2, 14) AND"):
            self.assertEqual(self.sql(f"SELECT count(*) FROM vault.{table} customer_id = {number}"), [["0"]], table)
        seen = [r for r in self.records(since) if r["given"]["deny"] in ([2], [14])]
        self.assertEqual([(r["actor"][:6], r["object"], r["count"], "row_sha256" in r) for r in seen], 2 * [("vault:", "retention", 1, True)])
        self.assertEqual({r["sref"] for r in seen}, {seen[0]["sref"]})
        self.assertGreaterEqual(self.v.metric("vault_retention_swept_total"), 2)
        self.assertGreaterEqual(self.subject("field", "notes")["swept"], 1)
        self.keep("phone", None)
        self.keep("notes", None)

    def test_a_value_that_was_written_again_counts_anew(self):
        path, number = self.create(passport="EK7351942")
        self.aged(number, 40)
        self.keep("passport", 50)
        vault.wait_until(lambda: self.sql(f"SELECT 1 FROM vault.field_age WHERE customer_id = {number} AND sealed_at < now() - interval '39 days'"), 30, "noted")
        self.ok(self.core.patch(path, {"fields": {"gender": "male"}}, headers={"If-Match": "*"}))
        self.pass_ends()
        self.assertEqual(len(self.sql(f"SELECT 1 FROM vault.field_age WHERE customer_id = {number} AND sealed_at < now() - interval '39 days'")), 1,
                         "a change of another field does not make this one young")
        self.ok(self.core.patch(path, {"fields": {"passport": "EK7351943"}}, headers={"If-Match": "*"}))
        self.keep("passport", 30)
        self.pass_ends()
        self.assertIn("passport", self.fields(path))
        self.keep("passport", None)

    def test_a_hold_and_a_restriction_keep_it_until_they_end(self):
        held, held_number = self.create(iban="DE89370400440532013000", email=f"held{self.n}@example.com")
        restricted, restricted_number = self.create(iban="DE89370400440532013000")
        free, free_number = self.create(iban="DE89370400440532013000")
        for path, number in ((held, held_number), (restricted, restricted_number), (free, free_number)):
            self.aged(number, 40)
        seen = self.officers_token(f"held{self.n}@example.com")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        hold = self.ok(self.one.post("/v1/holds", {"customer": seen, "scope": {"fields": ["iban"]}, "reason": "lawsuit", "law": "HGB 257", "until": until}))["id"]
        self.ok(self.two.post(f"/v1/holds/{hold}:confirm"))
        self.ok(self.core.put(restricted + "/restriction"))
        self.aged(restricted_number, 40)
        self.keep("iban", 30)
        vault.wait_until(lambda: "iban" not in self.fields(free), 30, "the free one is gone")
        self.pass_ends()
        self.assertIn("iban", self.fields(held))
        self.assertEqual(self.sql(f"SELECT count(*) FROM vault.field_age WHERE customer_id = {restricted_number} AND subject = 11"), [["1"]])
        counted = self.subject("field", "iban")
        self.assertEqual((counted["due"], counted["with_hold"]), (2, 1))
        self.assertGreaterEqual(self.v.metric("vault_retention_kept_total"), 2)
        self.ok(self.one.post(f"/v1/holds/{hold}:release"))
        self.ok(self.core.delete(restricted + "/restriction"))
        self.keep("iban", 29)
        vault.wait_until(lambda: "iban" not in self.fields(held) | self.fields(restricted), 30, "both are gone")
        self.keep("iban", None)

    def officers_token(self, email):
        seen = self.ok(self.desk.post("/v1/customers:search", {"where": {"email": email}}))["data"][0]["customer"]
        made = self.ok(self.desk.post("/v1/rights-requests", {"customer": seen, "kind": "rectify"}))
        return self.ok(self.one.get("/v1/rights-requests/" + made["id"]))["request"]["customer"]

    def test_consents_go_when_neither_consent_nor_basis_has_stood_for_so_long(self):
        ended, ended_number = self.create()
        standing, standing_number = self.create()
        based, based_number = self.create()
        for path in (ended, standing, based):
            self.ok(self.core.put(path + "/consents/survey", {"decision": "given", "channel": "web", "method": "checkbox"}))
        self.ok(self.core.put(based + "/bases/survey", {"basis": "contract"}))
        for path in (ended, based):
            self.ok(self.core.post(path + "/consents/survey:withdraw"))
        self.ok(self.core.put(ended + "/objections/survey"))
        self.sql("UPDATE vault.consent_event SET at = at - interval '400 days'")
        purpose = self.ok(self.admin.get("/v1/purposes/survey"))
        self.ok(self.admin.put("/v1/purposes/survey", {"title": purpose["title"], "legal_basis": purpose["legal_basis"], "retention_days": 365}))
        count = lambda number: int(self.sql(f"SELECT count(*) FROM vault.consent_event WHERE customer_id = {number}")[0][0])
        vault.wait_until(lambda: count(ended_number) == 1, 30, "consent and withdrawal are gone")
        self.assertEqual(self.sql(f"SELECT kind FROM vault.consent_event WHERE customer_id = {ended_number}"), [["7"]], "the objection stands")
        self.pass_ends()
        self.assertEqual((count(standing_number), count(based_number)), (1, 3))
        self.assertEqual(self.subject("purpose", "survey")["swept"], 2)

    def test_who_may_ask(self):
        self.assertEqual(self.desk.get("/v1/retention:preview").code, "policy_denied")
        self.ok(self.admin.get("/v1/retention:preview"))


class Records(Site):
    rate = 40  # twenty a tick, so that it can be killed in the middle

    def test_a_sweep_that_was_killed_goes_on_and_counts_each_record_once(self):
        path, number = self.create()
        for i in range(120):
            self.ok(self.core.post(path + "/records/interaction", {"data": {"n": i}}))
        self.ok(self.core.post(path + "/records/order", {"data": {"n": 1}}))
        self.sql(f"UPDATE vault.record SET created_at = created_at - interval '800 days' WHERE item <> (SELECT max(item) FROM vault.record WHERE kind = 19)")
        left = lambda: int(self.sql("SELECT count(*) FROM vault.record WHERE kind = 19")[0][0])
        self.keep("interaction", 730)
        vault.wait_until(lambda: left() < 110, 30, "the sweep has begun")
        self.v.kill()
        at_kill = left()
        self.assertGreater(at_kill, 1, "it was over before")
        self.v.start()
        vault.wait_until(lambda: left() == 1, 60, "the sweep went on")
        self.assertEqual(self.subject("record", "interaction")["swept"], 119)
        self.assertEqual(sum(r["count"] for r in self.records("2020-01-01T00:00:00Z")), 119)
        self.assertEqual(len(self.ok(self.core.get(path + "/records/order"))["data"]), 1, "a kind without a retention stays")


class DryRun(Site):
    rate = 0

    def test_a_dry_run_counts_and_erases_nothing(self):
        path, number = self.create(phone="+8613%09d" % (self.n % 10**9))
        self.ok(self.core.post(path + "/records/survey", {"data": {"n": 1}}))
        self.aged(number, 40)
        self.sql("UPDATE vault.record SET created_at = created_at - interval '40 days'")
        self.keep("survey", 30)
        self.keep("phone", 30)
        vault.wait_until(lambda: self.subject("field", "phone")["due"] == 1, 30, "the walk has seen it")
        self.assertEqual(self.subject("record", "survey")["due"], 1)
        time.sleep(1.5)
        self.assertIn("phone", self.fields(path))
        shown = self.v.ctl("retention", "preview", certificate="compliance-1", check=True).stdout
        self.assertRegex(shown, r"(?m)^field +phone +30 +1 +no +0$")
        self.assertRegex(self.v.ctl("retention", "status", certificate="compliance-1", check=True).stdout, r"(?m)^record +survey +30 +0")


if __name__ == "__main__":
    vault.main()
