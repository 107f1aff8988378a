#!/usr/bin/env python3
"""Plays vault/app/RIGHTS.md: starts a vault of its own with sample customers, runs each line, prints what an officer would see.

Everything is in a temporary folder and gone at the end, whichever way it ends. Exit status 1 where a line failed.
"""

import itertools
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / ".dev")]
import sample  # noqa: E402
import vault  # noqa: E402

HOLD_SECONDS = 15
PEOPLE = 20


def load(v):
    """Sample customers through the API; the e-mail of one who has orders."""
    core = v.client("crm-core", "onboarding")
    email = None
    for item, records in itertools.islice(sample.customers(), PEOPLE):
        made = core.post("/v1/customers", item)
        assert made.status == 201, made
        for kind, data in records:
            reply = core.post("/v1/customers/%s/records/%s" % (made.json["customer"], kind), {"data": data})
            assert reply.status == 201, reply
        if any(kind == "order" for kind, _ in records):
            email = email or item["fields"]["email"]
    return email


def pages(text):
    """(heading, lines to run) of the page."""
    for section in re.split(r"(?m)^## ", text)[1:]:
        heading, _, body = section.partition("\n")
        lines = [line for block in re.findall(r"```sh\n(.*?)```", body, re.S) for line in block.splitlines() if line]
        if lines:
            yield heading, lines


def remember(line, output, env):
    """What later lines name: ids out of what was printed."""
    def take(name, pattern):
        found = re.search(pattern, output)
        if found:
            env[name] = found.group(1)
    if "customer search" in line:
        take("CUSTOMER", r"\b(cus1\w+)")
    if "request open" in line:
        take("REQUEST", r"\b(req1\w+)")
    if "hold propose" in line:
        take("HOLD", r"\b(req1\w+)")
    if "request show" in line:
        take("SUBJECT", r"\b(cus1\w+)")
    take("HASH", r"scope_hash\s+([0-9a-f]{64})")


def shown(line, env):
    """The line as it would be typed."""
    return re.sub(r"\$([A-Z]+)", lambda m: env.get(m.group(1), m.group(0)), line)


def play(v, text):
    work = vault.folder() / "officer"
    (work / "certs").mkdir(parents=True)
    (work / "certs/dev").symlink_to(v.certs)
    env = vault.clean_environment(PATH="%s:%s" % (vault.BUILD, os.environ["PATH"]), VAULT_URL="https://127.0.0.1:%d" % v.port, LC_ALL="C.UTF-8")
    env["EMAIL"] = load(v)
    env["KEY"] = v.client("crm-core").get("/v1/signing-key").json["key"]
    for heading, lines in pages(text):
        print("\n\n== %s ==" % heading)
        env["UNTIL"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOLD_SECONDS))
        for line in lines:
            print("\n$ " + shown(line, env), flush=True)
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=work, env=env, timeout=120, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            print(done.stdout, end="", flush=True)
            if done.returncode:
                print("\nThat line ended with %d." % done.returncode)
                return 1
            remember(line, done.stdout, env)
    print("\nAll lines of vault/app/RIGHTS.md have run. The vault is stopped and removed.")
    return 0


def main():
    print("A vault of its own starts, with %d sample customers ..." % PEOPLE, flush=True)
    v = vault.Vault("demo")
    try:
        v.start()
        return play(v, (ROOT / "vault/app/RIGHTS.md").read_text())
    finally:
        v.close()


if __name__ == "__main__":
    sys.exit(main())
