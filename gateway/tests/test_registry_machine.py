"""The registry against a plain model: sets, holds, deletions, restarts, lost commits, any order."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from evidence_site import enrolled_site
from raffinate.errors import StorageFullError
from raffinate.evidence import salted
from registry_papers import adding, ask, digest, party, stated

NAMES = ("a", "b")
YEARS_MS = 8 * 366 * 86_400_000


def paper(name, version, twist):
    """A version of one line of versions; `twist` tells two lines of one id apart."""
    before = "" if version == 1 else digest(paper(name, version - 1, twist))
    extra = f'version = {version}\nreplaces = "{before}"\n' if before else ""
    return party(f"{name} {twist}", name, extra)


PAPERS = st.builds(
    paper, st.sampled_from(NAMES), st.sampled_from((1, 1, 2, 3)), st.sampled_from((0, 0, 1))
)


class Registry(RuleBasedStateMachine):
    """`rows` is the model: (name, version) to (digest, kept), and what the log was told."""

    @initialize()
    def begin(self):
        self.place = tempfile.TemporaryDirectory(prefix="raffinate-registry-")
        self.site, _ = enrolled_site(Path(self.place.name))
        self.rows, self.told, self.holds, self.number = {}, [], {}, 0
        self.age, self.came = 0, {}

    def teardown(self):
        if hasattr(self, "site"):
            self.site.close()
            self.place.cleanup()

    def ask(self, body, documents=()):
        self.number += 1
        return ask(self.site, body, documents, name=f"r{self.number}")

    @rule(documents=st.lists(PAPERS, min_size=1, max_size=3, unique=True))
    def add(self, documents):
        fits = self.fits(documents)
        answer = self.ask(*adding(*documents))
        assert answer["ok"] == fits, answer

    @rule(documents=st.lists(PAPERS, min_size=1, max_size=2, unique=True), after=st.booleans())
    def add_as_the_disk_fails(self, documents, after):
        """The commit is lost, or done and not known to be; the file stays and is taken again."""
        body, data = adding(*documents)
        self.number += 1
        name = f"r{self.number}"
        ask(self.site, body, data, name=name, tick=False)
        store = self.site.service._store
        real = type(store).remember

        def fail(*args):
            if after:
                real(store, *args)
            raise StorageFullError("full")

        store.remember = fail
        with suppress(StorageFullError):
            self.site.tick(1000)
        self.fits(documents)
        self.site.reopen()
        self.site.tick(1000)
        assert (self.site.data / "outbox" / f"{name}.json").exists()

    def fits(self, documents):
        """Whether the model takes the set; then it has."""
        rows = {key: value[0] for key, value in self.rows.items()}
        wanted = sorted((self.key(data), data) for data in documents)
        for (name, version), data in wanted:
            if rows.setdefault((name, version), digest(data)) != digest(data):
                return False
            known = (name, version) in self.rows
            if version > 1 and not known:
                before = rows.get((name, version - 1))
                if before is None or before.encode() not in data:
                    return False
        for key, data in wanted:
            if not self.rows.get(key, ("", False))[1]:
                self.rows[key] = (digest(data), True)
                self.came.setdefault(key, self.age)
                self.told.append(("add", digest(data)))
        return True

    @staticmethod
    def key(data):
        return next((n, v) for n in NAMES for v in (1, 2, 3) for t in (0, 1)
                    if paper(n, v, t) == data)  # fmt: skip

    @rule(name=st.sampled_from(("h1", "h2")))
    def hold(self, name):
        reason, documents = salted.details("", name, [], bytes)
        answer = self.ask({"action": "hold", "name": name, "reason": reason}, documents)
        assert answer["ok"] == (name not in self.holds)
        if answer["ok"]:
            self.holds[name] = True
            self.told.append(("hold", reason))

    @rule(name=st.sampled_from(("h1", "h2")))
    def release(self, name):
        answer = self.ask({"action": "release", "name": name})
        assert answer["ok"] == self.holds.get(name, False)
        if answer["ok"]:
            self.holds[name] = False
            self.told.append(("release", salted.details("", name, [], bytes)[0]))

    @rule(data=PAPERS, pick=st.integers(0, 7), late=st.booleans())
    def delete(self, data, pick, late):
        """Mostly one that is there: the draw alone would seldom meet it."""
        there = [paper(*key, twist) for key in sorted(self.rows) for twist in (0, 1)]
        there = [item for item in there if self.rows[self.key(item)] == (digest(item), True)]
        data = there[pick % len(there)] if there and pick else data
        if late:
            self.site.now_ms += YEARS_MS
            self.age += 1
        key, wanted = self.key(data), digest(data)
        may = self.rows.get(key) == (wanted, True) and not any(self.holds.values())
        answer = self.ask({"action": "delete", "sha256": wanted})
        assert answer["ok"] == (may and self.came[key] < self.age), answer
        if answer["ok"]:
            self.rows[key] = (wanted, False)
            self.told.append(("delete", wanted))

    @rule()
    def reopen(self):
        self.site.reopen()

    @invariant()
    def same(self):
        if not hasattr(self, "site"):
            return
        said = [(s.body["action"], s.body["sha256"]) for _, s in stated(self.site)]
        assert said == self.told
        kept = {row[0] for row in self.site.service._store.documents() if row[1] == "document"}
        assert kept == {sha for sha, here in self.rows.values() if here}
        register = self.site.service._actions.register
        assert {(r.name, r.version): r.sha256 for r in register if r.kind == "party"} == {
            key: value[0] for key, value in self.rows.items()
        }
        assert {row.name for row in register.holds()} == {n for n, on in self.holds.items() if on}


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(
    max_examples=10,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
