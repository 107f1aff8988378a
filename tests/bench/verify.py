"""How many records a second audit verify proves, on one core, and in how much memory.

    python3 tests/bench/verify.py [RECORDS] [ROUNDS]

makes a log of RECORDS (BENCH_LOG_RECORDS, 1,000,000: 640 bytes each) in a temporary folder and verifies it ROUNDS (3) times."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


def measure(records, rounds):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vault-bench-log."))
    try:
        subprocess.run([sys.executable, TOP / "tests/twin/make_log.py", folder, "--records", str(records)], check=True)
        command = [TOP / "build/release/vaultctl", "audit", "verify", folder, "--log", folder / "key"]
        took, memory = [], []
        for _ in range(rounds):
            started = time.monotonic()
            p = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            if p.returncode:
                return {"work": "verify_log", "connections": 1, "failed": True}
            took.append(time.monotonic() - started)
            memory.append(usage.ru_maxrss)
    finally:
        shutil.rmtree(folder)
    return {"work": "verify_log", "connections": 1, "requests_per_s": records / statistics.median(took), "rss_kb": max(memory),
            "rounds_requests_per_s": [round(records / t) for t in took]}


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000000, int(sys.argv[2]) if len(sys.argv) > 2 else 3))
