"""The threats of docs/threats.md, and the register of the bundles that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hostile_story import Plant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Fixture:
    threat: str
    code: str
    build: Callable[[Path], Plant]


FIXTURES: dict[str, Fixture] = {}
WITHHELD = "operator withholds records"
RECEIPTS = "gateway withholds receipts, or shows a node a false log"
MAKER = "bundle's maker supplies the trust root, an old bundle, or leaves out a revocation"
LICENCE = "plant edits its licence file"
PAPERS = "plant edits papers, or shows rules that nobody vouches for"
QUOTA = "permit replayed after a wipe, quota reset"
STARVED = "clock starved to stretch a permit"
BRIDGED = "start contact bridged, run input tied off"
ADMIN = "gateway admin edits or deletes"
FORKS = "admin with the log key forks"
DISK = "disk or VM rolled back"
REPLAY = "replay, duplicate"
CLONE = "stolen or cloned node key"
FLASH = "node's flash rolled back"
CLOCK = "clock moved, records backdated"
SENSOR = "sensor bypassed"
FIRMWARE = "malicious firmware"
PARSER = "parser confusion"
FLOOD = "flood"


def hostile(threat, code, plant=Plant, finish=True, **size):
    """The decorated function makes a plant hostile, before its bundle is finished."""

    def take(act):
        def build(folder):
            made = plant(folder, **size)
            after = act(made)
            if finish:
                made.finish()
            if after is not None:
                after()
            return made

        FIXTURES[act.__name__.replace("_", "-")] = Fixture(threat, code, build)
        return act

    return take
