"""Rounds of kill -9: gateway, broker and a node, each at an instant of its own.

Run it as `make soak ROUNDS=200`. In each round all three are killed, in any order, also while
others are down or starting, and each comes back after a moment. Afterwards everything that nodes
got to the broker and everything that the gateway promised is compared with the archive and the
log. Prints progress on standard error and a summary as JSON; exit status 1 on any loss, doubling
or uncovered hole.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent / "tests"))

from ledger import Judgement, judge
from raffinate_rig.brokers import NatsBroker
from raffinate_rig.deploy import deploy
from spy import Spy
from system import Gateway, NodeSpec, RealNode, Site, until

if TYPE_CHECKING:
    from collections.abc import Callable

NODES = (
    NodeSpec("n01", ("e01", "e02"), "bat-ext", outbox={"group_ms": 2000}),
    NodeSpec("n02", ("e03",)),
)
SPREAD_S = 3.0
DOWN_S_MAX = 1.5
# A third of the rounds begin before the last one's victims have found each other again.
HASTE = 1 / 3
RECOVER_S = 120.0
SETTLE_S = 240.0


class Soak:
    """A small plant that is killed again and again. `seed` gives the order and the instants."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - instants, no secrets
        self._stack = ExitStack()
        self.kills = dict.fromkeys(("gateway", "broker", "node"), 0)
        try:
            self._begin(folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End every process."""
        self._stack.close()

    def round(self) -> None:
        """Kill each of the three once."""
        node = self._random.choice(self.nodes)
        victims: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
            ("gateway", self.gateway.kill, lambda: self.gateway.start(wait=False)),
            ("broker", self.broker.kill, self.broker.start),
            ("node", node.process.kill, lambda: node.process.start("power-on")),
        ]
        now = time.monotonic()
        agenda: list[tuple[float, Callable[[], None]]] = []
        for name, kill, start in victims:
            at = now + self._random.uniform(0, SPREAD_S)
            agenda += [(at, kill), (at + self._random.uniform(0.05, DOWN_S_MAX), start)]
            self.kills[name] += 1
        for at, action in sorted(agenda, key=lambda item: item[0]):
            time.sleep(max(0.0, at - time.monotonic()))
            action()
        if self._random.random() > HASTE:
            self._recover()

    def settle(self) -> None:
        """Everything heard so far is acked and receipted; then the nodes are switched off."""
        self._recover()
        frames, statements = set(self.spy.unacked()), set(self.spy.unreceipted())
        until(
            lambda: (
                not frames & set(self.spy.unacked())
                and not statements & set(self.spy.unreceipted())
            ),
            "everything settled",
            SETTLE_S,
        )
        for node in self.nodes:
            node.process.kill()
        until(lambda: not self.spy.unacked() and not self.spy.unreceipted(), "the rest settled")

    def judge(self) -> Judgement:
        """Compare what was promised with what was kept."""
        return judge(self.site, self.spy)

    def _begin(self, folder: Path) -> None:
        enter = self._stack.enter_context
        firmware = deploy(folder / "firmware")
        self.broker = enter(NatsBroker(folder / "broker"))
        self.site = Site(folder / "plant", self.broker.port, NODES).make()
        self.spy = enter(Spy(self.broker))
        self.gateway = enter(Gateway(self.site))
        self.nodes = [enter(RealNode(self.site, spec.id, firmware)) for spec in NODES]
        for node in self.nodes:
            node.enrol()
        self.spy.wait_receipts(2)

    def _recover(self) -> None:
        """Until the gateway serves and every node has had something acked since."""
        until(self.gateway.answers, "the gateway serving", RECOVER_S)
        before = {key: self._acked(key) for key in self._keys()}
        until(
            lambda: all(self._acked(key) > before[key] for key in before),
            "frames of every node acked again",
            RECOVER_S,
        )

    def _keys(self) -> set[str]:
        return {keyid[:16] for keyid, _ in list(self.spy.statements)}

    def _acked(self, key: str) -> int:
        return sum(upto for (of, _), upto in list(self.spy.upto.items()) if of == key)


def run(rounds: int, seed: int, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Do `rounds` rounds in `folder`; the summary, `ok` only if nothing is wrong."""
    began = time.monotonic()
    soak = Soak(folder, seed)
    try:
        for number in range(1, rounds + 1):
            soak.round()
            say(
                f"round {number} of {rounds}: {len(soak.spy.frames)} frames, "
                f"{len(soak.spy.receipts)} receipts, {time.monotonic() - began:.0f} s"
            )
        soak.settle()
        found = soak.judge()
    except TimeoutError as error:
        found = Judgement(failures={"did not come back": [str(error)]})
    finally:
        soak.close()
    return {
        "ok": not found.failures,
        "rounds": rounds,
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "kills": soak.kills,
        **found.as_json(),
    }


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the order and the instants")
    parser.add_argument("--folder", type=Path, help="kept afterwards; default: a temporary one")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="raffinate-soak-"))
    _say(f"seed {seed}, folder {folder}")
    summary = run(options.rounds, seed, folder, _say)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    if summary["ok"] and options.folder is None:
        shutil.rmtree(folder)
    return 0 if summary["ok"] else 1


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
