"""Permits: checked in slices, made durable before use, never replaced by an older one.

A permit in use is the tuple (serial, SHA-256 of its envelope, licence's SHA-256, issuedMs,
notBeforeMs, notAfterMs, graceMs, runMsLimit, volumeMlLimit or -1).
"""

import hashlib
import struct
from binascii import unhexlify

from raffinate_wire import dsse
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generator

    from raffinate_node.settings import Config
    from raffinate_node.store import Store

    Permit = tuple[int, bytes, bytes, int, int, int, int, int, int]

FORM = "<Q32s32s5Qq"
FORM_BYTES = 120


def load(store: "Store", equipment: str) -> "Permit | None":
    """Return the newest permit taken for an equipment, or None."""
    data = store.get("permit-" + equipment)
    if data is None or len(data) != FORM_BYTES:
        return None
    permit: "Permit" = struct.unpack(FORM, data)
    return permit


def save(store: "Store", equipment: str, permit: "Permit") -> None:
    """Make a permit durable; it counts only after this."""
    store.put("permit-" + equipment, struct.pack(FORM, *permit))


def is_known(permit: "Permit | None", data: bytes) -> bool:
    """Whether these are the bytes of the permit in use: the broker sends it at each session."""
    return permit is not None and hashlib.sha256(data).digest() == permit[1]


def is_in_force(permit: "Permit", now_ms: int) -> bool:
    """Whether a permit's grace has not ended."""
    return now_ms < permit[5] + permit[6]


def check_steps(
    data: bytes, held: "Permit | None", config: "Config", keyid: str, equipment: str
) -> "Generator[None, None, Permit]":
    """Return the permit of an envelope, verified in slices, if it may follow `held`.

    Raises WireError; besides the parsers' codes `foreign`, `old-serial`, `same-serial`.
    """
    envelope = yield from dsse.open_steps(data, config.keys["permit"], dsse.PAYLOAD_PERMIT)
    yield
    from raffinate_wire.permit import parse_permit  # noqa: PLC0415 - at most a few times a day

    found = parse_permit(envelope.payload)
    names = (found.site, found.node, found.keyid, found.equipment)
    if names != (config.site, config.node, keyid, equipment):
        raise WireError("foreign", "the permit is another's")
    if held is not None and found.serial <= held[0]:
        same = found.serial == held[0]
        raise WireError("same-serial" if same else "old-serial", f"serial {held[0]} is held")
    volume_ml = found.volume_ml_limit
    return (
        found.serial,
        hashlib.sha256(data).digest(),
        unhexlify(found.licence_sha256),
        found.issued_ms,
        found.not_before_ms,
        found.not_after_ms,
        found.grace_ms,
        found.run_ms_limit,
        -1 if volume_ml is None else volume_ml,
    )
