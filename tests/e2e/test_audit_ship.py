"""The audit log as other systems take it: OCSF, ECS, and a copy that misses nothing over crashes of either side."""
import json
import signal
import subprocess
import time
import unittest

import audit_log
import keyring
import vault

IDENTITY = "spiffe://crm.example/svc/"


def setUpModule():
    global V
    V = vault.Vault("ship", scrub_hours=0, executors=2)
    V.start()
    unittest.addModuleCleanup(V.close)


class Base(unittest.TestCase):
    def setUp(self):
        self.core = V.client("crm-core", "onboarding")
        self.addCleanup(self.core.close)
        self.out = vault.folder() / ("ship-%d" % time.monotonic_ns())
        self.cursor = self.out.with_suffix(".cursor")

    def create(self, n=1):
        for _ in range(n):
            reply = self.core.post("/v1/customers", {"fields": {"name": "Ann Example"}})
            self.assertEqual(reply.status, 201, reply)
        return audit_log.ids_of(reply.headers["Audit-Record"])[0]

    def arguments(self, *more):
        return ["audit", "ship", "--cursor", self.cursor, "--output", self.out, *more]

    def start(self, *more):
        process = subprocess.Popen([str(a) for a in [vault.VAULTCTL, *self.arguments(*more), "--url", "https://127.0.0.1:%d" % V.port, "--ca", V.certs / "ca.pem",
                                                    "--cert", V.certs / "security.pem", "--key", V.certs / "security.key"]],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=vault.clean_environment())

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines() if line.strip()] if self.out.exists() else []

    def ids(self):
        return [r["id"] for r in self.lines()]

    def whole(self):
        """What is in the file are all records of each stream, in order, each the log's own bytes; repeats stand aside."""
        log = audit_log.Log(V.cluster, keyring.Keyring(V.keys).keys[keyring.AUDIT_MAC])
        log.read()
        seen = {}
        for r in self.lines():
            stream, seq = (int(n) for n in r["id"].split("-"))
            self.assertLessEqual(seq, seen.get(stream, 0) + 1, "a record was skipped")
            seen[stream] = max(seen.get(stream, 0), seq)
            self.assertEqual(r, log.by_id[r["id"]])
        return seen


class Ship(Base):
    def test_once_copies_all_and_then_only_what_is_new(self):
        last = self.create(3)
        V.ctl(*self.arguments("--once"), certificate="security", check=True)
        self.assertIn(last, self.ids())
        before = len(self.lines())
        self.whole()
        last = self.create(2)
        V.ctl(*self.arguments("--once"), certificate="security", check=True)
        self.assertEqual(self.ids().count(last), 1)
        self.assertEqual(len(self.ids()), len(set(self.ids())), "none twice without a crash")
        self.assertGreater(len(self.lines()), before)
        self.whole()

    def test_it_follows_and_a_kill_loses_nothing(self):
        self.create()
        for _ in range(4):
            process = self.start()
            last = self.create(5)
            vault.wait_until(lambda: last in self.ids(), 15, "the record arrives")
            self.create(20)
            process.kill()
            process.wait()
        last = self.create()
        V.ctl(*self.arguments("--once"), certificate="security", check=True)
        self.assertIn(last, self.ids())
        self.whole()

    def test_a_vault_that_goes_and_comes_back_is_found_again(self):
        self.create()
        self.start()
        last = self.create()
        vault.wait_until(lambda: last in self.ids(), 15, "the record arrives")
        V.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_service'")
        vault.wait_until(V.ready, 20, "ready again")
        last = self.create()
        vault.wait_until(lambda: last in self.ids(), 20, "a record after the loss")
        self.whole()

    def test_a_line_that_a_crash_cut_off_stays_alone(self):
        self.create()
        V.ctl(*self.arguments("--once"), certificate="security", check=True)
        with open(self.out, "a", encoding="ascii") as f:
            f.write('{"half":')
        last = self.create()
        V.ctl(*self.arguments("--once"), certificate="security", check=True)
        lines = self.out.read_text().splitlines()
        self.assertIn('{"half":', lines)
        self.assertTrue(any(last in line for line in lines[lines.index('{"half":') + 1:]))

    def test_two_do_not_share_a_cursor_and_a_bad_one_is_refused(self):
        self.create()
        self.start()
        vault.wait_until(self.cursor.exists, 10, "a cursor")
        self.assertEqual(V.ctl(*self.arguments("--once"), certificate="security").returncode, 1)
        self.cursor = self.out.with_suffix(".other")
        for text in ("{}", "x", '{"streams":{"a":1}}', '{"streams":{"1":0}}'):
            self.cursor.write_text(text)
            self.assertEqual(V.ctl(*self.arguments("--once"), certificate="security").returncode, 2, text)
        self.assertEqual(V.ctl("audit", "ship", certificate="security").returncode, 2)

    def test_only_those_who_may_read_the_log(self):
        self.assertEqual(V.ctl(*self.arguments("--once"), certificate="crm-core").returncode, 1)
        self.assertEqual(V.ctl(*self.arguments(), certificate="crm-core", timeout=20).returncode, 1)


class Formats(Base):
    def export(self, form, *more):
        return [json.loads(line) for line in V.ctl("audit", "export", "--format", form, *more, certificate="security", check=True).stdout.splitlines()]

    def test_ocsf_has_what_its_class_requires(self):
        made = self.create()
        stranger = V.client("analytics", "analytics")
        self.addCleanup(stranger.close)
        self.assertEqual(stranger.post("/v1/customers", {"fields": {"name": "Ann"}}).status, 403)
        events = {e["metadata"]["uid"]: e for e in self.export("ocsf")}
        event = events[made]
        for name in ("activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id", "src_endpoint", "time", "type_uid"):
            self.assertIn(name, event)
        self.assertEqual((event["class_uid"], event["category_uid"], event["activity_id"], event["type_uid"], event["status_id"]), (6003, 6, 1, 600301, 1))
        self.assertEqual(event["actor"]["user"]["uid"], IDENTITY + "crm-core")
        self.assertEqual(event["unmapped"]["id"], made)
        self.assertAlmostEqual(event["time"] / 1000, time.time(), delta=120)
        refused = [e for e in events.values() if e["status"] == "Failure"]
        self.assertTrue(refused)
        for e in events.values():
            self.assertEqual(e["type_uid"], e["class_uid"] * 100 + e["activity_id"])

    def test_ecs_has_time_event_and_user(self):
        made = self.create()
        event = next(e for e in self.export("ecs", "--since", "10m") if e["event"]["id"] == made)
        self.assertEqual((event["event"]["kind"], event["event"]["outcome"], event["event"]["type"], event["event"]["category"]),
                         ("event", "success", ["creation"], ["api"]))
        self.assertEqual(event["@timestamp"], event["vault"]["record"]["time"])
        self.assertEqual((event["user"]["id"], event["ecs"]["version"][:2]), (IDENTITY + "crm-core", "8."))

    def test_a_summary_tells_who_did_most_refusals_new_purposes_and_odd_hours(self):
        for _ in range(3):
            self.create()
        stranger = V.client("analytics", "analytics")
        self.addCleanup(stranger.close)
        stranger.post("/v1/customers", {"fields": {"name": "Ann"}})
        text = V.ctl("audit", "summary", "--since", "10m", certificate="security", check=True).stdout
        head, _, rest = text.partition("Who did most")
        self.assertRegex(head, r"records  \d+")
        self.assertRegex(rest, IDENTITY + r"crm-core +\d+ +\d+")
        self.assertRegex(rest, r"Refused\n.*\n" + IDENTITY + r"analytics +policy_denied +\d+")
        self.assertRegex(rest.partition("never stated before")[2], IDENTITY + r"crm-core +onboarding +\d+")
        time.sleep(1.2)
        self.create()
        text = V.ctl("audit", "summary", "--since", "1s", certificate="security", check=True).stdout
        self.assertNotIn("never stated before", text)

    def test_native_is_the_record_and_show_shows_it(self):
        made = self.create()
        record = next(r for r in self.export("native", "--actor", IDENTITY + "crm-core") if r["id"] == made)
        self.assertEqual(json.loads(V.ctl("--json", "audit", "show", made, certificate="security", check=True).stdout), record)
        self.assertIn("customer.create", V.ctl("audit", "show", made, certificate="security", check=True).stdout)
        self.assertEqual(V.ctl("audit", "export", "--format", "xml", certificate="security").returncode, 2)
        self.assertEqual(V.ctl("audit", "show", "../x", certificate="security").returncode, 2)


if __name__ == "__main__":
    vault.main()
