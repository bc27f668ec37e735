"""Permits: the short-lived, signed leave to start one equipment.

Times are UTC milliseconds; limits are absolute register values of the metering node's key.
"""

from raffinate_wire import jsonc, record
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PERMIT_BYTES_MAX = 4416
LIFE_MS_MAX = 7 * 24 * 3600 * 1000
STAGES_MAX = 96
MODE_START = "start"
VERSION = 1

_SCHEMA = (
    "v:uint serial:positive site:id node:node keyid:keyid equipment:id licence:free "
    "licenceSha256:digest purpose:free stages:id*96 issuedMs:uint notBeforeMs:uint "
    "notAfterMs:uint graceMs:uint runMsLimit:uint volumeMlLimit:uint? mode:=start"
)


class Permit:
    """A permit's members, named as format_permit's arguments."""

    def __init__(self, members: jsonc.Obj) -> None:
        self.serial: int = members["serial"]
        self.site: str = members["site"]
        self.node: str = members["node"]
        self.keyid: str = members["keyid"]
        self.equipment: str = members["equipment"]
        self.licence: str = members["licence"]
        self.licence_sha256: str = members["licenceSha256"]
        self.purpose: str = members["purpose"]
        self.stages: "list[str]" = members["stages"]
        self.issued_ms: int = members["issuedMs"]
        self.not_before_ms: int = members["notBeforeMs"]
        self.not_after_ms: int = members["notAfterMs"]
        self.grace_ms: int = members["graceMs"]
        self.run_ms_limit: int = members["runMsLimit"]
        self.volume_ml_limit: "int | None" = members["volumeMlLimit"]
        self.mode: str = members["mode"]


def format_permit(
    serial: int,
    site: str,
    node: str,
    keyid: str,
    equipment: str,
    licence: str,
    licence_sha256: str,
    purpose: str,
    stages: "list[str]",
    issued_ms: int,
    not_before_ms: int,
    not_after_ms: int,
    grace_ms: int,
    run_ms_limit: int,
    volume_ml_limit: "int | None" = None,
    mode: str = MODE_START,
) -> bytes:
    """Return a permit's payload; raise WireError."""
    members: "dict[str, Any]" = {
        "v": VERSION,
        "serial": serial,
        "site": site,
        "node": node,
        "keyid": keyid,
        "equipment": equipment,
        "licence": licence,
        "licenceSha256": licence_sha256,
        "purpose": purpose,
        "stages": stages,
        "issuedMs": issued_ms,
        "notBeforeMs": not_before_ms,
        "notAfterMs": not_after_ms,
        "graceMs": grace_ms,
        "runMsLimit": run_ms_limit,
        "volumeMlLimit": volume_ml_limit,
        "mode": mode,
    }
    payload = record.write(_SCHEMA, members).encode()
    _check(members, len(payload))
    return payload


def parse_permit(payload: bytes) -> Permit:
    """Return the permit of a payload whose signature was verified; raise WireError."""
    members = record.read(_SCHEMA, jsonc.parse(payload, 2))
    _check(members, len(payload))
    return Permit(members)


def _check(members: "Any", length: int) -> None:
    if length > PERMIT_BYTES_MAX:
        raise WireError("too-long", f"a permit has at most {PERMIT_BYTES_MAX} bytes")
    if members["v"] != VERSION:
        raise WireError("unknown-version", f"version {members['v']} is not {VERSION}")
    if not members["stages"]:
        raise WireError("bad-permit", "a permit names at least one stage")
    life_ms = members["notAfterMs"] - members["notBeforeMs"]
    if not 0 < life_ms <= LIFE_MS_MAX:
        raise WireError("bad-permit", "a permit lasts more than nothing and at most 7 days")
    if members["graceMs"] > LIFE_MS_MAX:
        raise WireError("bad-permit", "a permit's grace is at most 7 days")
