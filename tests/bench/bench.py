"""The bench: vaultd, nginx and pgbench in one run, in interleaved rounds, by one load client.

Prints a table and writes build/bench.json. Called by run.sh, which builds the client."""
import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e")]

import peers  # noqa: E402
import proc  # noqa: E402
import seal  # noqa: E402
import verify  # noqa: E402
import vault as e2e  # noqa: E402

LOAD = os.path.join(TOP, "build", "bench", "load")
WORKS = ["read_plain_10", "read_masked_10", "detokenize_1", "detokenize_100", "create_10", "batch_create_1000",
         "search_eq"]
VERIFY = "verify_log"  # of vaultctl, without a vault
SEAL = "seal_log"  # of the sealer, after the rounds
CONNECTIONS = [1, 16, 64, 256]
# A batch of a thousand customers keeps one executor busy for tens of milliseconds and weighs 700 kB: 256 at once would
# wait for longer than a request may, which is what the queue is for and no figure of throughput.
CONNECTIONS_OF = {"batch_create_1000": [1, 16, 64]}
PGBENCH_ALSO = [8]  # near its best on 2 cores, so that "best" does not depend on our four counts


def number(name, default):
    return float(os.environ.get(name, default))


class Client:
    """Runs the load client and reads CPU time at both edges of its window."""

    def __init__(self, certs, people):
        self.identity = ["--ca", f"{certs}/ca.pem", "--cert", f"{certs}/crm-core.pem", "--key", f"{certs}/crm-core.key"]
        self.people = people

    def seed(self, port, customers):
        subprocess.run([LOAD, "seed", "--port", str(port), *self.identity, "--customers", str(customers), "--file",
                        self.people], check=True, timeout=600)

    def run(self, port, work, connections, seconds, meters):
        """meters: name -> function that reads a counter. Returns the client's report with {name: difference}."""
        command = [LOAD, "run", "--port", str(port), *self.identity, "--work", work, "--connections", str(connections),
                   "--seconds", str(seconds), "--file", self.people, "--sync"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
            guard = threading.Timer(seconds + 120, p.kill)
            guard.start()
            try:
                report = self._edges(p, meters)
                report["failed"] = p.wait() != 0
            finally:
                guard.cancel()
                if p.poll() is None:
                    p.kill()
        return report

    @staticmethod
    def _edges(p, meters):
        before, after, report = {}, {}, {}
        for line in p.stdout:
            if line == "BEGIN\n":
                before = {name: read() for name, read in meters.items()}
            elif line == "END\n":
                after = {name: read() for name, read in meters.items()}
                with contextlib.suppress(BrokenPipeError):
                    p.stdin.write("\n")
                    p.stdin.flush()
            else:
                report = json.loads(line)
        for name in meters:
            report[name] = after.get(name, 0) - before.get(name, 0)
            report[name + "_at_end"] = after.get(name, 0)
        return report


class Bench:
    def __init__(self, options, stack):
        self.o = options
        self.samples = {}  # (work, connections) -> reports, one a round
        self.pgbench = {}  # clients -> transactions a second, one a round
        self.stack = stack

    def start(self):
        """A cluster that both the vault and pgbench use, the vault under the bench's own policy, nginx."""
        cluster = self.stack.enter_context(e2e.Cluster("bench-pg"))
        # 256 clients of pgbench, and its tables and the vault's in memory: nobody is compared with a cold disk.
        cluster.sql("ALTER SYSTEM SET max_connections = 300")
        cluster.sql("ALTER SYSTEM SET shared_buffers = '512MB'")
        cluster.stop()
        cluster.start()
        self.postmaster = cluster.pid()
        self.vault = self.stack.enter_context(e2e.Vault("bench", cluster=cluster, search_budget=1000000000, customer_budget=1000000000))
        self.vault.ctl("policy", "activate", os.path.join(HERE, "bench.policy"), check=True)
        self.nginx = peers.Nginx(str(e2e.folder() / "nginx"), str(self.vault.certs))
        self.stack.callback(self.nginx.stop)
        self.client = Client(str(self.vault.certs), str(e2e.folder() / "customers"))
        note(f"seeding {self.o.customers} customers")
        self.client.seed(self.vault.port, self.o.customers)
        self.select = peers.Pgbench(str(cluster.bin), cluster.superuser_url, str(cluster.data))
        cluster.sql("VACUUM ANALYZE")
        cluster.sql("CHECKPOINT")

    def rounds(self):
        for i in range(self.o.rounds):
            for connections in self.o.connections:
                self.measure_select(connections)
                self.measure("nginx_static", connections)
                for work in self.o.works:
                    if work not in (VERIFY, SEAL) and connections in CONNECTIONS_OF.get(work, self.o.connections):
                        self.measure(work, connections)
            for clients in PGBENCH_ALSO:
                self.measure_select(clients)
            note(f"round {i + 1} of {self.o.rounds} done")

    def seal(self):
        """Records that 64 readers leave, sealed afterwards."""
        return seal.measure(self.vault, lambda: self.client.run(self.vault.port, "read_plain_10", 64, self.o.seconds * 2, {}))

    def measure_select(self, clients):
        self.pgbench.setdefault(clients, []).append(self.select.select(clients, self.o.seconds))

    def measure(self, work, connections):
        if work == "nginx_static":
            report = self.client.run(self.nginx.port, "get", connections, self.o.seconds, {})
        else:
            seconds = self.o.seconds * (2 if work.startswith("batch") else 1)
            report = self.client.run(self.vault.port, work, connections, seconds, self.meters())
        if report["failed"] or report.get("active") != connections:
            note(f"{work} at {connections} connections: {json.dumps(report)}")
        self.samples.setdefault((work, connections), []).append(report)

    def meters(self):
        return {"vaultd": lambda: proc.process_cpu_us(self.vault.pid()),
                "postgres": lambda: proc.tree_cpu_us(self.postmaster),
                "rss": lambda: proc.resident_kb(self.vault.pid())}

    def rows(self):
        select = {clients: statistics.median(tps) for clients, tps in self.pgbench.items()}
        best = max(select.values())
        static = {c: median(reports, "requests_per_s") for (w, c), reports in self.samples.items() if w == "nginx_static"}
        rows = []
        for (work, connections), reports in sorted(self.samples.items()):
            if any(r["failed"] for r in reports):
                rows.append({"work": work, "connections": connections, "failed": True})
                continue
            row = {"work": work, "connections": connections,
                   **{k: median(reports, k) for k in ("requests_per_s", "p50_us", "p99_us", "active")}}
            for name in ("vaultd", "postgres"):
                costs = [r[name] / r["requests"] for r in reports if name in r]
                row[f"cpu_{name}_us"] = round(statistics.median(costs), 1) if costs else None
            rate = row["requests_per_s"]
            row["ratio_pgbench"] = round(rate / select[connections], 3)
            row["ratio_pgbench_best"] = round(rate / best, 3)
            row["ratio_nginx"] = round(rate / static[connections], 3) if static.get(connections) else None
            row["rss_kb"] = max((r["rss_at_end"] for r in reports if "rss_at_end" in r), default=None)
            row["rounds_requests_per_s"] = [round(r["requests_per_s"]) for r in reports]
            rows.append(row)
        for clients, tps in sorted(select.items()):
            rows.append({"work": "pgbench_select", "connections": clients, "requests_per_s": round(tps, 1),
                         "rounds_requests_per_s": [round(t) for t in self.pgbench[clients]]})
        return rows


def median(reports, key):
    return statistics.median(r.get(key, 0) for r in reports)


def note(text):
    print(text, file=sys.stderr, flush=True)


COLUMNS = [("work", "work"), ("connections", "conns"), ("active", "active"), ("requests_per_s", "requests/s"),
           ("p50_us", "p50 us"), ("p99_us", "p99 us"), ("cpu_vaultd_us", "vaultd us"), ("cpu_postgres_us", "postgres us"),
           ("ratio_pgbench", "/pgbench"), ("ratio_pgbench_best", "/best"), ("ratio_nginx", "/nginx"), ("rss_kb", "rss kB")]


def table(rows):
    lines = [[title for _, title in COLUMNS]]
    for row in rows:
        lines.append(["failed" if row.get("failed") and key == "requests_per_s" else cell(row.get(key)) for key, _ in COLUMNS])
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths))))


def cell(value):
    if isinstance(value, float) and value >= 1000:
        value = round(value)
    return "" if value is None else str(value)


def targets(rows):
    """What read_plain_10 at 64 connections has to reach, and vaultd's memory at 256. Told, not enforced: a busy machine
    is no defect."""
    def find(work, connections):
        return next((r for r in rows if r["work"] == work and r["connections"] == connections and not r.get("failed")), None)
    at64, at256 = find("read_plain_10", 64), find("read_plain_10", 256)
    told = []
    if at64:
        cpu = round(at64["cpu_vaultd_us"] + at64["cpu_postgres_us"], 1)
        told += [("read_plain_10 at 64: ratio to pgbench at 64", at64["ratio_pgbench"], ">=", 0.6, at64["ratio_pgbench"] >= 0.6),
                 ("read_plain_10 at 64: CPU us a request, vaultd + postgres", cpu, "<=", 70, cpu <= 70)]
    if at256:
        rss = round(at256["rss_kb"] / 1024, 1)
        told += [("vaultd's memory at 256 connections, MiB", rss, "<=", 64, rss <= 64)]
    for what, value, sign, wanted, reached in told:
        print(f"{'reached' if reached else 'MISSED '}  {what}: {value} ({sign} {wanted})")


def arguments():
    p = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__)
    p.add_argument("--quick", action="store_true", help="one round of one second at 1 and 64 connections")
    p.add_argument("--work", action="append", choices=[*WORKS, VERIFY, SEAL], help="only this work (may be repeated)")
    p.add_argument("--connections", action="append", type=int, help="only this many connections (may be repeated)")
    o = p.parse_args()
    quick = o.quick or os.environ.get("BENCH_QUICK") == "1"
    o.works = o.work or [*WORKS, VERIFY, SEAL]
    o.connections = o.connections or ([1, 64] if quick else CONNECTIONS)
    o.seconds = number("BENCH_SECONDS", 1 if quick else 3)
    o.rounds = int(number("BENCH_ROUNDS", 1 if quick else 3))
    o.customers = int(number("BENCH_CUSTOMERS", 2000 if quick else 10000))
    o.log_records = int(number("BENCH_LOG_RECORDS", 100000 if quick else 1000000))
    o.out = os.environ.get("BENCH_OUT", os.path.join(TOP, "build", "bench.json"))
    if any(not 1 <= c <= 280 for c in o.connections):
        p.error("--connections must be 1 to 280")
    return o


def stop_in_order(*_):
    sys.exit(1)


def main():
    options = arguments()
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, stop_in_order)
    with contextlib.ExitStack() as stack:
        bench = Bench(options, stack)
        bench.start()
        bench.rounds()
        sealed = bench.seal() if SEAL in options.works else []
    rows = bench.rows() + sealed
    if VERIFY in options.works:
        rows.append(verify.measure(options.log_records, options.rounds))
    with open(options.out, "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    table(rows)
    targets(rows)
    failed = [f"{r['work']} at {r['connections']}" for r in rows if r.get("failed")]
    if failed:
        note("failed (a reply was wrong or lost, see above): " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
