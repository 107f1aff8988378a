"""`make run`, `make up` and `make down`, in a state folder and on ports of their own."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import unittest

import vault


class Run(unittest.TestCase):
    def setUp(self):
        self.state = vault.folder() / ("state-" + self._testMethodName)
        self.port, self.operations_port = vault.free_port(), vault.free_port()
        self.env = vault.clean_environment(
            STATE_FOLDER=self.state, VAULT_LISTEN_PORT=self.port, VAULT_OPERATIONS_PORT=self.operations_port)
        self.addCleanup(self.remove)

    def remove(self):
        self.script("down")
        vault.run(vault.ROOT / ".dev/cluster.sh", "remove", self.state / "pg")

    def script(self, command, **env):
        return vault.run(vault.ROOT / ".dev/vault.sh", command, env={**self.env, **env}, timeout=300)

    def answers(self):
        with socket.socket() as s:
            s.settimeout(2)
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def tour(self, output):
        """Runs the curl lines as pasted; [(status, body), ...]."""
        replies = []
        for line in re.findall(r"^curl .*$", output, re.M):
            done = vault.run(*shlex.split(line), "-s", "-w", "\n%{http_code}")
            body, _, status = done.stdout.rpartition("\n")
            replies.append((int(status), json.loads(body)))
        return replies

    def test_up_loads_the_sample_once_and_prints_three_lines_that_work(self):
        first = self.script("up")
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        self.assertIn("sample: 1000 customers and 2022 records loaded", first.stdout)

        tokens, masked, refused = self.tour(first.stdout)
        self.assertEqual(tokens[0], 200)
        self.assertEqual({f["form"] for f in tokens[1]["fields"].values()}, {"token"})
        self.assertTrue(all("value" not in f for f in tokens[1]["fields"].values()))
        self.assertEqual(masked[0], 200)
        self.assertEqual(masked[1]["fields"]["phone"]["value"], "138****0007")
        self.assertEqual((refused[0], refused[1]["code"]), (403, "policy_denied"))

        again = self.script("up")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("up already", again.stdout)
        other = self.script("up", VAULT_LISTEN_PORT=str(vault.free_port()), VAULT_OPERATIONS_PORT=str(vault.free_port()))
        self.assertEqual((other.returncode, other.stderr), (0, ""))
        self.assertIn(f"up already at https://127.0.0.1:{self.port} ", other.stdout)
        run = self.script("run")
        self.assertEqual(run.returncode, 1)
        self.assertIn("runs already in the background", run.stderr)

        self.assertEqual(self.script("down").returncode, 0)
        self.assertFalse(self.answers())
        third = self.script("up")
        self.assertEqual(third.returncode, 0, third.stdout + third.stderr)
        self.assertNotIn("sample:", third.stdout)
        self.assertEqual([status for status, _ in self.tour(third.stdout)], [200, 200, 403])

    def test_interrupt_stops_all_of_it_and_data_stays(self):
        with open(vault.folder() / "run.out", "w+") as out:
            process = subprocess.Popen([vault.ROOT / ".dev/vault.sh", "run"], env=self.env, cwd=vault.ROOT, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, start_new_session=True)
            try:
                def output():
                    out.seek(0)
                    return out.read()

                vault.wait_until(lambda: "Ctrl-C stops" in output() or process.poll() is not None, 120, "it runs")
                self.assertIsNone(process.poll(), output())
                self.assertTrue(self.answers())
                # As a terminal does: to each process of the foreground group.
                os.killpg(process.pid, signal.SIGINT)
                self.assertEqual(process.wait(60), 0, output())
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait(60)
        self.assertFalse(self.answers())
        self.assertNotEqual(vault.run(vault.ROOT / ".dev/cluster.sh", "status", self.state / "pg").returncode, 0)
        self.assertTrue((self.state / "pg/data/PG_VERSION").exists() or (self.state / "pg/base").exists())

    def test_a_busy_port_is_named_and_nothing_is_left(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", self.port))
            s.listen()
            done = self.script("up")
        self.assertEqual(done.returncode, 1)
        self.assertIn("port %d is in use by another program: stop it, or set VAULT_LISTEN_PORT" % self.port, done.stderr)
        self.assertNotEqual(vault.run(vault.ROOT / ".dev/cluster.sh", "status", self.state / "pg").returncode, 0)

    def test_a_vaultd_that_does_not_get_ready_shows_the_end_of_its_log(self):
        done = self.script("up", VAULT_DATABASE_URL="host=/nonexistent", VAULT_MIGRATE_URL="host=/nonexistent")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotEqual(done.stderr, "")
        done = self.script("up", VAULT_LOG_LEVEL="loud")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("VAULT_LOG_LEVEL", done.stderr + done.stdout)
        self.assertFalse(self.answers())

    def test_a_database_of_ones_own_is_used_and_needs_its_owner(self):
        with vault.Cluster() as cluster:
            done = self.script("up", VAULT_DATABASE_URL=cluster.database_url)
            self.assertEqual(done.returncode, 1)
            self.assertIn("VAULT_MIGRATE_URL", done.stderr)
            done = self.script("up", VAULT_DATABASE_URL=cluster.database_url, VAULT_MIGRATE_URL=cluster.migrate_url)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(cluster.sql("SELECT count(*) FROM vault.customer"), [["1000"]])
            self.assertFalse((self.state / "pg/data").exists())
            started = time.monotonic()
            self.assertEqual(self.script("down").returncode, 0)
            self.assertLess(time.monotonic() - started, 20)


if __name__ == "__main__":
    vault.main()
