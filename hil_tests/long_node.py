"""One node of four stages in a board's heap, for as long as it takes: heap, ticks, frames.

`make heap SCANS=20000` runs it on an accelerated clock, the first 200 scans without a gateway, and
demands that the heap after a collection does not grow by more than HEAP_GROWTH_BYTES_MAX from a
tenth of the way to the end and that no scheduled seq is absent. `make ticks SCANS=600` runs it in
real time and demands that every scan starts within LATE_MS_MAX of its tick. Prints progress on
standard error and a summary as JSON; exit status 1 when something is not as demanded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent / "tests"))

from raffinate_rig.brokers import NatsBroker
from raffinate_rig.deploy import deploy
from spy import Spy
from system import Gateway, NodeSpec, RealNode, Site, until

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes on the 64-bit port, whose objects are twice those of a board.
HEAP = "160K"
SCAN_MS = 1000
NODE = NodeSpec(
    "n01",
    ("e01", "e02", "e03", "e04"),
    "bat-ext",
    scan_ms=SCAN_MS,
    statement_s=60,
    kit="mixer-settler",
)
ALONE_SCANS = 200
HEAP_EVERY_SCANS = 10
# A statement that is under way is in hand: the least of so many scans counts.
HEAP_WINDOW_SCANS = 100
HEAP_GROWTH_BYTES_MAX = 1024
LATE_MS_MAX = 200
ACK_S_MAX = 120.0


def run(
    scans: int, speed: int, alone_scans: int, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run `scans` scans, the first `alone_scans` without a gateway; the summary."""
    firmware = deploy(folder / "firmware")
    heaps: dict[int, int] = {}
    errors: list[str] = []
    began = time.monotonic()
    with NatsBroker(folder / "broker") as broker, Spy(broker) as spy:
        site = Site(folder / "plant", broker.port, [NODE]).make()
        gateway = Gateway(site)
        node = RealNode(
            site, NODE.id, firmware, speed=speed, heap=HEAP, heap_every=HEAP_EVERY_SCANS
        )
        try:
            node.start()
            code = node.process.enrol_code()
            _watch(node, alone_scans, heaps, errors, say)
            gateway.start()
            site.enrol(NODE.id, code)
            _watch(node, scans, heaps, errors, say)
            until(lambda: _acked(spy) >= scans - 1, "every frame acked", ACK_S_MAX)
            statements, receipts = len(spy.statements), len(spy.receipts)
        finally:
            node.__exit__()
            gateway.stop()
    return {
        "scans": scans,
        "speed": speed,
        "seconds": round(time.monotonic() - began),
        "heap": _growth(heaps, scans),
        "absent": _absent(spy, scans),
        "late_ms_max": _late_ms(spy),
        "statements": statements,
        "receipts": receipts,
        "errors": errors,
    }


def _watch(
    node: RealNode,
    scans: int,
    heaps: dict[int, int],
    errors: list[str],
    say: Callable[[str], None],
) -> None:
    """Read the console until so many scans are done."""
    done = 0
    while done < scans:
        time.sleep(0.2)
        for line in node.process.new_lines():
            if line.text.startswith("heap "):
                done, used = (int(word) for word in line.text.split()[1:3])
                heaps[done] = used
                if done % 500 == 0:
                    say(f"scan {done} of {scans}: {used} bytes of heap")
            elif line.kind in ("error", "output"):
                errors.append(line.text)
        if not node.process.running:
            raise RuntimeError(f"the node ended: {errors[-3:]}")


def _growth(heaps: dict[int, int], scans: int) -> dict[str, int]:
    """The heap in use at a tenth of the way, at the end and at its highest, bytes."""
    early = _least(heaps, scans // 10)
    late = _least(heaps, scans - HEAP_WINDOW_SCANS)
    return {"early": early, "late": late, "highest": max(heaps.values())}


def _least(heaps: dict[int, int], start: int) -> int:
    return min(used for scan, used in heaps.items() if start <= scan < start + HEAP_WINDOW_SCANS)


def _absent(spy: Spy, scans: int) -> list[int]:
    """Scheduled frames that never came, the first ones."""
    seqs = {seq for _, boot, seq in spy.frames if boot == 1}
    return sorted(set(range(scans)) - seqs)[:20]


def _late_ms(spy: Spy) -> int:
    """How late the latest scan started, ms, by the node's own clock."""
    starts = {seq: frame.scans[0][1] for (_, _, seq), frame in spy.frames.items()}
    offsets = [up_ms - seq * SCAN_MS for seq, up_ms in starts.items()]
    return max(offsets) - min(offsets)


def _acked(spy: Spy) -> int:
    return max((upto for (_, boot), upto in list(spy.upto.items()) if boot == 1), default=-1)


def complaints(summary: dict[str, Any], *, real_time: bool) -> list[str]:
    """What is not as demanded."""
    found = [f"console: {text}" for text in summary["errors"][:5]]
    if summary["absent"]:
        found.append(f"frames that never came: {summary['absent']}")
    grown = summary["heap"]["late"] - summary["heap"]["early"]
    if grown > HEAP_GROWTH_BYTES_MAX:
        found.append(f"the heap grew by {grown} bytes")
    if real_time and summary["late_ms_max"] > LATE_MS_MAX:
        found.append(f"a scan started {summary['late_ms_max']} ms after its tick")
    return found


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scans", type=int, default=20000)
    parser.add_argument("--speed", type=int, default=20, help="1: real time, ticks are judged")
    parser.add_argument("--alone", type=int, default=ALONE_SCANS, help="scans before the gateway")
    options = parser.parse_args()
    if options.scans < 2 * HEAP_WINDOW_SCANS:
        parser.error(f"--scans: at least {2 * HEAP_WINDOW_SCANS}")
    with tempfile.TemporaryDirectory(prefix="raffinate-node-") as folder:
        summary = run(options.scans, options.speed, options.alone, Path(folder), _say)
    wrong = complaints(summary, real_time=options.speed == 1)
    sys.stdout.write(json.dumps({"ok": not wrong, "wrong": wrong, **summary}, indent=1) + "\n")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
