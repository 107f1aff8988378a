"""What /proc says of a process or of a tree of them: CPU time and memory."""
import os

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        text = f.read()
    rest = text[text.rindex(")") + 2:].split()  # the name before it may hold blanks and brackets
    return {"parent": int(rest[1]), "own": int(rest[11]) + int(rest[12]), "reaped": int(rest[13]) + int(rest[14])}


def process_cpu_us(pid):
    return _stat(pid)["own"] * TICK_US


def tree_cpu_us(root):
    """Of root, its living children, and those that it has already reaped (PostgreSQL's are one level deep)."""
    first = _stat(root)
    ticks = first["own"] + first["reaped"]
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = _stat(int(name))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat["parent"] == root:
            ticks += stat["own"]
    return ticks * TICK_US


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
