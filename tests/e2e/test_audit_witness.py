"""audit witness: a witness cosigns what only grows, remembers it, and refuses all else as C2SP tlog-witness says."""

import base64
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import logs
import vault
from logs import OK, REFUSED, USAGE, Case, make_log, some_log, tlog, verify_log


class Witness:
    """A witness as a process, on a free port."""

    def __init__(self, case, name="w1"):
        self.case, self.key, self.state = case, case.folder / name, case.folder / (name + ".state")
        self.vkey = vault.run(vault.VAULTCTL, "audit", "witness-key", self.key, "--name", f"witness.example/{name}", check=True).stdout.strip()
        self.process = self.port = None

    def start(self, *more):
        self.process = subprocess.Popen([str(a) for a in (vault.VAULTCTL, "audit", "witness", "--key", self.key, "--state", self.state,
                                                          "--log", self.case.key, "--listen", "127.0.0.1:0", *more)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=vault.clean_environment())
        line = self.process.stdout.readline()
        if "http://127.0.0.1:" not in line:
            raise AssertionError(self.process.communicate(timeout=10)[1])
        self.port = int(line.split("http://127.0.0.1:")[1].split()[0])
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process.stdout.close()
            self.process.stderr.close()
            self.process = None

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            c.request(method, path, body)
            reply = c.getresponse()
            return reply.status, reply.getheader("Content-Type"), reply.read()
        finally:
            c.close()

    def add(self, old, log, size=None, proof=None, note=None):
        """add-checkpoint of the log's first size records."""
        size = len(log.records) if size is None else size
        if proof is None:
            proof = tlog.consistency(log.hashes[:size], old) if 0 < old <= size else []
        lines = [f"old {old}"] + [base64.b64encode(h).decode() for h in proof]
        return self.ask("POST", "/add-checkpoint", ("\n".join(lines) + "\n\n").encode() + (note or log.checkpoint(size)))


class Cosigning(unittest.TestCase):
    def setUp(self):
        self.log = some_log(400)
        self.case = Case(self.id().rsplit(".", 1)[1], self.log)
        self.witness = Witness(self.case).start("--new")
        self.addCleanup(self.witness.stop)

    def assert_cosigned(self, reply, size):
        status, kind, body = reply
        self.assertEqual(status, 200, body)
        note = tlog.Note(self.log.checkpoint(size) + body)
        self.assertTrue(note.signed_by(tlog.Key(self.witness.vkey)))
        when = int.from_bytes(note.lines[-1][2][:8], "big")
        self.assertLess(abs(when - time.time()), 600)
        return body

    def test_a_log_that_grows_is_cosigned_and_its_cosignature_counts(self):
        self.assert_cosigned(self.witness.add(0, self.log, 0), 0)
        self.assert_cosigned(self.witness.add(0, self.log, 1), 1)
        old = 1
        for size in (2, 3, 7, 64, 255, 256, 257, 300, 400):
            line = self.assert_cosigned(self.witness.add(old, self.log, size), size)
            old = size
        (self.case.copy / "checkpoint").write_bytes(self.log.checkpoint() + line)
        self.case.trust_witnesses(self.witness.vkey)
        self.assertEqual(self.case.judge(), (None, None))

    def test_the_same_checkpoint_is_cosigned_again(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        self.assert_cosigned(self.witness.add(100, self.log, 100, []), 100)

    def test_another_old_size_is_answered_with_the_right_one(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        for old in (0, 99, 101, 200):
            self.assertEqual(self.witness.add(old, self.log, 200), (409, "text/x.tlog.size", b"100\n"))
        self.assert_cosigned(self.witness.add(100, self.log, 200), 200)

    def test_a_replayed_old_checkpoint_is_refused(self):
        self.assert_cosigned(self.witness.add(0, self.log, 200), 200)
        self.assertEqual(self.witness.add(0, self.log, 100), (409, "text/x.tlog.size", b"200\n"))
        self.assertEqual(self.witness.add(200, self.log, 100, [])[0], 400)

    def test_another_history_is_refused(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        other = some_log(400, seed=2)
        self.assertEqual(self.witness.add(100, other, 200)[0], 422)
        self.assertEqual(self.witness.add(100, other, 100, [])[0], 422)
        self.assertEqual(self.witness.add(100, self.log, 200, [])[0], 422)
        proof = tlog.consistency(self.log.hashes[:200], 100)
        self.assertEqual(self.witness.add(100, self.log, 200, proof + [bytes(32)])[0], 422)
        self.assertEqual(self.witness.add(100, self.log, 200, proof[:-1])[0], 422)
        self.assertEqual(self.witness.add(100, self.log, 200, proof[::-1])[0], 422)
        self.assert_cosigned(self.witness.add(100, self.log, 200), 200)

    def test_a_proof_where_none_belongs_is_refused(self):
        self.assertEqual(self.witness.add(0, self.log, 200, [bytes(32)])[0], 422)
        wrong = make_log.Log([], logs.SEED)
        body = tlog.checkpoint_body(wrong.origin, 0, bytes(32))
        self.assertEqual(self.witness.add(0, wrong, 0, [], wrong.checkpoint(body=body))[0], 422)

    def test_unknown_logs_and_signatures_are_refused(self):
        other = make_log.Log(self.log.records, logs.SEED, "vault.example/audit/2")
        self.assertEqual(self.witness.add(0, other)[0], 404)
        forged = make_log.Log(self.log.records, bytes(32))
        self.assertEqual(self.witness.add(0, forged)[0], 403)
        note = bytearray(self.log.checkpoint())
        note[-10] = ord("A") if note[-10] != ord("A") else ord("B")
        self.assertEqual(self.witness.add(0, self.log, note=bytes(note))[0], 403)
        # A line that is not of the key is none of its business.
        self.assert_cosigned(self.witness.add(0, self.log, note=self.log.checkpoint() + forged.checkpoint().split(b"\n\n")[1]), 400)

    def test_bodies_without_their_form_are_refused(self):
        good = b"old 0\n\n" + self.log.checkpoint()
        for bad in (b"", b"old 0\n", b"old\n\n", good[1:], good[:-1], good.replace(b"old 0", b"old 00"), good.replace(b"old 0", b"old -1"),
                    good.replace(b"old 0\n", b"old 0\r\n"), good.replace(b"\n\n", b"\nAAAA\n\n", 1), good.replace(b"400", b"0400"),
                    b"old 99999999999999999999\n\n" + self.log.checkpoint(), b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + self.log.checkpoint()):
            self.assertEqual(self.witness.ask("POST", "/add-checkpoint", bad)[0], 400, bad)
        self.assertEqual(self.witness.ask("GET", "/add-checkpoint")[0], 405)
        self.assertEqual(self.witness.ask("GET", "/")[0], 404)
        self.assertEqual(self.witness.ask("POST", "/checkpoint", b"x")[0], 404)
        self.assertEqual(self.witness.ask("POST", "/add-checkpoint", bytes(300000))[0], 413)

    def test_its_last_checkpoint_can_be_read(self):
        path = f"/{hashlib.sha256(self.log.origin.encode()).hexdigest()}/checkpoint"
        self.assertEqual(self.witness.ask("GET", path)[0], 404)
        line = self.assert_cosigned(self.witness.add(0, self.log), 400)
        status, kind, body = self.witness.ask("GET", path)
        self.assertEqual((status, body), (200, self.log.checkpoint() + line))
        self.assertEqual(body, self.witness.state.read_bytes())

    # ---- memory ----

    def test_it_remembers_over_kill_9(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        self.witness.stop(signal.SIGKILL)
        self.witness.start()
        self.assertEqual(self.witness.add(0, self.log, 200), (409, "text/x.tlog.size", b"100\n"))
        self.assert_cosigned(self.witness.add(100, self.log, 200), 200)

    def test_killed_at_any_moment_it_never_forgets_what_it_has_cosigned(self):
        known = 0
        for cycle in range(8):
            seen = []

            def drive(at):
                try:
                    for size in range(at + 1, at + 40):
                        status, _, body = self.witness.add(at, self.log, size)
                        if status != 200:
                            at = int(body) if status == 409 else at
                            continue
                        seen.append(size)
                        at = size
                except (OSError, http.client.HTTPException):
                    pass
            driver = threading.Thread(target=drive, args=(known,))
            driver.start()
            time.sleep(0.03 + 0.02 * cycle)
            self.witness.stop(signal.SIGKILL)
            driver.join()
            self.witness.start()
            status, _, body = self.witness.add(400, self.log, 400, [bytes(32)])
            self.assertEqual(status, 409)
            known = int(body)
            self.assertGreaterEqual(known, max(seen, default=0))
        self.assertGreater(known, 0)

    def test_what_it_can_not_store_it_does_not_cosign(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        blocker = self.witness.state.with_name(self.witness.state.name + ".new")
        blocker.mkdir()
        self.assertEqual(self.witness.add(100, self.log, 200)[0], 500)
        blocker.rmdir()
        self.assertEqual(self.witness.add(0, self.log, 200)[2], b"100\n")
        self.assert_cosigned(self.witness.add(100, self.log, 200), 200)

    def refused(self, code, words, *more):
        done = vault.run(vault.VAULTCTL, "audit", "witness", "--key", self.witness.key, "--state", self.witness.state, "--log", self.case.key,
                         "--listen", "127.0.0.1:0", *more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(words, done.stderr)

    def test_it_does_not_start_twice_or_without_its_memory_or_with_another_one(self):
        self.assert_cosigned(self.witness.add(0, self.log, 100), 100)
        self.refused(REFUSED, "another process has it")
        self.witness.stop()
        self.refused(REFUSED, "a witness begins once", "--new")
        kept = self.witness.state.read_bytes()
        self.witness.state.write_bytes(self.log.checkpoint(50))
        self.refused(REFUSED, "is not what this witness has cosigned")
        self.witness.state.write_bytes(kept.replace(b"\n100\n", b"\n101\n"))
        self.refused(REFUSED, "is not what this witness has cosigned")
        self.witness.state.unlink()
        self.refused(REFUSED, "A witness that has forgotten")
        os.chmod(self.witness.key, 0o644)
        self.refused(USAGE, "mode 0600")

    def test_its_key_is_made_once_and_for_its_owner_alone(self):
        self.assertEqual(self.witness.key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(vault.run(vault.VAULTCTL, "audit", "witness-key", self.witness.key, "--name", "x.example").returncode, REFUSED)
        self.assertEqual(vault.run(vault.VAULTCTL, "audit", "witness-key", self.witness.key).stdout.strip(), self.witness.vkey)
        self.assertEqual(vault.run(vault.VAULTCTL, "audit", "witness-key", self.case.folder / "k2", "--name", "a b").returncode, USAGE)
        self.assertFalse((self.case.folder / "k2").exists())

    # ---- the listener ----

    def test_many_at_once_are_served_in_some_order_and_none_goes_back(self):
        self.assert_cosigned(self.witness.add(0, self.log, 10), 10)
        replies = []
        threads = [threading.Thread(target=lambda n=n: replies.append(self.witness.add(10, self.log, 11 + n))) for n in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(r[0] for r in replies), [200] + [409] * 15)

    def test_a_request_that_drips_is_cut(self):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.witness.port)) as s:
            s.settimeout(1)
            s.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: l\r\nX: ")
            closed = False
            while not closed and time.monotonic() - started < 40:
                try:
                    s.sendall(b"a")
                    closed = s.recv(100) == b""
                except TimeoutError:
                    pass
                except OSError:
                    closed = True
        self.assertTrue(closed)
        self.assertLess(time.monotonic() - started, 30)
        self.assert_cosigned(self.witness.add(0, self.log, 10), 10)


if __name__ == "__main__":
    vault.main()
