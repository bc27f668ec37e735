"""Benchmark: decisions of the licence engine replayed, twice in one run.

`python decide.py [--decisions N] [--processes N] [--json]`. The mix, from a fixed seed: a licence
of one machine and its stages, one in four times a licence that sets every condition; the shipped
regimes; facts that are good but for what the seed changes; times over fourteen months. Every
result with all its conditions, inputs and texts goes into one SHA-256; the second pass, in new
processes, must give the same, else the exit status is 1. The digest changes when a word of the
engine or a regime file does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import time
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from raffinate.licence.decide import decide
from raffinate.licence.document import parse_licence
from raffinate.licence.facts import Bounds, Facts, Used
from raffinate.licence.papers import Vouched, parse_paper
from raffinate.licence.shipped import shipped_regimes

if TYPE_CHECKING:
    from raffinate.licence.document import Licence

HERE = Path(__file__).parent / "decisions"
SEED = 20261122
PORTION = 2000
FROM_MS, TO_MS = 1_792_800_000_000, 1_829_700_000_000
FULL_SHARE = 4
"""One decision of so many is of the licence that sets every condition."""
HOUR_MS = 3_600_000


def main() -> int:
    """Run it; exit status 1 when the two passes differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = run(arguments.decisions, arguments.processes)
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:<34} {value}\n")
    return 0 if found["second_pass_equal"] else 1


def run(decisions: int, processes: int) -> dict[str, object]:
    """Both passes: rate, digest of all results, how many of each."""
    start = time.perf_counter()
    digest, counts, conditions, cpu_s = _replay(decisions, processes)
    took_s = time.perf_counter() - start
    again, *_ = _replay(decisions, processes)
    return {
        "decisions": decisions,
        "conditions": conditions,
        "decisions_per_s": round(decisions / took_s),
        "conditions_per_s": round(conditions / took_s),
        "processes": processes,
        "cpu_us_a_decision": round(1e6 * cpu_s / decisions, 1),
        **{f"results_{name}": count for name, count in sorted(counts.items())},
        "digest": digest,
        "second_pass_equal": digest == again,
    }


def _replay(decisions: int, processes: int) -> tuple[str, dict[str, int], int, float]:
    """(digest over the portions' digests, results, conditions, processor seconds)."""
    portions = [(first, min(first + PORTION, decisions)) for first in range(0, decisions, PORTION)]
    whole, counts, conditions, cpu_s = sha256(), dict[str, int](), 0, 0.0
    with multiprocessing.get_context("spawn").Pool(processes, _open) as pool:
        for digest, some, number, used_s in pool.imap(_portion, portions):
            whole.update(digest)
            for name, count in some.items():
                counts[name] = counts.get(name, 0) + count
            conditions += number
            cpu_s += used_s
    return whole.hexdigest(), counts, conditions, cpu_s


class _Mix:
    """The licences, papers and regimes that every process reads anew."""

    def __init__(self) -> None:
        self.regimes = shipped_regimes()
        self.full = _licence("full.toml")
        self.plain = _licence("plain.toml")
        self.papers = tuple(
            parse_paper(path.name, path.read_bytes()) for path in sorted(HERE.glob("paper-*.toml"))
        )

    def case(self, number: int) -> tuple[Licence, Facts, int]:
        """Decision `number` of the mix."""
        draw = random.Random(SEED * 1_000_003 + number)  # noqa: S311 - replayable on purpose
        at_ms = draw.randrange(FROM_MS, TO_MS)
        if number % FULL_SHARE:
            licence = replace(self.plain, to_ms=draw.randrange(FROM_MS, TO_MS))
            return licence, _facts(draw, ()), at_ms
        papers = tuple(
            Vouched(paper, draw.choice(("list", "signature", None)))
            for paper in self.papers
            if draw.randrange(8)
        )
        return self.full, _facts(draw, papers), at_ms


_mix: list[_Mix] = []


def _open() -> None:
    _mix.append(_Mix())


def _portion(span: tuple[int, int]) -> tuple[bytes, dict[str, int], int, float]:
    mix, digest, counts, conditions = _mix[0], sha256(), dict[str, int](), 0
    cpu_s = 0.0
    for number in range(*span):
        licence, facts, at_ms = mix.case(number)
        start = time.process_time()
        decision = decide(licence, mix.regimes, facts, at_ms)
        cpu_s += time.process_time() - start
        counts[decision.result] = counts.get(decision.result, 0) + 1
        conditions += len(decision.conditions)
        digest.update(repr(decision).encode())
    return digest.digest(), counts, conditions, cpu_s


def _facts(draw: random.Random, papers: tuple[Vouched, ...]) -> Facts:
    run_ms = draw.randrange(700) * HOUR_MS
    liters = draw.randrange(1100)
    good = Facts(
        vouched="list",
        newest=True,
        clock="S",
        serial="SN-1",
        site="ndpr",
        sealed=True,
        activity="operation",
        start="permitted",
        stages=("e01", "e02"),
        sections=("extraction",),
        elements=(),
        plateau=("Nd", "Pr"),
        used={
            0: Used(run_ms, run_ms),
            1: Used(1000 * liters, 1000 * liters + 5000),
            2: Used(40_000 * liters, 50_000 * liters, draw.randrange(10) > 0),
            3: Used(12_000 * liters, 12_000 * liters),
        },
        purity={},
        papers=papers,
        acknowledged=True,
        discharge={("o01", "ph"): Bounds(Fraction(draw.randrange(55, 75), 10), 9)},
        reports={"usage report": (FROM_MS + 40 * 24 * HOUR_MS,)},
        changed=(),
    )
    other = draw.randrange(12)
    if other >= len(_OTHERS):
        return good
    return replace(good, **_OTHERS[other])


_OTHERS: tuple[dict[str, object], ...] = (
    {"serial": "SN-2"},
    {"stages": ("e01", "e09")},
    {"start": "hand"},
    {"clock": "R"},
    {"activity": "upgrade", "changed": ("firmware",)},
    {"stages": None, "sections": None},
    {"used": {}, "discharge": {}},
    {"vouched": None},
)


def _licence(name: str) -> Licence:
    return parse_licence(name, (HERE / name).read_bytes())


if __name__ == "__main__":
    sys.exit(main())
