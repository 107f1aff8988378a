"""Alarms: canaries, the budget of customers, forged tokens, a log that somebody has cut. Each is a record, and is told at once."""
import json
import subprocess
import time
import unittest

import audit_log
import people
import receiver
import vault

IDENTITY = "spiffe://crm.example/svc/"


def setUpModule():
    global V, PEOPLE
    V = vault.Vault("alarms", scrub_hours=0, webhook_loopback=1)
    V.start()
    unittest.addModuleCleanup(V.close)
    PEOPLE = people.People(13, "alarms")


class Alarms(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.core = self.client("crm-core", "onboarding")
        self.desk = self.client("service-desk", "support")
        self.security = self.client("security")

    def client(self, certificate, purpose=None):
        client = V.client(certificate, purpose)
        self.addCleanup(client.close)
        return client

    def ok(self, reply, *status):
        self.assertIn(reply.status, status or (200, 201), reply)
        return reply.json

    def create(self):
        fields = PEOPLE.fields()
        reply = self.core.post("/v1/customers", {"fields": fields})
        self.ok(reply)
        return fields, reply.json["customer"], self.record(reply)["sref"]

    def record(self, reply):
        return self.ok(self.security.get("/v1/audit/records/" + audit_log.ids_of(reply.headers["Audit-Record"])[0]))

    def alarms(self, kind):
        return [r for r in self.ok(self.security.get("/v1/audit/records?activity=alarm&limit=500"))["data"] if r["operation"] == "alarm." + kind]

    def find(self, fields):
        return self.ok(self.desk.post("/v1/customers:search", {"where": {"email": fields["email"]}}))["data"][0]["customer"]


class Canary(Alarms):
    def test_a_read_alarms_in_its_own_segment_and_looks_like_any_other(self):
        fields, token, sref = self.create()
        self.ok(self.security.put("/v1/canaries/" + sref))
        before = V.metric("vault_alarm_canary_total")
        names = "name,email"
        reply = self.core.get(f"/v1/customers/{token}?fields={names}&form=plain", headers={"X-Request-Id": "canary-1"})
        shown = self.ok(reply)
        first, _, more = reply.headers["Audit-Record"].partition("+")
        self.assertEqual(more, "", "the caller's records are one, as always")
        self.assertEqual(V.metric("vault_alarm_canary_total"), before + 1)
        alarm = next(r for r in self.alarms("canary") if r["sref"] == sref)
        self.assertEqual((alarm["object"], alarm["request_id"], alarm["actor"][:6]), (IDENTITY + "crm-core", "canary-1", "vault:"))
        stream, _, seq = first.partition("-")
        self.assertEqual(alarm["id"], f"{stream}-{int(seq) + 1}", "in the same segment: both or neither")
        # The same customer, no canary any more: the caller can't tell.
        self.ok(self.security.delete("/v1/canaries/" + sref))
        again = self.core.get(f"/v1/customers/{token}?fields={names}&form=plain")
        self.assertEqual(self.ok(again), shown)
        self.assertEqual({k for k, _ in again.headers.items()}, {k for k, _ in reply.headers.items()})
        self.assertEqual(V.metric("vault_alarm_canary_total"), before + 1)

    def test_detokenize_of_many_counts_its_records_as_always(self):
        made = [self.core.post("/v1/customers", {"fields": PEOPLE.fields()}) for _ in range(4)]
        srefs = [self.record(r)["sref"] for r in made]
        for sref in srefs[:2]:
            self.ok(self.security.put("/v1/canaries/" + sref))
        tokens = [r.json["fields"]["email"]["token"] for r in made]
        reply = self.core.post("/v1/tokens:detokenize", {"tokens": tokens, "form": "plain"})
        self.ok(reply)
        ids = audit_log.ids_of(reply.headers["Audit-Record"])
        records = [self.ok(self.security.get("/v1/audit/records/" + i)) for i in ids]
        self.assertEqual({r["sref"] for r in records}, set(srefs))
        self.assertEqual({r["sref"] for r in self.alarms("canary") if r["sref"] in srefs}, set(srefs[:2]))
        for sref in srefs[:2]:
            self.ok(self.security.delete("/v1/canaries/" + sref))

    def test_a_search_that_finds_it_and_a_refused_read_alarm_too(self):
        fields, token, sref = self.create()
        self.ok(self.security.put("/v1/canaries/" + sref))
        mine = lambda: [r for r in self.alarms("canary") if r["sref"] == sref]
        self.find(fields)
        self.assertEqual(len(mine()), 1)
        found = self.find(fields)
        self.assertEqual(self.desk.get(f"/v1/customers/{found}/records/order", purpose="marketing").status, 403)
        self.assertEqual(len(mine()), 3)
        self.ok(self.core.patch("/v1/customers/" + token, {"fields": {"name": "Quiet Write"}}, headers={"If-Match": "*"}))
        self.assertEqual(len(mine()), 3, "a write is no read")
        self.ok(self.security.delete("/v1/canaries/" + sref))

    def test_only_those_who_manage_callers_see_and_set_them(self):
        _, _, sref = self.create()
        for name in ("crm-core", "compliance-1", "service-desk"):
            self.assertEqual(self.client(name).put("/v1/canaries/" + sref).status, 403)
            self.assertEqual(self.client(name).get("/v1/canaries").status, 403)
        self.ok(self.security.put("/v1/canaries/" + sref))
        self.assertIn(sref, [c["sref"] for c in self.ok(self.security.get("/v1/canaries"))["canaries"]])
        self.assertEqual(V.ctl("canary", "delete", sref, certificate="security").returncode, 0)
        self.assertNotIn(sref, V.ctl("canary", "list", certificate="security", check=True).stdout)


class Budget(Alarms):
    def test_who_gets_too_many_customers_is_frozen_on_all_nodes_and_a_thaw_holds(self):
        v = vault.Vault("budget", scrub_hours=0, customer_budget=40)
        with v:
            self.spend(v)

    def spend(self, v):
        self.security = v.client("security")
        loyal = v.client("crm-core", "onboarding")
        made = [self.ok(loyal.post("/v1/customers", {"fields": PEOPLE.fields()})) for _ in range(60)]
        with vault.Vault("budget-b", cluster=v.cluster, certs=v.certs, keys=v.keys, scrub_hours=0, customer_budget=40) as other:
            there = other.client("crm-core", "onboarding")
            self.addCleanup(there.close)
            # The same few again and again are no trouble, over both nodes.
            for _ in range(30):
                for one, client in zip(made[:2], (loyal, there)):
                    self.ok(client.get("/v1/customers/" + one["customer"]))
            time.sleep(1.5)
            self.assertEqual(self.alarms("customer_budget"), [])
            for i, one in enumerate(made):
                client = (loyal, there)[i % 2]
                reply = client.get("/v1/customers/" + one["customer"])
                if reply.status == 403:
                    break
                self.ok(reply)
            for client in (loyal, there):
                vault.wait_until(lambda c=client: c.get("/v1/customers/" + made[0]["customer"]).code == "identity_frozen", 10, "frozen")
        alarm = self.alarms("customer_budget")
        self.assertEqual([a["object"] for a in alarm], [IDENTITY + "crm-core"])
        frozen = self.ok(self.security.get("/v1/identities"))["frozen"]
        self.assertEqual([(f["identity"], f["frozen_by"][:6]) for f in frozen], [(IDENTITY + "crm-core", "vault:")])
        self.ok(self.security.post("/v1/identities:thaw", {"identity": IDENTITY + "crm-core"}))
        self.ok(loyal.get("/v1/customers/" + made[5]["customer"]))
        time.sleep(1.5)
        self.ok(loyal.get("/v1/customers/" + made[6]["customer"]))
        # Nor does a node that takes over, and counts the hour anew, freeze it again.
        v.restart()
        self.ok(loyal.get("/v1/customers/" + made[7]["customer"]))
        time.sleep(2)
        self.ok(loyal.get("/v1/customers/" + made[8]["customer"]))
        loyal.close()
        self.security.close()


class Log(Alarms):
    def test_a_forged_token_is_told(self):
        _, token, _ = self.create()
        symbols = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

        def checksum(data):
            chk = 1
            for v in data:
                top = chk >> 25
                chk = (chk & 0x1ffffff) << 5 ^ v
                for i, g in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
                    chk ^= g if top >> i & 1 else 0
            return chk

        head, _, data = token.rpartition("1")
        values = [symbols.index(c) for c in data[:-6]]
        values[5] ^= 1
        expanded = [ord(c) >> 5 for c in head] + [0] + [ord(c) & 31 for c in head]
        polymod = checksum(expanded + values + [0] * 6) ^ 0x2bc830a3
        forged = head + "1" + "".join(symbols[v] for v in values) + "".join(symbols[polymod >> 5 * (5 - i) & 31] for i in range(6))
        self.assertEqual(self.core.get("/v1/customers/" + forged).status, 404)
        vault.wait_until(lambda: self.alarms("token_forgery"), 5, "the alarm")
        self.assertEqual(self.alarms("token_forgery")[0]["object"], IDENTITY + "crm-core")

    def test_an_alarm_reaches_a_webhook_once_and_not_again_after_a_restart(self):
        r = receiver.Receiver()
        self.addCleanup(r.close)
        self.ok(self.security.put("/v1/webhooks/alarms", {"url": r.url, "kinds": ["alarm"]}))
        _, token, sref = self.create()
        self.ok(self.security.put("/v1/canaries/" + sref))
        reply = self.core.get("/v1/customers/" + token, headers={"X-Request-Id": "webhook-1"})
        self.ok(reply)
        alarm = next(a for a in self.alarms("canary") if a["sref"] == sref)
        r.wait(1)
        told = receiver.parsed(r.got[0])
        self.assertEqual((told["type"], told["data"]), ("alarm", {
            "about": IDENTITY + "crm-core", "alarm": "canary", "record": alarm["id"], "request_id": "webhook-1", "sref": sref, "time": alarm["time"]}))
        V.restart()
        self.core, self.security = self.client("crm-core", "onboarding"), self.client("security")
        self.ok(self.core.get("/v1/customers/" + token))
        r.wait(2)
        self.assertEqual(len(r.got), 2)
        self.assertNotEqual(receiver.parsed(r.got[1])["data"]["record"], alarm["id"])
        self.ok(self.security.delete("/v1/canaries/" + sref))
        self.ok(self.security.delete("/v1/webhooks/alarms"), 200, 204)

    def test_a_sealer_that_does_not_seal_is_told_once(self):
        with vault.Vault("alarms-lag", scrub_hours=0) as v:
            core, security = v.client("crm-core", "onboarding"), v.client("security")
            self.ok(core.post("/v1/customers", {"fields": {"name": "Some One"}}))
            vault.wait_until(lambda: v.metric("vault_audit_tree_size") > 0, 10, "a tree")
            v.stop()
            # Somebody else holds the sealer's lock, as a node that hangs would.
            held = subprocess.Popen([str(v.cluster.bin / "psql"), "-Xq", "-d", v.cluster.superuser_url, "-c", "SELECT pg_advisory_lock(7204, 3), pg_sleep(60)"],
                                    stdout=subprocess.DEVNULL)
            try:
                vault.wait_until(lambda: v.cluster.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7204 AND objid = 3")[0][0] == "1", 10)
                v.start()
                self.ok(core.post("/v1/customers", {"fields": {"name": "Some One"}}))
                told = lambda: [r["object"] for r in security.get("/v1/audit/records?activity=alarm").json["data"] if r["operation"] == "alarm.seal_lag"]
                time.sleep(10)
                self.assertEqual(told(), [])
                vault.wait_until(told, 20, "the alarm")
                time.sleep(6)
                self.assertEqual(told(), ["sealer"])
            finally:
                held.kill()
                held.wait()
                core.close()
                security.close()

    def test_a_segment_cut_out_and_one_that_was_changed_are_told(self):
        v = vault.Vault("alarms-cut", scrub_hours=0)
        with v:
            core, security = v.client("crm-core", "onboarding"), v.client("security")
            for _ in range(6):
                self.ok(core.post("/v1/customers", {"fields": {"name": "Some One"}}))
            v.stop()
            v.cluster.sql("DELETE FROM vault.watch_state")
            rows = v.cluster.sql("SELECT stream, first_seq FROM vault.audit_segment WHERE count >= 1 AND first_seq > 1 ORDER BY first_seq")
            (a, a_seq), (b, b_seq) = rows[0], rows[-1]
            v.cluster.sql(f"DELETE FROM vault.audit_segment WHERE stream = {a} AND first_seq = {a_seq};"
                          "UPDATE vault.audit_segment SET bodies = convert_to(replace(convert_from(bodies, 'SQL_ASCII'), '', ''), 'SQL_ASCII') WHERE false;"
                          f"UPDATE vault.audit_segment SET bodies = set_byte(bodies, length(bodies) - 12, 48 + (get_byte(bodies, length(bodies) - 12) - 47) % 10) WHERE stream = {b} AND first_seq = {b_seq}")
            v.start()

            def told():
                log = security.get("/v1/audit/records?activity=alarm&limit=100").json["data"]
                found = {(r["operation"], r["object"]) for r in log if not r["object"].startswith("sealer:")}
                return found if len(found) == 2 else None

            found = vault.wait_until(told, 10, "two alarms")
            self.assertEqual(found, {("alarm.log_gap", f"{a}-{a_seq}"), ("alarm.log_changed", f"{b}-{b_seq}")})
            core.close()
            security.close()


class Scope(Alarms):
    def test_a_breach_report_counts_each_customer_once_and_names_it(self):
        made = [self.create() for _ in range(6)]
        desk = self.client("service-desk", "support")
        found = [self.find(fields) for fields, _, _ in made]
        began = time.time()
        stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
        time.sleep(1.1)
        for token in found[:4] + found[:2]:
            self.ok(desk.get(f"/v1/customers/{token}?fields=email,phone&form=best"))
        for token in found[4:]:
            self.assertEqual(desk.get(f"/v1/customers/{token}?fields=bank_card&form=plain").status, 200)  # nothing but a refusal
        srefs = vault.folder() / "srefs"
        args = ("audit", "scope", "--actor", IDENTITY + "service-desk", "--from", stamp(began + 1), "--to", stamp(time.time() + 60))
        shown = json.loads(V.ctl(*args, "--json", "--srefs", srefs, certificate="security", check=True).stdout)
        self.assertEqual((shown["customers"], shown["records"]), (4, 6))
        self.assertEqual({(f["field"], f["form"]): (f["customers"], f["times"]) for f in shown["fields"]},
                         {("email", "masked:email"): (4, 6), ("phone", "plain"): (4, 6)})
        self.assertEqual(srefs.read_text().splitlines(), sorted(sref for _, _, sref in made[:4]))
        self.assertEqual(srefs.stat().st_mode & 0o777, 0o600)
        self.assertEqual(V.ctl(*args, "--srefs", srefs, certificate="security").returncode, 1, "a list that is there stays")
        self.assertEqual(V.ctl(*args, certificate="admin").returncode, 1, "only for those who may read the log")
        self.assertIn("CUSTOMERS", V.ctl(*args, certificate="security", check=True).stdout)
        # What it wrote is no disclosure, and another time is another report.
        core = ("audit", "scope", "--actor", IDENTITY + "crm-core", "--from", stamp(began + 1), "--to", "1s")
        self.assertEqual(json.loads(V.ctl(*core, "--json", certificate="security", check=True).stdout)["customers"], 0)

    def test_pages_add_up(self):
        query = "/v1/audit/scope?actor=" + IDENTITY + "crm-core&since=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00Z"
        tokens = [self.ok(self.core.post("/v1/customers", {"fields": {"name": "Some One"}}))["customer"] for _ in range(5)]
        for _ in range(450):
            for token in tokens:
                self.core.get("/v1/customers/" + token)
        pages, cursor, records = 0, "", 0
        while cursor is not None:
            page = self.ok(self.security.get(query + (f"&cursor={cursor}" if cursor else "")))
            self.assertEqual(sum(c["times"] for c in page["counts"]), sum(len(e["fields"]) for e in page["data"]))
            self.assertEqual(len(page["data"]), page["records"])
            pages, cursor, records = pages + 1, page["next"], records + page["records"]
        self.assertGreater(pages, 1)
        self.assertGreaterEqual(records, 2250)
        self.assertEqual(self.security.get(query + "&cursor=x").status, 400)


if __name__ == "__main__":
    vault.main()
