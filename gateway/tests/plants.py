"""Plants and frames that the gateway's tests share."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from raffinate.config import Config, load_config
from raffinate.config.template import write_template
from raffinate_wire.frame import ZERO_PREV, format_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.model import Plant

SITE = "ndpr"
KEY = "3f9ac0d1e2b34455"
START_MS = 1_795_255_200_000


@cache
def demo_config() -> Config:
    """The plant that `raffinate init` writes, read once."""
    folder = Path(mkdtemp(prefix="raffinate-plant-"))
    write_template(folder)
    return load_config(folder)


def demo_plant() -> Plant:
    return demo_config().plant


def make_frame(
    seq: int,
    prev: bytes = ZERO_PREV,
    *,
    node: str = "n01",
    site: str = SITE,
    key: str = KEY,
    boot: int = 1,
    clock: str = "S",
    time_ms: int | None = None,
    up_ms: int | None = None,
    values: Sequence[tuple[str, str | None, int | str, int]] = (("e01/ph", "pH", 1851, 3),),
) -> bytes:
    """A frame of one scan, a second after the one before unless told otherwise."""
    up_ms = 1000 * (seq + 1) if up_ms is None else up_ms
    time_ms = START_MS + up_ms if time_ms is None else time_ms
    bt_ms = None if clock == "U" else time_ms
    scan = (bt_ms, up_ms, list(values))
    return format_frame(site, node, key, boot, seq, prev, clock, [scan])


def chain(count: int, first: int = 0, prev: bytes = ZERO_PREV, **members: object) -> list[bytes]:
    """`count` frames, each with the hash of the one before it."""
    frames = []
    for seq in range(first, first + count):
        data = make_frame(seq, prev, **members)  # type: ignore[arg-type]
        prev = hashlib.sha256(data).digest()
        frames.append(data)
    return frames
