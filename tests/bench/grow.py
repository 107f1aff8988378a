"""How the vault grows: reads by connections, customers, fields and size of values; handshakes; memory of idle connections.

Writes build/bench-grow.json, the plots in tests/bench/plots, and the tables in tests/bench/RESULTS.md (the text around them
is written by people). GROW_SECONDS (3) a measurement, GROW_ROUNDS (3) rounds, GROW_CUSTOMERS (1000000) the most. Words
after it choose parts (connections, shapes, customers); what the others found before is kept."""
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e")]

import bench  # noqa: E402
import peers  # noqa: E402
import proc  # noqa: E402
import vault as e2e  # noqa: E402

SECONDS = bench.number("GROW_SECONDS", 3)
ROUNDS = int(bench.number("GROW_ROUNDS", 3))
MOST = int(bench.number("GROW_CUSTOMERS", 1000000))
CONNECTIONS = [1, 4, 16, 64, 256, 1000]
PGBENCH_MOST = 256
CUSTOMERS = [n for n in (1000, 10000, 100000, 1000000, 10000000) if n <= MOST]
SHAPES = [(5, 100), (10, 100), (20, 100), (50, 100), (10, 250), (10, 500), (10, 1000), (10, 4000)]
SHAPE_CUSTOMERS = 2000
IDLE = 1000
SHAKERS = 8


class Subject:
    """A vault of its own cluster, and so many customers."""

    def __init__(self, stack, name, customers, shape=None):
        self.cluster = stack.enter_context(e2e.Cluster(name + "-pg"))
        self.cluster.sql("ALTER SYSTEM SET max_connections = 300")
        self.cluster.sql("ALTER SYSTEM SET shared_buffers = '512MB'")
        self.cluster.stop()
        self.cluster.start()
        self.vault = stack.enter_context(e2e.Vault(name, cluster=self.cluster, search_budget=1000000000, customer_budget=1000000000))
        self.vault.ctl("policy", "activate", os.path.join(HERE, "bench.policy"), check=True)
        self.client = bench.Client(str(self.vault.certs), str(e2e.folder() / (name + ".customers")))
        self.more = []
        if shape:
            self.declare(shape[0])
            self.more = ["--fields", str(shape[0]), "--size", str(shape[1])]
        bench.note(f"{name}: {customers} customers")
        subprocess.run([bench.LOAD, "seed", "--port", str(self.vault.port), *self.client.identity, "--customers", str(customers),
                        "--file", self.client.people, *self.more], check=True, timeout=1800)
        self.cluster.sql("VACUUM ANALYZE")
        self.cluster.sql("CHECKPOINT")

    def declare(self, fields):
        admin = self.vault.client("admin")
        for i in range(1, fields + 1):
            reply = admin.put(f"/v1/fields/g{i:02}", {"type": "text", "class": "behaviour", "max_length": 4096})
            if reply.status not in (200, 201):
                raise RuntimeError(reply)

    def read(self, work, connections):
        self.client.identity, kept = self.client.identity + self.more, self.client.identity
        meters = {"vaultd": lambda: proc.process_cpu_us(self.vault.pid()), "postgres": lambda: proc.tree_cpu_us(self.cluster.pid())}
        try:
            report = self.client.run(self.vault.port, work, connections, SECONDS, meters)
        finally:
            self.client.identity = kept
        if report["failed"] or not report["requests"]:
            raise RuntimeError(f"{work} at {connections}: {report}")
        return report


def rows_of(samples, key):
    """samples: key -> reports. A row each: medians."""
    rows = []
    for value, reports in samples.items():
        rows.append({**dict(zip(key, value if isinstance(value, tuple) else (value,))),
                     **{k: statistics.median(r[k] for r in reports) for k in ("requests_per_s", "p50_us", "p99_us", "active")},
                     **{f"cpu_{k}_us": round(statistics.median(r[k] / r["requests"] for r in reports), 1) for k in ("vaultd", "postgres")}})
    return rows


def by_connections(stack):
    subject = Subject(stack, "grow", 10000)
    nginx = peers.Nginx(str(e2e.folder() / "nginx"), str(subject.vault.certs))
    stack.callback(nginx.stop)
    select = peers.Pgbench(str(subject.cluster.bin), subject.cluster.superuser_url, str(subject.cluster.data))
    reads, static, pgbench = {}, {}, {}
    for _ in range(ROUNDS):
        for n in CONNECTIONS:
            reads.setdefault(n, []).append(subject.read("read_plain_10", n))
            static.setdefault(n, []).append(subject.client.run(nginx.port, "get", n, SECONDS, {})["requests_per_s"])
            if n <= PGBENCH_MOST:
                pgbench.setdefault(n, []).append(select.select(n, SECONDS))
        pgbench.setdefault(8, []).append(select.select(8, SECONDS))
    rows = rows_of(reads, ["connections"])
    best = max(statistics.median(v) for v in pgbench.values())
    for row in rows:
        own = pgbench.get(row["connections"])
        row["pgbench_per_s"] = round(statistics.median(own)) if own else None
        row["nginx_per_s"] = round(statistics.median(static[row["connections"]]))
        row["ratio_pgbench"] = round(row["requests_per_s"] / row["pgbench_per_s"], 2) if own else None
        row["ratio_pgbench_best"] = round(row["requests_per_s"] / best, 2)
        row["ratio_nginx"] = round(row["requests_per_s"] / row["nginx_per_s"], 2)
    return rows, handshakes(subject, nginx), idle(subject)


def handshakes(subject, nginx):
    def shake(port):
        command = [bench.LOAD, "handshakes", "--port", str(port), *subject.client.identity, "--connections", str(SHAKERS), "--seconds",
                   str(SECONDS)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)["handshakes_per_s"]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(shake(subject.vault.port))
        theirs.append(shake(nginx.port))
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    return {"vaultd_per_s": round(ours), "nginx_per_s": round(theirs), "ratio_nginx": round(ours / theirs, 2)}


def idle(subject):
    subject.vault.restart()
    before = proc.resident_kb(subject.vault.pid())
    command = [bench.LOAD, "idle", "--port", str(subject.vault.port), *subject.client.identity, "--connections", str(IDLE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        if p.stdout.readline() != "READY\n":
            raise RuntimeError("the idle connections could not be made")
        at = proc.resident_kb(subject.vault.pid())
        p.stdin.close()
    return {"connections": IDLE, "rss_kb": at, "rss_kb_before": before}


def by_customers(stack):
    subjects = {n: Subject(stack, f"c{n}", n) for n in CUSTOMERS}
    samples = {}
    for _ in range(ROUNDS):
        for n, subject in subjects.items():
            samples.setdefault(n, []).append(subject.read("read_plain_10", 64))
    rows = rows_of(samples, ["customers"])
    for row in rows:
        row["database_mb"] = int(subjects[row["customers"]].cluster.sql("SELECT pg_database_size(current_database()) / 1000000")[0][0])
    return rows


def by_shape(stack):
    samples = {}
    subjects = {s: Subject(stack, f"s{s[0]}x{s[1]}", SHAPE_CUSTOMERS, s) for s in SHAPES}
    for _ in range(ROUNDS):
        for shape, subject in subjects.items():
            samples.setdefault(shape, []).append(subject.read("read_shape", 64))
    return rows_of(samples, ["fields", "bytes"])


# ---- what people read ----

def table(rows, columns):
    lines = ["| " + " | ".join(title for _, title in columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(cell(row.get(key)) for key, _ in columns) + " |")
    return "\n".join(lines) + "\n"


def cell(value):
    if value is None:
        return ""
    if isinstance(value, (int, float)) and abs(value) >= 1000:
        return f"{round(value):,}"
    return str(value)


COMMON = [("requests_per_s", "requests/s"), ("p50_us", "p50 us"), ("p99_us", "p99 us"), ("cpu_vaultd_us", "CPU us, vaultd"),
          ("cpu_postgres_us", "CPU us, PostgreSQL")]


def tables(result):
    shakes, rest = result["handshakes"], result["idle"]
    return {
        "connections": table(result["connections"], [("connections", "connections"), *COMMON, ("ratio_pgbench", "of pgbench"),
                                                     ("ratio_pgbench_best", "of pgbench's best"), ("ratio_nginx", "of nginx")]),
        "customers": table(result["customers"], [("customers", "customers"), *COMMON, ("database_mb", "database, MB")]),
        "shapes": table(result["shapes"], [("fields", "fields"), ("bytes", "bytes a value"), *COMMON]),
        "opening": table([{"what": "full handshakes a second", "vaultd": shakes["vaultd_per_s"], "nginx": shakes["nginx_per_s"],
                           "ratio": shakes["ratio_nginx"]},
                          {"what": f"memory with {rest['connections']:,} idle connections, MiB", "vaultd": round(rest["rss_kb"] / 1024, 1)},
                          {"what": "memory with none, MiB", "vaultd": round(rest["rss_kb_before"] / 1024, 1)}],
                         [("what", ""), ("vaultd", "vaultd"), ("nginx", "nginx"), ("ratio", "ratio")]),
    }


def write_tables(result):
    path = os.path.join(HERE, "RESULTS.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for name, content in tables(result).items():
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        at = text.index(begin) + len(begin)
        text = text[:at] + content + text[text.index(end, at):]
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


PLOT = """set terminal svg size 640,400 font 'sans-serif,12' background '#ffffff'
set output '{out}'
set logscale x
set grid
set key top left
set yrange [0:*]
set xlabel '{x}'
set ylabel 'requests a second'
set y2label 'p99, ms'
set y2range [0:*]
set y2tics
set ytics nomirror
$data << EOD
{data}
EOD
plot $data using 1:2 axes x1y1 with linespoints lw 2 pt 7 title 'requests a second', $data using 1:3 axes x1y2 with linespoints lw 2 pt 5 dt 2 title 'p99, ms'
"""


def plot(name, rows, key, x):
    folder = os.path.join(HERE, "plots")
    os.makedirs(folder, exist_ok=True)
    data = "\n".join(f"{row[key]} {row['requests_per_s']} {row['p99_us'] / 1000}" for row in rows)
    subprocess.run(["gnuplot"], input=PLOT.format(out=os.path.join(folder, name + ".svg"), x=x, data=data), text=True, check=True, timeout=60)


def write_plots(result):
    plot("connections", result["connections"], "connections", "connections")
    plot("customers", result["customers"], "customers", "customers")
    plot("fields", [r for r in result["shapes"] if r["bytes"] == 100], "fields", "fields of 100 bytes a request")
    plot("bytes", [r for r in result["shapes"] if r["fields"] == 10], "bytes", "bytes a value, ten a request")


PARTS = {"connections": by_connections, "shapes": by_shape, "customers": by_customers}


def main():
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, bench.stop_in_order)
    path = os.path.join(TOP, "build", "bench-grow.json")
    chosen = sys.argv[1:] or list(PARTS)
    if any(part not in PARTS for part in chosen):
        sys.exit("parts are: " + " ".join(PARTS))
    result = {}
    if os.path.exists(path):
        with open(path, encoding="ascii") as f:
            result = json.load(f)
    for part in chosen:
        with contextlib.ExitStack() as stack:
            found = PARTS[part](stack)
        if part == "connections":
            found, result["handshakes"], result["idle"] = found
        result[part] = found
        with open(path, "w", encoding="ascii") as f:
            json.dump(result, f, indent=1)
    missing = [part for part in PARTS if part not in result]
    if missing:
        sys.exit("no tables yet: not measured are " + " ".join(missing))
    write_tables(result)
    write_plots(result)
    for content in tables(result).values():
        print(content)


if __name__ == "__main__":
    main()
