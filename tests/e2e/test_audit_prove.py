"""The audit log of a real vault, copied, proved and witnessed: by vaultctl and by its twin, who trust nothing but its key."""

import json
import shutil
import signal
import unittest

import audit_log
import logs
import vault
from logs import FAILED, OK, REFUSED, tlog, verify_log
from test_audit_witness import Witness


class Copy:
    """A copy of a vault's log in a folder, with its key."""

    def __init__(self, v, name, number=None):
        self.vault, self.number = v, number
        self.folder = vault.folder() / name
        self.folder.mkdir()
        self.copy, self.key = self.folder / "log", self.folder / "key"
        self.url = f"https://127.0.0.1:{v.port}/v1/audit/log"
        self.more = ["--number", number] if number else []
        self.key.write_text(v.ctl("audit", "log-key", *self.more, certificate="security", check=True).stdout)

    def fetch(self, code=OK):
        done = self.vault.ctl("audit", "fetch", self.url, self.copy, *self.more, certificate="security")
        if done.returncode != code:
            raise AssertionError(f"exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def fetched(self):
        """(records, tiles fetched, tiles in all)"""
        words = self.fetch().stdout.split()
        return int(words[0]), int(words[3]), int(words[5])

    def verify(self, *more, where=None):
        """vaultctl's JSON, after the twin has said the same."""
        done = vault.run(vault.VAULTCTL, "--json", "audit", "verify", where or self.copy, "--log", self.key, *more)
        told = json.loads(done.stdout)
        try:
            theirs = verify_log.verify(verify_log.Folder(self.copy), verify_log.keys_of(self.key)[0])
        except tlog.Bad as e:
            theirs = {"verified": False, "check": e.name, "index": e.index}
        for name in ("verified", "check", "index", "size", "root", "streams"):
            if told.get(name) != theirs.get(name):
                raise AssertionError(f"vaultctl says {told}, its twin {theirs}")
        return told

    def checkpoint(self):
        return tlog.Checkpoint((self.copy / "checkpoint").read_bytes())

    def hashes(self):
        """The leaf hashes that the copy's tiles have."""
        size, out = self.checkpoint().size, []
        for n in range((size + 255) >> 8):
            data = verify_log.read_tile(verify_log.Folder(self.copy), 0, n, min(256, size - 256 * n), 256 * n)
            out += [data[i:i + 32] for i in range(0, len(data), 32)]
        return out


def write_people(v, n, batch=""):
    """n customers; the ids of the records that this left."""
    people = [{"fields": {"email": f"prove-{batch}-{i}@example.com"}} for i in range(n)]
    core = v.client("crm-core", "onboarding")
    reply = core.post("/v1/customers:batch", {"mode": "atomic", "items": people})
    core.close()
    assert reply.status == 200, reply
    return audit_log.ids_of(reply.headers["Audit-Record"])


def wait_sealed(v, record):
    security = v.client("security")
    vault.wait_until(lambda: security.get(f"/v1/audit/records/{record}/proof").status == 200, 20, f"{record} is sealed")
    security.close()


class Proving(unittest.TestCase):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1].removeprefix("test_")[:30]
        self.vault = vault.Vault(self.name, audit_origin="vault.example/audit").start()
        self.addCleanup(self.vault.close)

    def write(self, n, batch=""):
        ids = write_people(self.vault, n, batch)
        wait_sealed(self.vault, ids[-1])
        return ids

    def test_a_log_is_copied_proved_and_remembered(self):
        self.write(300)
        copy = Copy(self.vault, self.name + "-copy")
        security = self.vault.client("security")
        self.addCleanup(security.close)
        seed_key = security.get("/v1/signing-key").json["key"]
        self.assertEqual(copy.key.read_text().strip(), tlog.vkey("vault.example/audit", tlog.NOTE, bytes.fromhex(seed_key)))
        size, fetched, tiles = copy.fetched()
        self.assertEqual(fetched, tiles)
        first = copy.verify()
        self.assertEqual((first["verified"], first["size"], first["earlier"]), (True, size, []))
        # What is new, and no more, is fetched; what was proved is held against it.
        self.write(300, "second")
        more, fetched, tiles = copy.fetched()
        self.assertGreater(more, size + 299)
        self.assertLess(fetched, tiles)
        second = copy.verify()
        self.assertEqual((second["verified"], second["size"], second["earlier"]), (True, more, [size]))
        # A partial tile goes when the full one is there.
        self.assertFalse((copy.copy / tlog.tile_path(0, size >> 8, size & 255)).exists())

    def test_a_copy_that_was_cut_off_is_completed(self):
        self.write(600)
        copy = Copy(self.vault, self.name + "-copy")
        copy.fetch()
        lost = [tlog.tile_path(0, 0), tlog.tile_path("entries", 1)]
        for name in lost:
            (copy.copy / name).unlink()
        (copy.copy / tlog.tile_path(0, 1)).write_bytes(b"")  # of a machine that died
        (copy.copy / "checkpoint").unlink()
        self.assertEqual(copy.verify()["check"], "checkpoint")
        copy.fetch()
        self.assertTrue(copy.verify()["verified"])

    def test_the_vault_itself_is_proved_over_the_network_by_both(self):
        self.write(400)
        copy = Copy(self.vault, self.name + "-copy")
        done = self.vault.ctl("--json", "audit", "verify", copy.url, "--log", copy.key, certificate="security", check=True)
        told = json.loads(done.stdout)
        self.assertGreater(told["size"], 400)
        certs = self.vault.certs
        theirs = vault.run("python3", vault.ROOT / "tests/twin/verify_log.py", copy.url, "--key", copy.key, "--cert", certs / "security.pem",
                           "--tls-key", certs / "security.key", "--ca", certs / "ca.pem", check=True)
        self.assertTrue(json.loads(theirs.stdout)["verified"])

    def test_who_may_not_read_the_log_gets_none_of_it(self):
        self.write(3)
        copy = Copy(self.vault, self.name + "-copy")
        done = self.vault.ctl("audit", "fetch", copy.url, copy.copy, certificate="crm-core")
        self.assertEqual(done.returncode, REFUSED)
        self.assertEqual(logs.files(copy.copy), [])

    def test_kill_9_leaves_a_log_that_is_whole(self):
        for cycle in range(4):
            write_people(self.vault, 20, str(cycle))
            self.vault.kill()
            self.vault.start()
        ids = self.write(5, "last")
        copy = Copy(self.vault, self.name + "-copy")
        copy.fetch()
        told = copy.verify()
        self.assertTrue(told["verified"], told)
        self.assertGreaterEqual(told["streams"], 5)
        self.assertTrue(ids)

    def test_a_record_is_proved_to_who_made_the_request_and_to_who_reads_the_log(self):
        ids = self.write(3)
        copy = Copy(self.vault, self.name + "-copy")
        proof, record = copy.folder / "proof", copy.folder / "record"
        check = [vault.VAULTCTL, "audit", "verify-record", proof]
        # Its own request: the proof, not the record.
        proof.write_text(self.vault.ctl("audit", "proof", ids[1], certificate="crm-core", check=True).stdout)
        done = vault.run(*check, "--log", copy.key)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn("was not shown", done.stdout)
        self.assertEqual(self.vault.ctl("audit", "proof", ids[1], certificate="service-desk").returncode, REFUSED)
        self.assertEqual(self.vault.ctl("audit", "proof", "999-999", certificate="security").returncode, REFUSED)
        # With the record.
        proof.write_text(self.vault.ctl("audit", "proof", ids[1], "--record", record, certificate="security", check=True).stdout)
        self.assertEqual(vault.run(*check, record, "--log", copy.key, "--id", ids[1]).returncode, OK)
        self.assertEqual(vault.run(*check, record, "--log", copy.key, "--id", ids[2]).returncode, FAILED)
        tlog.Proof(proof.read_bytes()).check(record.read_bytes(), verify_log.keys_of(copy.key)[0])
        self.assertEqual(json.loads(record.read_bytes())["id"], ids[1])
        record.write_bytes(record.read_bytes().replace(b'"success"', b'"failure"'))
        self.assertEqual(vault.run(*check, record, "--log", copy.key).returncode, FAILED)

    def test_a_copy_that_was_tampered_with_is_caught(self):
        self.write(300)
        copy = Copy(self.vault, self.name + "-copy")
        copy.fetch()
        copy.verify()
        whole = copy.folder / "whole"
        shutil.copytree(copy.copy, whole)
        path = copy.copy / tlog.tile_path("entries", 0)
        data = path.read_bytes()
        at = data.index(b'"success"', 40000)
        path.write_bytes(data[:at] + b'"succesS"' + data[at + 9:])
        told = copy.verify()
        self.assertEqual(told["check"], "leaf_hash")
        # An old checkpoint with the tree that it signs: no hash is wrong, and yet it is caught.
        shutil.rmtree(copy.copy)
        shutil.copytree(whole, copy.copy)
        self.write(3, "more")
        copy.fetch()
        self.assertTrue(copy.verify()["verified"])
        done = vault.run(vault.VAULTCTL, "--json", "audit", "verify", whole, "--log", copy.key)
        self.assertEqual((done.returncode, json.loads(done.stdout)["check"]), (FAILED, "rollback"))

    def test_a_witness_cosigns_what_grows_and_refuses_the_old(self):
        self.write(50)
        copy = Copy(self.vault, self.name + "-copy")
        copy.fetch()
        old = copy.checkpoint()
        witness = Witness(copy, "w1").start("--new")
        self.addCleanup(witness.stop)
        head = b"old 0\n\n"
        self.assertEqual(witness.ask("POST", "/add-checkpoint", head + old.data)[0], 200)
        self.write(300, "more")
        copy.fetch()
        new, hashes = copy.checkpoint(), copy.hashes()
        proof = "".join(tlog.base64.b64encode(h).decode() + "\n" for h in tlog.consistency(hashes, old.size))
        status, _, line = witness.ask("POST", "/add-checkpoint", f"old {old.size}\n{proof}\n".encode() + new.data)
        self.assertEqual(status, 200, line)
        self.assertEqual(witness.ask("POST", "/add-checkpoint", head + old.data), (409, "text/x.tlog.size", f"{new.size}\n".encode()))
        # The checkpoint with its cosignature is what counts for those who trust the witness.
        (copy.folder / "witnesses").write_text(witness.vkey + "\n")
        trusting = ["--witnesses", copy.folder / "witnesses"]
        self.assertEqual(copy_check(copy, *trusting), "cosignatures")
        (copy.copy / "checkpoint").write_bytes(new.data + line)
        self.assertEqual(copy_check(copy, *trusting), None)

    def test_a_log_behind_a_break_is_proved_and_says_so(self):
        self.write(30)
        first = Copy(self.vault, self.name + "-first")
        first.fetch()
        self.vault.ctl("audit", "new-origin", "vault.example/audit/2", check=True)
        self.write(30, "second")
        second = Copy(self.vault, self.name + "-second")
        second.fetch()
        told = second.verify()
        self.assertEqual((told["verified"], told["behind_break"], told["origin"]), (True, True, "vault.example/audit/2"))
        # The first one is still there, whole, and not taken for the second.
        again = Copy(self.vault, self.name + "-again", number=1)
        again.fetch()
        told = again.verify()
        self.assertEqual((told["verified"], told["behind_break"], told["origin"]), (True, False, "vault.example/audit"))
        self.assertEqual(self.vault.ctl("audit", "fetch", first.url, first.copy, certificate="security").returncode, REFUSED)


def copy_check(copy, *more):
    done = vault.run(vault.VAULTCTL, "--json", "audit", "verify", copy.copy, "--log", copy.key, *more)
    return json.loads(done.stdout).get("check")


if __name__ == "__main__":
    vault.main()
