"""What the sealer does in a second, what a sealed record costs, and how long a proof takes. On the bench's own vault.

The sealer is kept from its lock while records gather, and then catches up: no other work runs beside it."""
import random
import statistics
import subprocess
import time

import proc

SEALER_LOCK = "7204, 3"
PROOFS = 500


class Held:
    """The sealer's lock, in a session of ours; the vault's own session is ended, so that it lets go."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        self.psql = subprocess.Popen([str(self.cluster.bin / "psql"), "-XqAt", "-d", self.cluster.superuser_url], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7204 AND objid = 3;\n"
                              f"SELECT pg_advisory_lock({SEALER_LOCK}), 'held';\n")
        self.psql.stdin.flush()
        while "held" not in self.psql.stdout.readline():
            pass
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(10)
        self.psql.stdout.close()


def number(cluster, sql):
    return int(cluster.sql(sql)[0][0])


def catch_up(vault, target):
    """(seconds, CPU of vaultd, CPU of the sealer's backend) from the first lot to the last."""
    cluster = vault.cluster
    while vault.metric("vault_audit_tree_size") == 0 or not cluster.sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7204 AND objid = 3"):
        time.sleep(0.01)
    backend = number(cluster, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7204 AND objid = 3")
    began, cpu = time.monotonic(), proc.process_cpu_us(vault.pid())
    first = vault.metric("vault_audit_tree_size")
    while vault.metric("vault_audit_tree_size") < target:
        time.sleep(0.005)
    took, cpu = time.monotonic() - began, proc.process_cpu_us(vault.pid()) - cpu
    return target - first, took, cpu, proc.process_cpu_us(backend)


def proofs(vault, newest):
    """Times of proofs of random records, one after the other, in us."""
    ids = [r[0] for r in vault.cluster.sql("SELECT stream || '-' || (first_seq + (random() * (count - 1))::int) FROM vault.audit_span "
                                           f"WHERE first_index < {newest} ORDER BY random() LIMIT 200")]
    client, took = vault.client("security"), []
    for _ in range(PROOFS):
        began = time.perf_counter()
        reply = client.get("/v1/audit/records/%s/proof" % random.choice(ids))
        took.append((time.perf_counter() - began) * 1e6)
        if reply.status != 200:
            return None
    return sorted(took)


def measure(vault, load):
    """load: runs work for some seconds. Two rows of the table."""
    with Held(vault.cluster):
        load()
        target = number(vault.cluster, "SELECT sum(count) FROM vault.audit_segment")
    records, seconds, vaultd, postgres = catch_up(vault, target)
    took = proofs(vault, target)
    if took is None:
        return [{"work": "audit_proof", "connections": 1, "failed": True}]
    return [{"work": "seal_log", "connections": 1, "requests_per_s": records / seconds, "cpu_vaultd_us": round(vaultd / records, 2),
             "cpu_postgres_us": round(postgres / records, 2)},
            {"work": "audit_proof", "connections": 1, "requests_per_s": 1e6 / statistics.mean(took), "p50_us": round(took[len(took) // 2]),
             "p99_us": round(took[len(took) * 99 // 100])}]
