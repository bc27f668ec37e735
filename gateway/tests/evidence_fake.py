# ruff: noqa: ARG002 - the port's parameters
"""An evidence service for tests of the ingest alone: keys have the state a test gives them."""

from __future__ import annotations

from raffinate.model import StatementResult


class PlainEvidence:
    """`ports.Evidence` without signatures: statements are taken and remembered.

    `states` is by the first 16 digits of a key; `gaps` and `refused` are what the next batch of
    statements leads to.
    """

    def __init__(self, default="enrolled"):
        self.default = default
        self.states = {}
        self.statements = []
        self.statuses = []
        self.gaps = ()
        self.refused = {}
        self.quarantine = ()
        self.enrolled = []
        self.fail = None

    def key_state(self, node, key):
        assert len(key) in (16, 64)
        return self.states.get(key[:16], self.default)

    def submit(self, batch):
        assert batch
        if self.fail is not None:
            raise self.fail
        self.statements += batch
        return StatementResult((), tuple(self.gaps), self.refused, tuple(self.quarantine))

    def on_status(self, node, payload, now_ms):
        self.statuses.append((node, payload))
        return []

    def tick(self, now_ms):
        return []

    def drain_enrolled(self):
        found, self.enrolled = self.enrolled, []
        return found

    def snapshot(self):
        return {}
