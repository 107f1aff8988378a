"""A log of 6,000 segments: each filter finds every record that matches and no other, newest first, by whichever way the search goes."""
import json
import pathlib
import sys
import unittest
import urllib.parse

import vault

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import audit_search  # noqa: E402

RECORDS = 150000
RETIRED = 40000  # the oldest: more segments than the index is asked for at once


class Drawn(audit_search.Values):
    """Notes what it draws, and gives an actor a past: many records, none of them new."""
    drawn = []

    def draw(self, i):
        actor, activity, outcome, purpose, customer = super().draw(i)
        if i < RETIRED and i % 3 == 0 and actor != 199:
            actor = 198
        elif actor == 198:
            actor = 197
        self.drawn.append((audit_search.ACTORS[actor], activity, outcome, purpose))
        return actor, activity, outcome, purpose, customer


def setUpModule():
    global V
    V = vault.Vault("search", scrub_hours=0)
    V.prepare()
    audit_search.Values = Drawn
    audit_search.load(V.cluster, RECORDS)
    V.start()
    unittest.addModuleCleanup(V.close)


class Search(unittest.TestCase):
    def setUp(self):
        self.client = V.client("security")
        self.addCleanup(self.client.close)

    def found(self, **filters):
        cursor, times = None, []
        while True:
            query = dict(filters, limit=500, until="2026-06-01T00:00:00Z", **({"cursor": cursor} if cursor else {}))
            reply = self.client.get("/v1/audit/records?" + urllib.parse.urlencode(query))
            self.assertEqual(reply.status, 200, reply)
            page = json.loads(reply.body)
            for record in page["data"]:
                for name, value in filters.items():
                    self.assertEqual(record[name], value)
            times += [(r["time"], int(r["id"].split("-")[0]), int(r["id"].split("-")[1])) for r in page["data"]]
            cursor = page["next"]
            if not cursor:
                break
        self.assertEqual(times, sorted(set(times), reverse=True), "newest first, each once")
        return len(times)

    def check(self, **filters):
        names = ("actor", "activity", "outcome", "purpose")
        wanted = {names.index(n): v for n, v in filters.items()}
        expected = sum(all(d[i] == v for i, v in wanted.items()) for d in Drawn.drawn)
        self.assertEqual(self.found(**filters), expected, filters)
        return expected

    def test_the_rarest(self):
        self.assertEqual(self.check(actor=audit_search.ACTORS[199]), 3)
        self.assertEqual(self.check(activity="revoke", purpose="rare_purpose"), 3)
        self.assertEqual(self.check(actor="spiffe://crm.example/svc/nobody"), 0)

    def test_those_between(self):
        self.assertGreater(self.check(actor=audit_search.ACTORS[60]), 100)
        self.assertGreater(self.check(actor=audit_search.ACTORS[0], outcome="failure"), 500)
        self.check(actor=audit_search.ACTORS[60], outcome="failure")
        self.check(activity="update", purpose="billing")

    def test_what_was_frequent_once_and_is_no_more(self):
        self.assertGreater(self.check(actor=audit_search.ACTORS[198]), 10000)
        self.check(actor=audit_search.ACTORS[198], activity="translate")


if __name__ == "__main__":
    vault.main()
