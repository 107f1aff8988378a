"""Key epochs: rotated under load on two nodes, keys wrapped anew, an epoch destroyed, backups of the keyring."""
import json
import os
import shutil
import subprocess
import threading
import time
import unittest

import keyring
import test_api
import vault

OVERLAP_S = 3


class Keys(unittest.TestCase):
    """Two nodes with key folders of their own, on one database; each test goes on from a fresh pair."""

    def setUp(self):
        name = self.id().rsplit(".", 1)[1][:24]
        ledger = vault.folder() / (name + ".ledger")
        more = dict(key_overlap_s=OVERLAP_S, key_rewrap_rate=self.RATE, ledger=ledger)
        self.a = vault.Vault(name + "-a", **more, node="a")
        self.addCleanup(self.a.close)
        self.a.start()
        keys = vault.folder() / (name + "-keys-b")
        shutil.copytree(self.a.keys, keys)
        keys.chmod(0o700)
        self.b = vault.Vault(name + "-b", cluster=self.a.cluster, certs=self.a.certs, keys=keys, **more, node="b")
        self.addCleanup(self.b.close)
        self.b.start()
        self.core = self.a.client("crm-core", "onboarding")
        self.admin = self.a.client("admin")

    RATE = 100000

    def create(self, n=1):
        made = []
        for i in range(0, n, 100):
            items = [{"fields": {"email": "key.%d@example.com" % k}} for k in range(i, min(i + 100, n))]
            reply = self.core.post("/v1/customers:batch", {"mode": "atomic", "items": items})
            self.assertEqual(reply.status, 200, reply)
            made += [r["customer"] for r in reply.json["results"]]
        return made

    def key(self, v, *args, **kwargs):
        """vaultctl key ... with the admin's certificate, so that it asks the vault too."""
        return v.ctl("key", *args, "--url", "https://127.0.0.1:%d" % v.port, "--ca", v.certs / "ca.pem", "--cert", v.certs / "admin.pem",
                     "--key", v.certs / "admin.key", env=dict(VAULT_KEY_OVERLAP_S=OVERLAP_S), **kwargs)

    def start_key(self, v, *args):
        command = [vault.VAULTCTL, "key", *args, "--url", "https://127.0.0.1:%d" % v.port, "--ca", v.certs / "ca.pem",
                   "--cert", v.certs / "admin.pem", "--key", v.certs / "admin.key", "--keyring", v.keys / "keyring", "--root", v.keys / "root"]
        return subprocess.Popen([str(c) for c in command], env=vault.clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def epochs(self):
        reply = self.admin.get("/v1/key-epochs")
        self.assertEqual(reply.status, 200, reply)
        return {e["epoch"]: e for e in reply.json["epochs"]}

    def bring(self, start, to):
        """The keyring of one node to another: backup, restore, SIGHUP."""
        file, key = vault.folder() / ("bring-%d" % time.monotonic_ns()), vault.folder() / "bring.key"
        start.ctl("key", "backup", file, "--backup-key", key, check=True)
        to.ctl("key", "restore", file, "--backup-key", key, check=True)
        to.reload()

    def rotate(self):
        """Makes the next epoch on a, brings it to b, until it is active."""
        rotation = self.start_key(self.a, "rotate", "--wait", "30")
        vault.wait_until(lambda: json.loads(self.a.ctl("--json", "key", "status").stdout)["epochs"][-1]["state"] == "pending", 10, "a pending epoch")
        self.bring(self.a, self.b)
        out, _ = rotation.communicate(timeout=60)
        self.assertEqual(rotation.returncode, 0, out)
        return out

    def rewrapped(self, old=1):
        vault.wait_until(lambda: self.epochs()[old]["customers"] == 0, 30, "every key is wrapped anew")

    def destroyed(self, old=1):
        self.rewrapped(old)
        time.sleep(OVERLAP_S)
        done = self.key(self.a, "destroy", old)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout


class Rotation(Keys):
    def test_under_load_on_two_nodes_no_request_fails(self):
        made = self.create(600)
        stop, bad, count = threading.Event(), [], [0]

        def work(v, n):
            client, i = v.client("crm-core", "onboarding"), 0
            while not stop.is_set():
                i += 1
                token = made[(i * 7 + n) % len(made)]
                if i % 3 == 0:
                    r = client.patch("/v1/customers/" + token, {"fields": {"wechat": "wx_%d_%d" % (n, i)}}, headers={"If-Match": "*"})
                elif i % 3 == 1:
                    r = client.get("/v1/customers/%s?fields=email&form=plain" % token)
                else:
                    r = client.post("/v1/customers", {"fields": {"email": "new.%d.%d@example.com" % (n, i)}})
                count[0] += 1
                if not 200 <= r.status < 300:
                    bad.append(r)

        threads = [threading.Thread(target=work, args=(v, n)) for n, v in enumerate((self.a, self.b, self.a, self.b))]
        for t in threads:
            t.start()
        try:
            out = self.rotate()
            self.rewrapped()
            time.sleep(OVERLAP_S)
            done = self.key(self.a, "destroy", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, "still hold it: .*b:")
            self.bring(self.a, self.b)
            time.sleep(1)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(bad, [], "%d of %d" % (len(bad), count[0]))
        self.assertGreater(count[0], 100)
        self.assertIn("Epoch 2 is active", out)
        self.assertEqual({r[0] for r in self.a.cluster.sql("SELECT DISTINCT epoch FROM vault.customer_key")}, {"2"})
        vault.wait_until(lambda: self.epochs()[1]["gone_at"], 10, "no node holds epoch 1")
        for v in (self.a, self.b):
            self.assertEqual([n for n in os.listdir(v.keys) if n.startswith(".")], [], "something of the old pair is left")
        status = self.key(self.a, "status").stdout
        self.assertIn("100.0%", status)
        self.assertEqual(self.a.metric("vault_key_rewrap_left") + self.b.metric("vault_key_rewrap_left"), 0)
        self.assertGreaterEqual(self.a.metric("vault_key_rewrapped_total") + self.b.metric("vault_key_rewrapped_total"), 600)

    def test_waits_for_a_node_that_lacks_the_epoch_and_goes_on_when_run_again(self):
        done = self.key(self.a, "rotate", "--wait", "1")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("b:", done.stderr)
        self.assertEqual(list(self.epochs()), [1])
        refused = self.admin.post("/v1/key-epochs/2:activate")
        self.assertEqual((refused.status, refused.code, refused.json["nodes"]), (409, "key_nodes", ["b:%d" % self.b.port]))
        self.bring(self.a, self.b)
        done = self.key(self.a, "rotate", "--wait", "10")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([e["state"] for e in self.epochs().values()], ["retiring", "active"])

    def test_a_node_without_the_active_epoch_is_not_ready_until_it_has_it(self):
        self.b.stop()
        self.assertEqual(self.key(self.a, "rotate").returncode, 0)
        self.b.start(wait=False)
        status, text = vault.wait_until(lambda: (lambda r: r if r[0] and "epoch 2" in r[1] else None)(self.b.operations("/readyz")), 10, "b says why")
        self.assertEqual(status, 503, text)
        refused = self.b.client("crm-core", "onboarding").post("/v1/customers", {"fields": {"email": "x@example.com"}})
        self.assertEqual(refused.status, 503, refused)
        self.bring(self.a, self.b)
        self.b.wait_ready()
        self.assertEqual(self.b.client("crm-core", "onboarding").post("/v1/customers", {"fields": {"email": "x@example.com"}}).status, 201)

    def test_who_may_not_manage_keys_may_not_see_or_change_epochs(self):
        for method, path in (("GET", "/v1/key-epochs"), ("POST", "/v1/key-epochs/2:activate"), ("POST", "/v1/key-epochs/1:destroy")):
            self.assertEqual(self.core.request(method, path).status, 403)
        self.assertEqual(self.admin.post("/v1/key-epochs/7x:activate").status, 404)
        self.assertEqual(self.admin.post("/v1/key-epochs/1:destroy").code, "key_state")

    def test_an_older_keyring_is_not_taken_back(self):
        old = vault.folder() / "old-keys"
        shutil.copytree(self.a.keys, old)
        self.rotate()
        for name in ("keyring", "root"):
            shutil.copy(old / name, self.a.keys / name)
        self.assertEqual(self.admin.post("/v1/certificates:reload").status, 500)
        self.assertEqual(self.core.post("/v1/customers", {"fields": {"email": "x@example.com"}}).status, 201)


class Rewrap(Keys):
    RATE = 200

    def test_interrupted_by_kill_9_it_goes_on_where_it_was(self):
        made = self.create(600)
        self.rotate()
        vault.wait_until(lambda: 0 < self.epochs()[1]["customers"] < 500, 10, "some are wrapped anew")
        leader = next(v for v in (self.a, self.b) if "worker_leads worker=keys" in v.log())
        leader.kill()
        left = int(self.a.cluster.sql("SELECT count(*) FROM vault.customer_key WHERE epoch = 1")[0][0])
        self.assertTrue(0 < left < 600, left)
        leader.start()
        self.rewrapped()
        for token in made[::50]:
            self.assertEqual(self.core.get("/v1/customers/%s?fields=email&form=plain" % token).status, 200)

    def test_destroy_is_refused_while_a_key_is_left_and_before_the_overlap_has_passed(self):
        self.create(600)
        self.rotate()
        refused = self.key(self.a, "destroy", "1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("still under it", refused.stderr)
        self.rewrapped()
        retired = self.a.cluster.sql("UPDATE vault.key_epoch SET retired_at = now() WHERE epoch = 1 RETURNING 1")
        self.assertEqual(len(retired), 1)
        refused = self.key(self.a, "destroy", "1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("overlap", refused.stderr)
        self.assertEqual(json.loads(self.a.ctl("--json", "key", "status").stdout)["epochs"][0]["state"], "retiring")


class Destruction(Keys):
    def unwrap(self, kek, wrapped):
        return keyring.gcm_open_unchecked(kek, wrapped)

    def test_an_old_dump_of_a_key_does_not_open_with_the_newest_keyring(self):
        token = self.create(1)[0]
        columns = "customer_id, dek_generation, epoch, encode(wrapped, 'hex')"
        dump = self.a.cluster.sql("SELECT %s FROM vault.customer_key" % columns)[0]
        wrapped = bytes.fromhex(dump[3])
        before = keyring.Keyring(self.a.keys)
        dek = self.unwrap(before.keks[1], wrapped)
        self.rotate()
        self.rewrapped()
        now = bytes.fromhex(self.a.cluster.sql("SELECT encode(wrapped, 'hex') FROM vault.customer_key")[0][0])
        self.assertEqual(self.unwrap(keyring.Keyring(self.a.keys).keks[2], now), dek, "the same key, wrapped anew")
        out = self.destroyed()
        self.assertIn("new root key", out)
        after = keyring.Keyring(self.a.keys)
        self.assertEqual(after.keys, before.keys, "ledger, audit, token, index and signing keys survive")
        self.assertNotEqual(after.root, before.root)
        self.assertEqual(after.keks[1], bytes(32))
        for key in [*after.keks.values(), *after.keys, after.root]:
            self.assertNotEqual(self.unwrap(key, wrapped), dek)
        # The first read of all: what an executor derives from the keyring only now does not hang on the one that was replaced.
        path = "/v1/customers/%s?fields=email&form=plain" % token
        self.assertEqual(self.core.get(path).status, 200)
        # Put back as a restore would: the vault does not serve it.
        self.a.cluster.sql("UPDATE vault.customer_key SET epoch = 1, wrapped = '\\x%s'" % dump[3])
        reply = self.core.get(path)
        self.assertEqual((reply.status, reply.code), (503, "key_epoch"), reply)
        self.assertNotIn(b"example.com", reply.body)

    def test_a_database_restored_from_before_a_rotation_goes_on_with_the_keyrings_epoch(self):
        token = self.create(1)[0]
        self.rotate()
        self.destroyed()
        for v in (self.a, self.b):
            v.stop()
        # key_epoch as it was in the dump; customer_key is the newest copy.
        self.a.cluster.sql("DELETE FROM vault.key_epoch WHERE epoch = 2; "
                           "UPDATE vault.key_epoch SET state = 'active', retired_at = NULL, destroyed_at = NULL, gone_at = NULL WHERE epoch = 1")
        self.a.start()
        self.assertEqual(self.core.get("/v1/customers/" + token).status, 200)
        self.assertEqual([(e["epoch"], e["state"]) for e in self.epochs().values()], [(1, "retiring"), (2, "active")])
        self.assertEqual(self.core.post("/v1/customers", {"fields": {"email": "x@example.com"}}).status, 201)

    def test_a_rewrap_never_brings_an_erased_customers_key_back(self):
        self.create(50)
        gone = self.a.cluster.sql("DELETE FROM vault.customer_key WHERE customer_id IN (SELECT customer_id FROM vault.customer LIMIT 10) RETURNING customer_id")
        self.rotate()
        self.rewrapped()
        left = {r[0] for r in self.a.cluster.sql("SELECT customer_id FROM vault.customer_key")}
        self.assertEqual(len(left), 40)
        self.assertFalse(left & {r[0] for r in gone})

    def test_a_backup_opens_with_its_key_alone_and_is_no_way_back_to_a_destroyed_epoch(self):
        file, key = vault.folder() / "kept.backup", vault.folder() / "kept.key"
        made = self.a.ctl("key", "backup", file, "--backup-key", key)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("epoch 1, active: matters until", made.stdout)
        self.assertEqual((file.stat().st_mode & 0o777, key.stat().st_mode & 0o777), (0o600, 0o400))
        self.assertEqual(self.a.ctl("key", "backup", file, "--backup-key", key).returncode, 1)
        self.create(1)
        self.rotate()
        self.destroyed()
        refused = self.a.ctl("key", "restore", file, "--backup-key", key)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("not put in the place", refused.stderr)


class Certificate(test_api.Api):
    """When an erasure is final is told from the epoch of the customer's key."""

    @classmethod
    def setUpClass(cls):
        test_api.setUpModule()

    def test_it_promises_no_date_and_names_the_day_when_nothing_opens_the_key_any_more(self):
        v = test_api.V
        fields = test_api.PEOPLE.fields()
        self.create(fields)
        customer = self.found_by_desk(fields)
        one, two = self.client("compliance-1", "rights"), self.client("compliance-2", "rights")
        request = self.expect(self.desk.post("/v1/rights-requests", {"customer": customer, "kind": "erase"}), 201)
        path = "/v1/rights-requests/" + request["id"]
        self.expect(one.post(path + ":verify"), 200)
        request = self.expect(one.post(path + ":submit", {"identity_check": "seen"}), 200)
        for officer in (one, two):
            self.expect(officer.post(path + ":approve", {"scope_hash": request["scope_hash"]}), 200)
        vault.wait_until(lambda: self.expect(one.get(path), 200)["request"]["state"] == "completed", 20, "erased")

        def final():
            return self.expect(self.desk.get(path + "/certificate"), 200)["document"]["final_in_backups"]

        now = final()
        self.assertEqual((now["key_epoch"], now["state"], now["final_at"]), (1, "active", None))
        self.assertTrue(now["planned_at"])
        v.cluster.sql("UPDATE vault.key_epoch SET activated_at = now() - interval '100 days'")
        self.assertIsNone(final()["planned_at"], "a plan that was not kept is no promise")
        v.cluster.sql("UPDATE vault.key_epoch SET activated_at = now()")
        self.assertEqual(v.cluster.sql("SELECT key_epoch FROM vault.erasure ORDER BY position DESC LIMIT 1"), [["1"]])
        v.cluster.sql("INSERT INTO vault.key_epoch (epoch, state, check_value, activated_at, retired_at, destroyed_at, gone_at) "
                      "VALUES (0, 'destroyed', 0, now(), now(), now(), now())")
        self.addCleanup(v.cluster.sql, "DELETE FROM vault.key_epoch WHERE epoch = 0")
        self.assertIsNone(final()["final_at"], "an earlier epoch that is gone is not enough")


if __name__ == "__main__":
    vault.main()
