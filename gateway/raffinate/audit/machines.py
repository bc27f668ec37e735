"""The machines as nodes' statements name them, and what their descriptors say. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.toml_lines import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.result import Result

PERMITS_KEPT = 64
STAGES_MAX = 512


@dataclass(frozen=True, slots=True)
class Where:
    """The entry that something belongs to: its index, whose it is, its number."""

    index: int | None = None
    node: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What counts of an equipment file; None where it cannot be read or does not say."""

    serial: str | None = None
    volume: str | None = None
    stages: tuple[str, ...] | None = None
    maker: str = ""
    model: str = ""
    sections: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """A permit: under which licence, from when to when, its grace included."""

    licence_sha256: str
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Machine:
    """One equipment under one key: its newest descriptor, its newest permits, what it does now.

    `permits` are by their serial. `denied`: the reason of a start
    without leave that was stated and whose interval was not. `outside_ms`: run time without any
    licence since `outside`, where that began at `outside_from_ms`.
    """

    keyid: str
    equipment: str
    descriptor: Descriptor = field(default_factory=Descriptor)
    digest: str = ""
    permit_serial: int = 0
    end_ms: int | None = None
    permits: dict[int, Leave] = field(default_factory=dict)
    ran_on: bool = False
    clock: str | None = None
    denied: str | None = None
    outside: Where | None = None
    outside_from_ms: int = 0
    outside_ms: int = 0

    @property
    def name(self) -> str:
        """Its serial, or what its node calls it."""
        return self.descriptor.serial or self.equipment


class Machines:
    """Machines by (keyid, equipment); a descriptor is read once."""

    def __init__(self, read: Callable[[str], bytes | None], result: Result) -> None:
        self._read = read
        self._result = result
        self._machines: dict[tuple[str, str], Machine] = {}
        self._descriptors: dict[str, Descriptor] = {}
        self.covered: set[str] = set()

    def get(self, keyid: str, equipment: str) -> Machine:
        """The machine, known or not."""
        found = self._machines.get((keyid, equipment))
        if found is None:
            found = self._machines[keyid, equipment] = Machine(keyid, equipment)
        return found

    def all(self) -> list[Machine]:
        """Every machine, as it was first named."""
        return list(self._machines.values())

    def newest(self, equipment: str) -> Machine | None:
        """The machine that the plant calls so, under the key that named it last."""
        found = [one for one in self._machines.values() if one.equipment == equipment]
        return found[-1] if found else None

    def describe(self, machine: Machine, digest: str, index: int) -> None:
        """A statement names the machine's descriptor by another SHA-256 than before."""
        machine.digest = digest
        if digest not in self._descriptors:
            self._descriptors[digest] = self._read_descriptor(digest, index)
        machine.descriptor = self._descriptors[digest]
        self.covered.add(machine.name)

    def _read_descriptor(self, digest: str, index: int) -> Descriptor:
        data = self._read(f"equipment/{digest}.toml")
        if data is not None and sha256(data).hexdigest() == digest:
            try:
                value = loads(data.decode())
            except (ValueError, RecursionError):
                value = {}
            texts = {
                name: value[name]
                for name in ("serial", "volume", "maker", "model")
                if isinstance(value.get(name), str)
            }
            for name in ("stages", "sections"):
                names = value.get(name)
                if (
                    isinstance(names, list)
                    and len(names) <= STAGES_MAX
                    and all(isinstance(item, str) for item in names)
                ):
                    texts[name] = tuple(names)
            if "serial" in texts:
                return Descriptor(**texts)
        self._result.add("DESCRIPTOR-ABSENT", f"descriptor {digest}", index=index)
        return Descriptor()
