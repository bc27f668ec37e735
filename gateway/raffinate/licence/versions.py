"""Which of several licence files counts for a machine at a time. Pure.

A version that names the one before by `replaces` takes its place from its own `from` on, or at once
if it revokes it; the old file stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from raffinate.licence.document import Licence


def choose_licence(licences: Collection[Licence], serial: str, at_ms: int) -> Licence | None:
    """The licence of machine `serial` in force at `at_ms` that lasts longest; None: none is."""
    found = [item for item in standing(licences, serial, at_ms) if item.in_force(at_ms)]
    return max(found, key=lambda item: (item.ends_ms, item.version, item.number, item.sha256),
               default=None)  # fmt: skip


def nearest_licence(licences: Collection[Licence], serial: str, at_ms: int) -> Licence | None:
    """The one in force, else the last that was, else the next; None: there is none of it."""
    chosen = choose_licence(licences, serial, at_ms)
    if chosen is not None:
        return chosen
    found = standing(licences, serial, at_ms)
    ended = [item for item in found if item.ends_ms <= at_ms]
    if ended:
        return max(ended, key=lambda item: (item.ends_ms, item.version, item.number, item.sha256))
    return min(found, key=lambda item: (item.from_ms, item.number, item.sha256), default=None)


def standing(licences: Iterable[Licence], serial: str, at_ms: int) -> list[Licence]:
    """Licences of a machine that no version known at `at_ms` has replaced."""
    found = [item for item in licences if item.covers(serial)]
    gone = {
        item.replaces
        for item in found
        if item.replaces is not None and (item.from_ms <= at_ms or _revokes(item, at_ms))
    }
    return [item for item in found if item.sha256 not in gone]


def _revokes(licence: Licence, at_ms: int) -> bool:
    return licence.revoked_ms is not None and licence.revoked_ms <= at_ms
