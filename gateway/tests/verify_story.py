"""Small bundles made step by step, for the verifier's rules, by the maker of the bench."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from raffinate.audit.policy import parse_policy
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify

_PATH = Path(__file__).parents[1] / "bench" / "make_bundle.py"


def _load():
    spec = importlib.util.spec_from_file_location("make_bundle", _PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_bundle"] = module
    spec.loader.exec_module(module)
    return module


make = sys.modules.get("make_bundle") or _load()


class Story:
    """A log that begins honestly; what follows is told by the test, then `judge`."""

    def __init__(self, folder, nodes=2, rounds=4):
        self.folder = folder / "bundle"
        self.folder.mkdir(parents=True)
        self.maker = make.Maker(self.folder, nodes)
        self.maker.begin()
        self.number = 0
        self.rounds(rounds)

    def rounds(self, count=1):
        for _ in range(count):
            self.number += 1
            self.maker.round(self.number)

    def authority(self, kind, /, **members):
        maker = self.maker
        maker.state(maker.authority, kind, members, [("key", "ab" * 32)])

    def revoke(self, pair, last, role="node", trusted=()):
        self.authority(
            "revoke",
            role=role,
            name=pair.node,
            key=pair.keyid,
            lastSeq=last,
            reason="lost",
            trusted=list(trusted),
        )

    def gateway(self, kind, /, **members):
        maker = self.maker
        members = {**members, "actor": make.ACTOR}
        maker.state(maker.gateway, kind, members, [("config", "ab" * 32)])

    def finish(self):
        self.maker.finish()
        return self.folder

    def policy(self, **changes):
        found = parse_policy("policy", self.maker.policy())
        for name, value in changes.items():
            object.__setattr__(found, name, value)
        return found

    def judge(self, *, finish=True, work=None, memory=None, **changes):
        if finish:
            self.finish()
        return verify(open_source(self.folder), self.policy(**changes), work=work, memory=memory)
