"""Instructions a request of the hot read, by floor: vaultd under callgrind, 64 connections, read_plain_10.

Instructions are repeatable where seconds are not: a later change that costs 5% is seen. Prints a table and writes
build/bench-instr.json; with --against FILE it compares with an earlier one and fails where the sum grew by more than 3%."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e")]

import bench  # noqa: E402
import vault as e2e  # noqa: E402

LIBRARIES = ["libmicrohttpd", "libgnutls", "libcrypto", "libpq", "libc.so", "libjansson", "libnettle", "libhogweed", "ld-linux"]
GREW = 1.03


def control(pid, *args):
    subprocess.run(["callgrind_control", *args, str(pid)], check=True, stdout=subprocess.DEVNULL, timeout=60)


def place(path):
    """The floor of a line of callgrind_annotate, or the library."""
    source = re.search(r"\b(vault/\w+|policy)/\w+\.[ch]:", path) or re.search(r"include/(\w+)/\w+\.h:", path)
    if source:
        floor = source.group(1)
        return floor if floor == "policy" else "vault/" + floor.rsplit("/", maxsplit=1)[-1]
    return next((name.split(".")[0] for name in LIBRARIES if name in path), "other")


def totals(out):
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", "--show=Ir", out], check=True,
                          capture_output=True, text=True, timeout=300).stdout
    floors, functions = {}, []
    for line in text.splitlines():
        m = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(\S.*)$", line)
        if not m or "PROGRAM TOTALS" in line:
            continue
        count = int(m.group(1).replace(",", ""))
        floors[place(m.group(2))] = floors.get(place(m.group(2)), 0) + count
        functions.append((count, m.group(2).split(" [")[0].split("/")[-1]))
    return floors, sorted(functions, reverse=True)


def measure(work, connections, seconds):
    out = str(e2e.folder() / "callgrind.out")
    launcher = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=" + out, "--quiet"]
    with e2e.Cluster("instr-pg") as cluster:
        v = e2e.Vault("instr", cluster=cluster, search_budget=1000000000, customer_budget=1000000000)
        with v:
            v.ctl("policy", "activate", os.path.join(HERE, "bench.policy"), check=True)
            client = bench.Client(str(v.certs), str(e2e.folder() / "customers"))
            client.seed(v.port, 2000)
            v.stop()
            v.launcher = launcher
            v.start()
            pid = v.pid()
            edges = iter(["on", "off"])
            report = client.run(v.port, work, connections, seconds, {"edge": lambda: control(pid, "-i", next(edges)) or 0})
            control(pid, "--dump")
    return report, out + ".1"  # by --dump; the end of the process writes one more, which holds nothing


def main():
    p = argparse.ArgumentParser(prog="make bench-instr", description=__doc__)
    p.add_argument("--work", default="read_plain_10", choices=bench.WORKS)
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--seconds", type=float, default=15)
    p.add_argument("--keep", help="keep callgrind's own file under this name")
    p.add_argument("--against", help="an earlier build/bench-instr.json")
    o = p.parse_args()
    report, out = measure(o.work, o.connections, o.seconds)
    if report["failed"] or not report["requests"]:
        sys.exit("the load failed: " + json.dumps(report))
    if o.keep:
        shutil.copy(out, o.keep)
    floors, functions = totals(out)
    n = report["requests"]
    result = {"work": o.work, "connections": o.connections, "requests": n,
              "instructions": round(sum(floors.values()) / n),
              "floors": {k: round(c / n) for k, c in sorted(floors.items(), key=lambda kv: -kv[1])}}
    for name, count in result["floors"].items():
        print(f"{name:<16}{count:>10}{100 * count / result['instructions']:>7.1f}%")
    print(f"{'in all':<16}{result['instructions']:>10}  instructions a request ({o.work}, {o.connections} connections, {n} requests)")
    print("\nthe dearest functions:")
    for count, name in functions[:40]:
        print(f"{count / n:>10.0f}  {name}")
    with open(os.path.join(TOP, "build", "bench-instr.json"), "w", encoding="ascii") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    if o.against:
        with open(o.against, encoding="ascii") as f:
            before = json.load(f)["instructions"]
        print(f"\nbefore: {before}, now: {result['instructions']} ({100 * result['instructions'] / before - 100:+.1f}%)")
        if result["instructions"] > before * GREW:
            sys.exit("the hot read has become dearer")


if __name__ == "__main__":
    main()
