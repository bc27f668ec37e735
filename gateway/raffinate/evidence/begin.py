"""`raffinate keys init`: keys, and a log that begins with the enrolment of the gateway's keys.

With an authority elsewhere there are two steps: keys and a request to it, then its signed file.

Order: keys in their folder; the log complete in `<data>/.starting`; then its parts are moved into
place, the database last. A start broken off is finished by the same command.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from raffinate.errors import RaffinateError
from raffinate.evidence.authority import STATEMENTS, open_authority
from raffinate.evidence.orders import first_order, format_request, read_signed
from raffinate.evidence.service import EvidenceService
from raffinate.evidence.store import Store
from raffinate.keys import load_gateway_keys, make_keys
from raffinate.model import Plant
from raffinate.tlog.publish import make_folder, sync_folder
from raffinate.tlog.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from raffinate.evidence.office import Known, Version

_PARTS = ("log", "evidence.sqlite")


def begin(keys: Path, data: Path, origin: str, now_ms: int) -> None:
    """Make keys and start their log. Raises RaffinateError; never overwrites either."""
    _check_free(data)
    if not (data / ".starting" / "complete").exists():
        if not _left_over(keys, data / ".starting", origin):
            make_keys(keys, origin)
        make_folder(data / ".starting")
        pairs = load_gateway_keys(keys)
        with open_authority(keys) as authority:
            envelopes = [
                authority.enrol("gateway", "gateway", pairs.gateway.spki, now_ms),
                authority.enrol("permit", "gateway", pairs.permit.spki, now_ms),
            ]
        _start_log(keys, data / ".starting", envelopes, now_ms)
    _move_in(data)


def request_begin(keys: Path, data: Path, origin: str, authority_spki: bytes) -> bytes:
    """Make keys for an authority elsewhere; the request it signs. Raises RaffinateError."""
    _check_free(data)
    if not _left_over(keys, data / ".starting", origin):
        make_keys(keys, origin, authority_spki)
    pairs = load_gateway_keys(keys)
    if pairs.authority_spki != authority_spki:
        raise RaffinateError(f"the keys in {keys} were made for another authority")
    return format_request(
        origin, [first_order("gateway", pairs.gateway), first_order("permit", pairs.permit)]
    )


def begin_signed(keys: Path, data: Path, signed: bytes, now_ms: int) -> None:
    """Start the log with what the authority signed elsewhere. Raises RaffinateError."""
    _check_free(data)
    if not (data / ".starting" / "complete").exists():
        _start_log(keys, data / ".starting", [line for _, line in read_signed(signed)], now_ms)
    _move_in(data)


def _check_free(data: Path) -> None:
    for name in _PARTS:
        if (data / name).exists() and not (data / ".starting").exists():
            raise RaffinateError(
                f"{data / name} is there already; a log is never started over another. Give "
                "storage.data another folder in plant.toml"
            )


def _move_in(data: Path) -> None:
    starting = data / ".starting"
    for name in _PARTS:
        if (starting / name).exists():
            (starting / name).rename(data / name)
            sync_folder(data)
    shutil.rmtree(starting)


def _left_over(keys: Path, starting: Path, origin: str) -> bool:
    """True for keys made by a run that was broken off before their log was complete."""
    if not (keys / "public.json").exists() or load_gateway_keys(keys).origin != origin:
        return False
    return starting.exists() or not (keys / STATEMENTS).exists()


def _start_log(keys_folder: Path, folder: Path, envelopes: Sequence[bytes], now_ms: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    keys = load_gateway_keys(keys_folder)
    store = Store.create(folder / "evidence.sqlite")
    with store.transaction():
        Sequencer.create(store.connection, keys.origin, keys.log, now_ms)
    store.close()
    plant = Plant(keys.site, "", "", (), {}, {}, {}, {})
    service = EvidenceService(plant, keys, folder, _NoOffice(), now_ms)
    try:
        service.accept_authority(envelopes, now_ms)
        roles = {key.role for key in service.roster()}
    finally:
        service.close()
    if roles != {"authority", "gateway", "permit"}:
        raise RaffinateError("the signed file must enrol this gateway's statement and permit keys")
    (folder / "complete").touch()
    sync_folder(folder)


class _NoOffice:
    """No licences while a log is started."""

    def refresh(self, now_ms: int) -> list[Version]:
        """None."""
        del now_ms
        return []

    def told(self, digests: Sequence[str]) -> None:
        """Nothing to do."""

    def issue(self, known: Known) -> list[tuple[str, bytes]]:
        """None."""
        del known
        return []

    def view(self, equipment: str, now_ms: int) -> dict[str, Any] | None:
        """None."""
        del equipment, now_ms
        return None

    def calendar(self, now_ms: int) -> list[dict[str, Any]]:
        """None."""
        del now_ms
        return []

    def problems(self) -> list[str]:
        """None."""
        return []
