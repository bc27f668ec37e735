"""Plants whose nodes the test plays itself: one gateway and one broker for a module of tests."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from forger import ForgedNode
from raffinate_rig.brokers import BROKERS
from system import Gateway, NodeSpec, Row, Site, until

if TYPE_CHECKING:
    from pathlib import Path

NODES = 20
ENROLLED = 10
HOLE_S = 60.0


class ForgedPlant:
    """Nodes f00, f01, … of one stage each; every test takes one that nobody had before it.

    `holes` is a node that left out frame 1 and statement 3 when the plant was started, because it
    takes a minute until these are findings.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._stack = ExitStack()
        try:
            self._begin(folder, kind)
        except BaseException:
            self._stack.close()
            raise

    def _begin(self, folder: Path, kind: str) -> None:
        self._free = [f"f{number:02d}" for number in range(NODES)]
        self.broker = self._stack.enter_context(BROKERS[kind](folder / "broker"))
        specs = [NodeSpec(name, (name,)) for name in self._free]
        self.site = Site(folder / "plant", self.broker.port, specs).make()
        self.gateway = self._stack.enter_context(Gateway(self.site))
        until(lambda: self.gateway.health["broker"]["state"] == "connected", "the broker session")
        self.holes = self._enrol_one()
        self._leave_holes()
        # enrolling waits more than it works, so that it goes on beside the tests
        pool = ThreadPoolExecutor(1)
        self._stack.callback(pool.shutdown, cancel_futures=True)
        self._ready = [pool.submit(self._enrol_one) for _ in range(ENROLLED)]

    def close(self) -> None:
        self._stack.close()

    def node(self) -> ForgedNode:
        """A node whose key is pending: its boot statement is with the gateway."""
        node = self._stack.enter_context(ForgedNode(self.broker, self._free.pop()))
        node.say_online()
        node.send("statement", node.boot_statement())
        return node

    def enrolled_node(self) -> ForgedNode:
        """A node whose key is enrolled and whose boot statement has its receipt."""
        return self._ready.pop(0).result()

    def _enrol_one(self) -> ForgedNode:
        node = self.node()
        self.site.enrol(node.node, node.code, alone=True)
        # what was sent while pending is sent again
        node.statement_seq, node.statement_prev = 0, bytes(32)
        node.send("statement", node.boot_statement())
        until(lambda: 1 in node.receipted, f"a receipt for {node.node}")
        return node

    def rows(self, node: ForgedNode) -> list[Row]:
        """What the archive has of a node, in the order of its coming."""
        return [row for row in self.site.rows() if row.point == node.point]

    def values(self, node: ForgedNode) -> list[float | None]:
        """The same, values alone, ascending."""
        return sorted(row.value for row in self.rows(node) if row.value is not None)

    def await_holes(self) -> None:
        """Until the holes are older than a minute."""
        until(lambda: time.monotonic() > self._holes_s + HOLE_S, "a minute", HOLE_S + 5)

    def _leave_holes(self) -> None:
        node = self.holes
        frames = [node.frame(number / 10) for number in range(6)]
        for number in (0, 2, 5):
            node.send("frame", frames[number])
        beats = [node.heartbeat() for _ in range(3)]
        node.send("statement", beats[0])
        node.send("statement", beats[2])
        self.hole_frames, self.hole_beats = frames, beats
        self._holes_s = time.monotonic()
