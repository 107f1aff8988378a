"""What the end-to-end tests share: a PostgreSQL, certificates and a vaultd of their own, and a client.

    with Vault() as v:
        core = v.client("crm-core", purpose="onboarding")
        reply = core.post("/v1/customers", {"fields": {"email": "a@example.com"}})
        assert reply.status == 201, reply
        token = reply.json["customer"]

    python3 tests/e2e/test_x.py [-v]     runs one script
    make test                            runs all

A script is tests/e2e/test_NAME.py, a unittest script that ends with `vault.main()`; those that the
Makefile names run under the sanitizers too, those with "crash" in their name in `make test-crash`. The variant under test is VARIANT
(release). All that is started lies in one temporary folder and is stopped by its own process id, also when a test fails.
No name here begins with VAULT_: vaultd refuses unknown keys in its environment.
"""

import atexit
import ctypes
import http.client
import json as jsonlib
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARIANT = os.environ.get("VARIANT", "release")
BUILD = ROOT / "build" / VARIANT
VAULTD = BUILD / "vaultd"
VAULTCTL = BUILD / "vaultctl"
# Sanitizers slow everything down; deadlines of tests are multiplied.
SLOW = 1 if VARIANT == "release" else 5

_folder = None


def folder():
    """The temporary folder of this script, made once, deleted at exit."""
    global _folder
    if _folder is None:
        _folder = pathlib.Path(tempfile.mkdtemp(prefix="vault-e2e."))
        os.chmod(_folder, 0o711)  # PostgreSQL runs as a user of its own when we are root
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def clean_environment(**more):
    """The environment without configuration of a vault that the developer may have set."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("VAULT_")}
    env.update({k: str(v) for k, v in more.items()})
    return env


_ports = []  # abstract sockets: each claims a port among all test scripts, and is let go by the end of the process


def free_port():
    """One that nobody gets twice, not even while its server is down: below the range of outgoing connections and of the
    clusters' ports, and claimed for the life of this process."""
    for _ in range(1000):
        port = random.randint(10500, 19999)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0vault-test-port-%d" % port)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _ports.append(claim)
        return port
    raise AssertionError("no port is free")


def wait_until(condition, seconds=10, what="condition"):
    """Polls until condition() is true and returns its value; AssertionError past the deadline."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %s s: %s" % (seconds * SLOW, what))
        time.sleep(0.02)


def run(*args, **kwargs):
    """Runs a program to its end; CompletedProcess with stdout and stderr as text. check=True raises with its output."""
    check = kwargs.pop("check", False)
    kwargs.setdefault("timeout", 120)
    kwargs.setdefault("env", clean_environment())
    kwargs.setdefault("cwd", ROOT)
    if "input" not in kwargs:
        kwargs.setdefault("stdin", subprocess.DEVNULL)
    # Files, not pipes: a server started by the program keeps its output open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run([str(a) for a in args], stdout=out, stderr=err, text="input" in kwargs, **kwargs)
        out.seek(0)
        err.seek(0)
        done.stdout, done.stderr = out.read(), err.read()
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (" ".join(map(str, args)), done.returncode, done.stdout, done.stderr))
    return done


def pki(where=None):
    """A folder of certificates (see certs/README.md), made once a script; another one where a folder is named."""
    where = pathlib.Path(where or folder() / "pki")
    shared = os.environ.get("TEST_PKI")
    if not where.exists() and shared and where == folder() / "pki":
        shutil.copytree(shared, where)
    run("sh", "certs/dev-ca.sh", where, check=True)
    return where


class Cluster:
    """A private PostgreSQL. urls: database_url (service role), migrate_url (owner), superuser_url, tcp_database_url."""

    def __init__(self, name="pg"):
        self.folder = folder() / name
        self.started = False

    def _script(self, command):
        return run(ROOT / ".dev/cluster.sh", command, self.folder, check=True)

    def start(self):
        self._script("start")
        if not self.started:
            atexit.register(self.remove)
        self.started = True
        env = {}
        for line in (self.folder / "env").read_text().splitlines():
            key, _, value = line.partition("=")
            env[key] = value[1:-1]
        self.database_url = env["DATABASE_URL"]
        self.migrate_url = env["MIGRATE_URL"]
        self.superuser_url = env["SUPERUSER_URL"]
        self.tcp_database_url = env["TCP_DATABASE_URL"]
        self.port = int(env["PG_PORT"])
        self.data = pathlib.Path(env["PG_DATA"])
        self.bin = pathlib.Path(env["PG_BIN"])
        return self

    def stop(self):
        self._script("stop")

    def remove(self):
        if self.folder.exists():
            self._script("remove")

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self):
        """kill -9 of the postmaster and each of its processes, as a power cut would. start() recovers."""
        postmaster = self.pid()
        children = children_of(postmaster)
        for pid in [postmaster] + children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not any(alive(p) for p in [postmaster] + children), 10, "PostgreSQL is gone")

    def sql(self, statement, url=None):
        """Runs SQL as the superuser (or by url); a list of rows of text."""
        done = run(self.bin / "psql", "-XqAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", url or self.superuser_url, "-c", statement,
                   check=True)
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    __enter__ = start

    def __exit__(self, *_):
        self.remove()


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def alive(pid):
    """A zombie is not alive."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _die_with_parent():
    """A test that is itself killed must not leave a vaultd."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Vault:
    """One vaultd with keys, ports, configuration and log of its own, in folder()/name.

    cluster: a Cluster that runs; default: one of its own, removed with it. certs: a folder of certificates. config: VAULT_* keys
    without the prefix, lower case: Vault(executors=2, queue_limit=16). A second Vault on the same cluster is another node:
    Vault("b", cluster=a.cluster, keys=a.keys).
    """

    def __init__(self, name="vault", cluster=None, certs=None, keys=None, **config):
        self.name = name
        self.folder = folder() / name
        self.cluster = cluster
        self.own_cluster = cluster is None
        self.certs = pathlib.Path(certs) if certs else None
        self.keys = pathlib.Path(keys) if keys else self.folder / "keys"
        self.more = config
        self.process = None
        self.launcher = []  # valgrind and the like
        self.log_file = self.folder / "vaultd.log"
        self.conf_file = self.folder / "vault.conf"
        self.migrated = False
        atexit.register(self._at_exit)

    # Preparation, each step of its own so that tests of errors can do some of them only.

    def prepare(self):
        """Cluster, certificates, keys, configuration, migrations: all but the start."""
        self.folder.mkdir(exist_ok=True)
        if self.cluster is None:
            self.cluster = Cluster(self.name + "-pg")
        if not self.cluster.started:
            self.cluster.start()
        if self.certs is None:
            self.certs = pki()
        self.write_config()
        if not (self.keys / "keyring").exists():
            self.keys.mkdir(mode=0o700, exist_ok=True)
            self.ctl("key", "init", check=True)
        if not self.migrated:
            self.migrate()
        return self

    def migrate(self):
        run(VAULTCTL, "migrate", "--config", self.conf_file, env=clean_environment(VAULT_MIGRATE_URL=self.cluster.migrate_url),
            cwd=self.folder, check=True)
        self.migrated = True

    def config(self):
        values = {
            "database_url": self.cluster.database_url,
            "listen_port": self.port,
            "operations_port": self.operations_port,
            "tls_certificate": self.certs / "server.pem",
            "tls_key": self.certs / "server.key",
            "trust_bundles": self.certs / "bundles",
            "keyring": self.keys / "keyring",
            "root_key": self.keys / "root",
        }
        values.update(self.more)
        return values

    def write_config(self):
        self.port, self.operations_port = free_port(), free_port()
        lines = ['VAULT_%s="%s"\n' % (k.upper(), v) for k, v in self.config().items()]
        self.conf_file.write_text("".join(lines))
        self.conf_file.chmod(0o600)

    def ctl(self, *args, certificate="admin", check=False, **kwargs):
        """vaultctl with this vault's configuration; kwargs as for run()."""
        env = clean_environment(
            VAULT_KEYRING=self.keys / "keyring", VAULT_ROOT_KEY=self.keys / "root", VAULT_LISTEN_PORT=self.port,
            VAULT_OPERATIONS_PORT=self.operations_port)
        env.update({k: str(v) for k, v in kwargs.pop("env", {}).items()})
        more = []
        if args and args[0] not in ("key", "migrate", "backup", "restore", "erasure"):
            more = ["--url", "https://127.0.0.1:%d" % self.port, "--ca", self.certs / "ca.pem",
                    "--cert", self.certs / (certificate + ".pem"), "--key", self.certs / (certificate + ".key")]
        return run(VAULTCTL, *args, *more, env=env, cwd=kwargs.pop("cwd", self.folder), check=check, **kwargs)

    # Life.

    def start(self, wait=True, env=None):
        """Starts vaultd; with wait, returns once it is ready. It dies with the thread that called this."""
        assert self.process is None, "it runs already"
        if not self.migrated:
            self.prepare()
        for attempt in range(3):
            self._spawn(env)
            if not wait:
                break
            try:
                self.wait_ready()
                break
            except AssertionError:
                # Another program may have taken a port between our look and vaultd's.
                taken = self.process.poll() is not None and "ddress already in use" in self.log()
                self.kill()
                if not taken or attempt == 2:
                    raise
                self.write_config()
        return self

    def _spawn(self, env):
        with open(self.log_file, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen([*self.launcher, str(VAULTD), "--config", str(self.conf_file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, env=clean_environment(**(env or {})), preexec_fn=_die_with_parent)

    def wait_ready(self, seconds=20):
        def check():
            if self.process.poll() is not None:
                raise AssertionError("vaultd ended with %s before it was ready:\n%s" % (self.process.returncode, self.log()[-4000:]))
            return self.ready()
        try:
            wait_until(check, seconds, "vaultd is ready")
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.log()[-4000:])) from None

    def ready(self):
        return self.operations("/readyz")[0] == 200

    def operations(self, path):
        """(status, text) of the operations listener; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.operations_port, path), timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def metrics(self):
        """{'name{labels}': number} of /metrics."""
        status, text = self.operations("/metrics")
        assert status == 200, status
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def metric(self, name):
        """Sum over all labels of one metric; 0 where there is none."""
        return sum(v for k, v in self.metrics().items() if k.partition("{")[0] == name)

    def pid(self):
        return self.process.pid

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self, seconds=20):
        """SIGTERM and wait; returns the exit status. AssertionError where it does not end (it is killed then)."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("vaultd did not stop within %d s:\n%s" % (seconds * SLOW, self.log()[-4000:])) from None
        self.process = None
        return code

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        """Stops in order and starts anew, on new ports."""
        code = self.stop()
        assert code == 0, "vaultd ended with %s:\n%s" % (code, self.log()[-4000:])
        return self.start()

    def log(self):
        """What vaultd has written since its last start."""
        with open(self.log_file, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode(errors="replace")

    def _at_exit(self):
        self.kill()

    def close(self):
        """Stops all that this object started. Fails when vaultd does not stop in order."""
        try:
            code = self.stop()
            assert code == 0, "vaultd ended with %s:\n%s" % (code, self.log()[-4000:])
        finally:
            if self.own_cluster and self.cluster is not None:
                self.cluster.remove()
                self.cluster = None

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    # Talking to it.

    def client(self, certificate, purpose=None, **kwargs):
        return Client(self, certificate, purpose, **kwargs)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return jsonlib.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem; None where it is none."""
        if not self.headers.get("Content-Type", "").startswith("application/problem+json"):
            return None
        return self.json.get("code")

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:2000].decode(errors="replace"))


class Client:
    """Keep-alive mutual TLS with the certificate of that name; None: no certificate. Not for two threads at once.

    Calls reconnect where the vault has closed the idle connection or was restarted, but never send a request twice.
    """

    def __init__(self, vault, certificate, purpose=None, certs=None, timeout=30):
        self.vault = vault
        self.purpose = purpose
        self.certs = pathlib.Path(certs) if certs else vault.certs
        self.certificate = certificate
        self.timeout = timeout * SLOW
        self.connection = None
        self.port = None

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.vault.certs / "ca.pem")
        if self.certificate:
            context.load_cert_chain(self.certs / (self.certificate + ".pem"), self.certs / (self.certificate + ".key"))
        return context

    def connect(self):
        self.close()
        self.port = self.vault.port
        self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(), timeout=self.timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _usable(self):
        if self.connection is None or self.connection.sock is None or self.port != self.vault.port:
            return False
        # An idle connection that can be read has been closed by the other end.
        sock = self.connection.sock
        try:
            sock.setblocking(False)
            sock.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError):
            sock.settimeout(self.timeout)
            return True
        except OSError:  # reset, or closed by ourselves after a broken reply
            pass
        return False

    def request(self, method, path, json=None, body=None, purpose=None, headers=None):
        """json: sent as JSON; body: bytes sent as they are. purpose "" sends none. Header values of None are left out."""
        if not self._usable():
            self.connect()
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False).encode()
        send = {}
        if body is not None:
            send["Content-Type"] = "application/json"
        purpose = self.purpose if purpose is None else purpose
        if purpose:
            send["X-Purpose"] = purpose
        send.update(headers or {})
        try:
            self.connection.request(method, path, body, {k: v for k, v in send.items() if v is not None})
            reply = self.connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        except Exception:
            self.close()
            raise

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, json=None, **kwargs):
        return self.request("POST", path, json, **kwargs)

    def put(self, path, json=None, **kwargs):
        return self.request("PUT", path, json, **kwargs)

    def patch(self, path, json=None, **kwargs):
        return self.request("PATCH", path, json, **kwargs)

    def delete(self, path, **kwargs):
        return self.request("DELETE", path, **kwargs)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def main():
    """Runs the tests of the calling script. A skipped test counts as failed: nothing is left out unseen."""
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(1))
    program = unittest.main(module="__main__", exit=False)
    result = program.result
    if result.testsRun == 0:
        print("no test was run", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() and result.testsRun and not result.skipped else 1)
