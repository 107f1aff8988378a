"""Rows changed behind the service's back, as the database's superuser can: each is found and named, and told once."""
import unittest

import audit_log
import people
import vault

SHIFT = 51  # a customer's slice is the top of its id


def setUpModule():
    global V, PEOPLE
    V = vault.Vault("scrub", scrub_hours=0)
    V.start()
    unittest.addModuleCleanup(V.close)
    PEOPLE = people.People(11, "scrub")


class Scrub(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.core = self.client("crm-core", "onboarding")
        self.security = self.client("security")
        self.damaged = []  # srefs that stay so
        self.addCleanup(self.mend)

    def client(self, certificate, purpose=None):
        client = V.client(certificate, purpose)
        self.addCleanup(client.close)
        return client

    def mend(self):
        """Each test leaves whole rows behind: what it saved is put back."""
        for statement in reversed(self.damaged):
            V.cluster.sql(statement)

    def create(self, **fields):
        reply = self.core.post("/v1/customers", {"fields": fields or PEOPLE.fields()})
        self.assertEqual(reply.status, 201, reply)
        record = self.security.get("/v1/audit/records/" + audit_log.ids_of(reply.headers["Audit-Record"])[0]).json
        customer = V.cluster.sql("SELECT customer_id FROM vault.customer ORDER BY created_at DESC, customer_id LIMIT 1")[0][0]
        return reply.json["customer"], record["sref"], int(customer)

    def two(self):
        """Two customers of different slices."""
        one = self.create()
        while True:
            other = self.create()
            if other[2] >> SHIFT != one[2] >> SHIFT:
                return one, other

    def save(self, *ids):
        """Copies the rows, to be put back."""
        which = ", ".join(str(i) for i in ids)
        V.cluster.sql("DROP TABLE IF EXISTS saved_customer, saved_key, saved_large;"
                      f"CREATE TABLE saved_customer AS SELECT * FROM vault.customer WHERE customer_id IN ({which});"
                      f"CREATE TABLE saved_key AS SELECT * FROM vault.customer_key WHERE customer_id IN ({which});"
                      f"CREATE TABLE saved_large AS SELECT * FROM vault.customer_large WHERE customer_id IN ({which})")
        self.damaged.append("".join(
            f"DELETE FROM vault.{table} WHERE customer_id IN ({which}); INSERT INTO vault.{table} SELECT * FROM {saved};"
            for table, saved in (("customer", "saved_customer"), ("customer_key", "saved_key"), ("customer_large", "saved_large"))))

    def update(self, token, **fields):
        reply = self.core.patch("/v1/customers/" + token, {"fields": fields}, headers={"If-Match": "*"})
        self.assertEqual(reply.status, 200, reply)

    def scrub(self):
        """One whole cycle; {sref: what}."""
        before = self.security.get("/v1/audit/scrub").json["cycle"]
        reply = self.security.post("/v1/audit/scrub")
        self.assertEqual(reply.status, 202, reply)

        def done():
            state = self.security.get("/v1/audit/scrub").json
            return state if state["cycle"] > before and not state["running"] else None

        state = vault.wait_until(done, 60, "a cycle")
        self.assertEqual(state["slices_done"], state["slices"])
        self.assertEqual(state["customers"], int(V.cluster.sql("SELECT count(*) FROM vault.customer")[0][0]))
        return {f["sref"]: f["what"] for f in state["findings"]}

    def alarms(self, sref):
        reply = self.security.get("/v1/audit/records?activity=alarm&limit=500")
        self.assertEqual(reply.status, 200, reply)
        return [r["object"] for r in reply.json["data"] if r.get("sref") == sref and r["operation"] == "alarm.row"]

    def erase(self, fields):
        desk = self.client("service-desk", "support")
        one, two = self.client("compliance-1", "rights"), self.client("compliance-2", "rights")
        found = desk.post("/v1/customers:search", {"where": {"email": fields["email"]}}).json["data"][0]["customer"]
        path = "/v1/rights-requests/" + desk.post("/v1/rights-requests", {"customer": found, "kind": "erase"}).json["id"]
        self.assertEqual(one.post(path + ":verify").status, 200)
        shown = one.post(path + ":submit", {"identity_check": "seen"}).json
        for officer in (one, two):
            self.assertEqual(officer.post(path + ":approve", {"scope_hash": shown["scope_hash"]}).status, 200)
        vault.wait_until(lambda: one.get(path).json["request"]["state"] == "completed", 30, "the erasure")

    def mended(self):
        self.mend()
        self.damaged.clear()
        self.assertEqual(self.scrub(), {})


class Honest(Scrub):
    def test_rows_that_only_the_vault_has_written_are_as_the_log_says(self):
        for _ in range(5):
            token, _, _ = self.create()
            self.update(token, name="Another Name")
            self.assertEqual(self.core.post(f"/v1/customers/{token}/tokens:revoke").status, 200)
        token, _, _ = self.create(**dict(PEOPLE.fields(), notes="long " * 400))
        self.assertEqual(self.core.post(f"/v1/customers/{token}/records/order", {"data": {"n": 1}}).status, 201)
        reply = self.core.put(f"/v1/customers/{token}/consents/support", {"decision": "given", "channel": "web", "method": "checkbox"})
        self.assertIn(reply.status, (200, 201, 422), reply)
        self.update(token, notes="longer " * 400)
        self.update(token, notes=None)
        body = {"mode": "partial", "items": [{"fields": PEOPLE.fields()}, {"fields": {"email": "wrong"}}, {"fields": PEOPLE.fields()}]}
        self.assertEqual(self.core.post("/v1/customers:batch", body).status, 200)
        for _ in range(2):
            reply = self.core.put("/v1/customers:by-ref", {"external_ref": "scrub-1", "fields": PEOPLE.fields()})
            self.assertIn(reply.status, (200, 201), reply)
        self.assertEqual(self.scrub(), {})

    def test_each_write_names_the_row_that_it_replaced(self):
        token, sref, _ = self.create()
        self.update(token, name="One")
        self.update(token, name="Two")
        log = self.security.get("/v1/audit/records?activity=update&limit=500").json["data"]
        mine = sorted((r for r in log if r.get("sref") == sref), key=lambda r: r["row_version"])
        self.assertEqual([r["row_version"] for r in mine], [2, 3])
        self.assertEqual(mine[1]["row_before_sha256"], mine[0]["row_sha256"])

    def test_an_erased_customer_is_missed_by_nobody(self):
        fields = PEOPLE.fields()
        self.create(**fields)
        self.erase(fields)
        self.assertEqual(self.scrub(), {})

    def test_a_node_that_takes_over_goes_on_from_what_was_saved(self):
        token, _, _ = self.create()
        self.assertEqual(self.scrub(), {})
        V.cluster.sql("UPDATE vault.watch_state SET saved_at = now()")
        V.restart()
        self.core, self.security = self.client("crm-core", "onboarding"), self.client("security")
        self.update(token, name="After")
        self.assertEqual(self.scrub(), {})

    def test_a_forged_state_is_told_and_read_anew(self):
        V.restart()
        self.core, self.security = self.client("crm-core", "onboarding"), self.client("security")
        V.cluster.sql("INSERT INTO vault.watch_state (saved_at, state) VALUES (now(), decode(repeat('00', 70000), 'hex')) "
                      "ON CONFLICT (only_row) DO UPDATE SET state = excluded.state")
        V.restart()
        self.core, self.security = self.client("crm-core", "onboarding"), self.client("security")
        self.assertEqual(self.scrub(), {})
        told = [r for r in self.security.get("/v1/audit/records?activity=alarm").json["data"] if r["operation"] == "alarm.log_state"]
        self.assertEqual(len(told), 1)


class Tampered(Scrub):
    def test_a_row_rolled_back(self):
        token, sref, customer = self.create()
        V.cluster.sql(f"DROP TABLE IF EXISTS older; CREATE TABLE older AS SELECT * FROM vault.customer WHERE customer_id = {customer}")
        self.update(token, name="Newer Name")
        self.save(customer)
        V.cluster.sql(f"DELETE FROM vault.customer WHERE customer_id = {customer}; INSERT INTO vault.customer SELECT * FROM older")
        self.assertEqual(self.scrub(), {sref: "rolled_back"})
        self.assertEqual(self.scrub(), {sref: "rolled_back"})
        self.assertEqual(self.alarms(sref), ["rolled_back"], "told once, however often it is seen")
        self.mended()

    def test_a_row_rolled_back_stays_found_when_the_vault_has_written_over_it(self):
        token, sref, customer = self.create()
        V.cluster.sql(f"DROP TABLE IF EXISTS older; CREATE TABLE older AS SELECT * FROM vault.customer WHERE customer_id = {customer}")
        self.update(token, name="Second")
        self.update(token, name="Third")
        self.save(customer)
        V.cluster.sql(f"DELETE FROM vault.customer WHERE customer_id = {customer}; INSERT INTO vault.customer SELECT * FROM older")
        self.update(token, name="Second again")
        self.assertEqual(self.scrub(), {sref: "rolled_back"})

    def test_two_rows_swapped(self):
        (_, one, a), (_, two, b) = self.two()
        self.save(a, b)
        for table in ("customer", "customer_key"):
            V.cluster.sql(f"UPDATE vault.{table} SET customer_id = 1 WHERE customer_id = {a};"
                          f"UPDATE vault.{table} SET customer_id = {a} WHERE customer_id = {b};"
                          f"UPDATE vault.{table} SET customer_id = {b} WHERE customer_id = 1")
        self.assertEqual(self.scrub(), {one: "swapped", two: "swapped"})
        self.assertEqual(self.alarms(one), ["swapped"])
        self.mended()

    def test_a_row_deleted(self):
        _, sref, customer = self.create()
        self.save(customer)
        for table in ("customer", "customer_key", "customer_large"):
            V.cluster.sql(f"DELETE FROM vault.{table} WHERE customer_id = {customer}")
        self.assertEqual(self.scrub(), {sref: "deleted"})
        self.assertEqual(self.alarms(sref), ["deleted"])
        self.mended()

    def test_a_row_inserted(self):
        _, sref, customer = self.create()
        self.damaged.append("DELETE FROM vault.customer WHERE customer_id = 4711; DELETE FROM vault.customer_key WHERE customer_id = 4711")
        V.cluster.sql(f"INSERT INTO vault.customer SELECT 4711, version, dek_generation, token_generation, purpose_state, state_valid_until, header, "
                      f"fields, created_at, updated_at FROM vault.customer WHERE customer_id = {customer};"
                      f"INSERT INTO vault.customer_key SELECT 4711, dek_generation, epoch, wrapped FROM vault.customer_key WHERE customer_id = {customer}")
        self.assertEqual(self.scrub(), {sref: "inserted"})
        V.cluster.sql("UPDATE vault.customer SET fields = '\\x0000' WHERE customer_id = 4711")
        self.assertEqual(self.scrub(), {None: "inserted"})
        self.mended()

    def test_bytes_changed_and_columns_beside_them(self):
        _, one, a = self.create()
        self.save(a)
        V.cluster.sql(f"UPDATE vault.customer SET fields = set_byte(fields, length(fields) - 1, get_byte(fields, length(fields) - 1) # 1) WHERE customer_id = {a}")
        self.assertEqual(self.scrub(), {one: "changed"})
        self.mended()
        self.save(a)
        V.cluster.sql(f"UPDATE vault.customer SET token_generation = 7 WHERE customer_id = {a}")
        self.assertEqual(self.scrub(), {one: "unreadable"})
        self.mended()
        self.save(a)
        V.cluster.sql(f"DELETE FROM vault.customer_key WHERE customer_id = {a}")
        self.assertEqual(self.scrub(), {one: "unreadable"})
        self.mended()

    def test_a_large_value_taken_away(self):
        _, sref, customer = self.create(name="Large", notes="long " * 400)
        self.save(customer)
        V.cluster.sql(f"DELETE FROM vault.customer_large WHERE customer_id = {customer}")
        self.assertEqual(self.scrub(), {sref: "value_missing"})
        self.mended()

    def test_an_erased_customer_brought_back(self):
        fields = PEOPLE.fields()
        _, sref, customer = self.create(**fields)
        self.save(customer)
        back = self.damaged.pop()
        self.erase(fields)
        V.cluster.sql(back)
        self.damaged.append(f"DELETE FROM vault.customer WHERE customer_id = {customer}; DELETE FROM vault.customer_key WHERE customer_id = {customer}")
        self.assertEqual(self.scrub(), {sref: "returned"})
        self.mended()

    def test_search_keys_are_not_relied_on(self):
        """They are not authenticated: who rolls a row back would take out those of the newer write."""
        token, sref, customer = self.create()
        V.cluster.sql(f"DROP TABLE IF EXISTS older; CREATE TABLE older AS SELECT * FROM vault.customer WHERE customer_id = {customer}")
        self.update(token, name="Newer")
        self.save(customer)
        V.cluster.sql(f"DELETE FROM vault.customer WHERE customer_id = {customer}; INSERT INTO vault.customer SELECT * FROM older;"
                      "UPDATE vault.audit_segment SET keys = '{}'")
        self.assertEqual(self.scrub(), {sref: "rolled_back"})


class UnderLoad(Scrub):
    def test_writes_while_it_compares_are_no_findings(self):
        import threading
        stop = threading.Event()
        failed = []

        def write(n):
            core = V.client("crm-core", "onboarding")
            try:
                token = core.post("/v1/customers", {"fields": PEOPLE.few()}).json["customer"]
                while not stop.is_set():
                    core.post("/v1/customers", {"fields": {"name": f"Load {n}"}})
                    core.patch("/v1/customers/" + token, {"fields": {"name": f"Load {n}"}}, headers={"If-Match": "*"})
            except Exception as e:  # told below
                failed.append(e)
            finally:
                core.close()

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        try:
            before = self.security.get("/v1/audit/scrub").json["cycle"]
            for _ in range(3):
                self.security.post("/v1/audit/scrub")
                state = vault.wait_until(lambda: (lambda s: s if s["cycle"] > before and not s["running"] else None)(self.security.get("/v1/audit/scrub").json), 60)
                self.assertEqual(state["findings"], [])
                before = state["cycle"]
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    vault.main()
