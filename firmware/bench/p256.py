"""Benchmark: P-256 on a board, by the multiplications it does. `python firmware/bench/p256.py`.

The node's own arithmetic runs on real MicroPython's Unix port and prints ms and modular
multiplications for each operation, and the most of them between two yields. A multiplication of 255
bits takes 0.21 to 0.38 ms on a Pico W (measured on an emulated one); from that the time on a board
is worked out, without hashing, inversions (Euclid's) and the tasks in between. What a node needs is
that no slice takes longer than LATE_MS_MAX, by which a scan may be late.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from raffinate_rig.processes import MissingToolError, find_tool

FIRMWARE = Path(__file__).resolve().parents[1]
ROUNDS = 10
PICO_MS = (0.21, 0.38)
LATE_MS_MAX = 200.0
RUN_S_MAX = 300.0
SCRIPT = """
import hashlib, json, sys, time
from raffinate_wire import p256
rounds = int(sys.argv[1])
D = int.from_bytes(hashlib.sha256(b"bench").digest(), "big") % p256.N
point = p256.public_key(D)
spki = p256.spki(point[0], point[1])
digests = [hashlib.sha256(b"%d" % at).digest() for at in range(rounds)]
sigs = [p256.sign(D, digest) for digest in digests]
key = p256.run(p256.prepare_steps(point))

def measure(name, make):
    muls = worst = 0
    spent_us = 0
    for at in range(rounds):
        steps = make(at)
        while True:
            before, start = p256.MULS[0], time.ticks_us()
            try:
                next(steps)
                going = True
            except StopIteration:
                going = False
            spent_us += time.ticks_diff(time.ticks_us(), start)
            slice_muls = p256.MULS[0] - before
            muls += slice_muls
            worst = max(worst, slice_muls)
            if not going:
                break
    print(json.dumps([name, spent_us / rounds / 1000, muls / rounds, worst]))

measure("make a key", lambda at: p256.public_key_steps(D - at))
measure("sign", lambda at: p256.sign_steps(D, digests[at]))
measure("verify", lambda at: p256.verify_steps(point, digests[at], sigs[at]))
measure("prepare a table", lambda at: p256.prepare_steps(point))
measure("verify by table", lambda at: p256.verify_steps(key, digests[at], sigs[at]))
"""


def measure(rounds: int) -> list[dict[str, Any]]:
    """What MicroPython says of each operation; raises MissingToolError, RuntimeError."""
    done = subprocess.run(
        [find_tool("micropython"), "-c", SCRIPT, str(rounds)],
        env={**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen"},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"MicroPython ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return [
        {
            "operation": name,
            "ms": round(ms, 2),
            "multiplications": round(muls),
            "pico_ms": [round(muls * each) for each in PICO_MS],
            "slice_multiplications_max": worst,
            "slice_pico_ms": [round(worst * each) for each in PICO_MS],
        }
        for name, ms, muls, worst in map(json.loads, done.stdout.splitlines())
    ]


def main() -> int:
    """The command line; status 1 where a slice would make a board's scan late."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = measure(options.rounds)
    except (MissingToolError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        sys.stdout.write(table(found))
    longest_ms = max(one["slice_pico_ms"][1] for one in found)
    return 0 if longest_ms <= LATE_MS_MAX else 1


def table(found: list[dict[str, Any]]) -> str:
    """The measurements as lines of text."""
    lines = ["P-256 on MicroPython, this machine beside a Pico W as worked out"]
    lines.append(f"{'':16} {'ms here':>8} {'mult.':>6} {'Pico W ms':>12} {'longest slice':>18}")
    for one in found:
        low, high = one["pico_ms"]
        slice_low, slice_high = one["slice_pico_ms"]
        lines.append(
            f"{one['operation']:16} {one['ms']:8.2f} {one['multiplications']:6d} "
            f"{low:5d} to {high:4d} {one['slice_multiplications_max']:4d} = {slice_low} to "
            f"{slice_high} ms"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
