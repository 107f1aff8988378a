"""Audit logs made by the twin (tests/twin), and how both verifiers judge them."""

import json
import pathlib
import random
import shutil
import sys

import vault

sys.path.insert(0, str(vault.ROOT / "tests" / "twin"))
import ed25519  # noqa: E402
import make_log  # noqa: E402
import tlog  # noqa: E402
import verify_log  # noqa: E402

OK, REFUSED, USAGE, UNREACHED, SERVER, FAILED = range(6)
SEED = random.Random(1).randbytes(32)


class Case:
    """A folder with a log, the key that is trusted, and perhaps an earlier checkpoint and witnesses."""

    def __init__(self, name, log):
        self.folder = vault.folder() / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log = log
        self.copy = self.folder / "log"
        self.key = self.folder / "key"
        self.earlier = self.witnesses = None
        self.folder.mkdir(parents=True)
        self.key.write_text(log.key() + "\n")
        log.write(self.copy)

    def rewrite(self, log, **kwargs):
        """Another history in the place of the first, with all its tiles right and signed."""
        shutil.rmtree(self.copy)
        log.write(self.copy, **kwargs)

    def earlier_checkpoint(self, data):
        self.earlier = self.folder / "earlier"
        self.earlier.write_bytes(data)

    def trust_witnesses(self, *vkeys):
        self.witnesses = self.folder / "witnesses"
        self.witnesses.write_text("# who watches\n" + "".join(key + "\n" for key in vkeys))

    def ctl(self, *more, command="verify", word=None):
        return vault.run(vault.VAULTCTL, "audit", command, word or self.copy, "--log", self.key, *more)

    def judge_ctl(self):
        """(check, index) of vaultctl; (None, None): it holds."""
        options = ["--json", "--state", self.folder / "no-state"]
        options += ["--earlier", self.earlier] if self.earlier else []
        options += ["--witnesses", self.witnesses] if self.witnesses else []
        done = self.ctl(*options)
        (self.folder / "no-state").unlink(missing_ok=True)
        if done.returncode not in (OK, FAILED):
            raise AssertionError(f"exit {done.returncode}: {done.stdout}{done.stderr}")
        told = json.loads(done.stdout)
        if told["verified"] != (done.returncode == OK):
            raise AssertionError(f"exit {done.returncode}: {told}")
        return told.get("check"), told.get("index")

    def judge_twin(self):
        witnesses = verify_log.keys_of(self.witnesses) if self.witnesses else []
        try:
            verify_log.verify(verify_log.Folder(self.copy), verify_log.keys_of(self.key)[0],
                              [tlog.Checkpoint(self.earlier.read_bytes())] if self.earlier else [], witnesses, len(witnesses))
        except tlog.Bad as e:
            return e.name, e.index
        return None, None

    def judge(self):
        """What both say; AssertionError where they differ."""
        ours, theirs = self.judge_ctl(), self.judge_twin()
        if ours != theirs:
            raise AssertionError(f"{self.folder}: vaultctl says {ours}, its twin {theirs}")
        return ours


def some_log(n, seed=1, nodes=2, executors=2):
    writer = make_log.Writer(random.Random(seed), nodes, executors)
    return make_log.Log([writer.next() for _ in range(n)], SEED)


def ids(log):
    return [tuple(map(int, verify_log.read_record(r)["id"].split("-"))) for r in log.records]


def files(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())
