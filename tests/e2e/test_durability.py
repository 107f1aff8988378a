"""vaultd does not serve over a PostgreSQL that may lose what it has committed, and asks for a synchronous commit itself."""

import unittest

import vault


class Durability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = vault.Cluster("durable-pg").start()
        # Not what the sessions of vaultd must have: they set it themselves.
        cls.cluster.sql("ALTER ROLE vault_service SET synchronous_commit = off", cls.cluster.superuser_url)
        cls.vault = vault.Vault("durable", cluster=cls.cluster).start()
        cls.addClassCleanup(cls.cluster.remove)
        cls.addClassCleanup(cls.vault.close)

    def set(self, name, value):
        self.cluster.sql("ALTER SYSTEM SET %s = %s" % (name, value), self.cluster.superuser_url)
        self.cluster.stop()
        self.cluster.start()

    def refuses(self, name):
        self.set(name, "off")
        try:
            vault.wait_until(lambda: name in self.vault.operations("/readyz")[1], 20, "readiness to name " + name)
            self.assertEqual(self.vault.operations("/readyz")[0], 503)
            core = self.vault.client("crm-core", "onboarding")
            self.addCleanup(core.close)
            reply = core.post("/v1/customers", {"fields": {"name": "Ann Li"}})
            self.assertEqual((reply.status, reply.code), (503, "unavailable"), reply)
        finally:
            self.set(name, "on")
        vault.wait_until(self.vault.ready, 20, "ready again")

    def test_it_is_not_ready_without_fsync(self):
        self.refuses("fsync")

    def test_it_is_not_ready_without_full_page_writes(self):
        self.refuses("full_page_writes")

    def test_its_commits_wait_for_the_disk_whatever_the_role_says(self):
        # A commit that does not wait has not flushed its record when its session says COMMIT: pg_stat_wal would count no
        # sync for it. Each request here is a batch of its own, so each must have one.
        core = self.vault.client("crm-core", "onboarding")
        self.addCleanup(core.close)
        syncs = lambda: int(self.cluster.sql("SELECT pg_stat_force_next_flush(); SELECT wal_sync FROM pg_stat_wal", self.cluster.superuser_url)[-1][0])
        before = syncs()
        for _ in range(40):
            self.assertEqual(core.post("/v1/customers", {"fields": {"name": "Ann Li"}}).status, 201)
        vault.wait_until(lambda: syncs() - before >= 40, 15, "a flush for each of 40 commits")


if __name__ == "__main__":
    vault.main()
