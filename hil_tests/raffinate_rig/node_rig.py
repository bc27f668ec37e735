"""One node under test: real MicroPython, its bus, a broker and an ear at the other end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from raffinate_rig.bus import Bus
from raffinate_rig.listener import Listener
from raffinate_rig.node_process import NodeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from raffinate_rig.brokers import Broker


class NodeRig:
    """A node of `config` (a node.json, its broker's address filled in); `start` awaits `ready`.

    `bus` has its sensors, `node` its process, `listener` what it published. Everything else, such
    as readings and faults, is the test's. `now_ms` is the time that the listener tells.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        broker: Broker,
        *,
        firmware: Path,
        folder: Path,
        speed: int = 1,
        heap: str = "1M",
        heap_every: int = 0,
        answers: bool = True,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        address = {"host": broker.host, "port": broker.port}
        config = {**config, "broker": {**config["broker"], **address}}
        self.config = config
        self.broker = broker
        flash = folder / str(config["node"])
        flash.mkdir(parents=True, exist_ok=True)
        (flash / "node.json").write_text(json.dumps(config), encoding="ascii")
        self.listener = Listener(broker, config["site"], config["node"], answers=answers)
        if now_ms is not None:
            self.listener.now_ms = now_ms
        self.bus = Bus(config, speed=speed)
        self.node = NodeProcess(
            str(config["node"]),
            firmware=firmware,
            flash=flash,
            bus=self.bus.address,
            speed=speed,
            heap=heap,
            heap_every=heap_every,
        )

    def __enter__(self) -> Self:
        self.listener.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.node.stop()
        self.bus.close()
        self.listener.__exit__()

    def start(self, cause: str = "power-on") -> None:
        """Power on and wait for `raffinate ready`."""
        self.node.start(cause)
        self.node.wait_for("ready")
