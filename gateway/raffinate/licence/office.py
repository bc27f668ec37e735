"""The permit office: watches `licences/*.toml` and gives the evidence service permits to sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError
from raffinate.evidence.service import EvidenceService
from raffinate.evidence.views import permit_payload as members_of
from raffinate.evidence.views import permit_signer as signer_of
from raffinate.keys import load_gateway_keys
from raffinate.licence.document import LICENCE_BYTES_MAX, Licence, parse_licence
from raffinate.licence.permit import (
    LIFE_MS,
    Holder,
    InForce,
    choose_licence,
    is_due,
    permit_payload,
)
from raffinate.licence.registrar import Registrar
from raffinate.licence.shipped import shipped_regimes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from raffinate.evidence.store import Key, StoredPermit
    from raffinate.model import Plant

SCAN_MS = 1000
FILES_MAX = 1000


class LicenceFolder:
    """The licences of a plant; a file that cannot be read is a problem and stops no other."""

    def __init__(self, plant: Plant, folder: Path, life_ms: int = LIFE_MS) -> None:
        self._plant = plant
        self._folder = folder
        self._life_ms = life_ms
        self._licences: dict[str, tuple[Licence, bytes]] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._problems: dict[str, str] = {}
        self._untold: dict[str, tuple[str, bytes, str, str | None]] = {}
        self._scanned_ms: int | None = None

    def refresh(self, now_ms: int) -> list[tuple[str, bytes, str, str | None]]:
        """Licence versions not told yet: (file name, bytes, number, digest it replaces)."""
        if self._scanned_ms is None or not 0 <= now_ms - self._scanned_ms < SCAN_MS:
            self._scan()
            self._scanned_ms = now_ms
        return list(self._untold.values())

    def told(self, digests: Sequence[str]) -> None:
        """These versions stand in the log."""
        for digest in digests:
            self._untold.pop(digest, None)

    def issue(
        self,
        holders: Mapping[str, tuple[Key, StoredPermit | None]],
        now_ms: int,
        permit_keyid: str,
    ) -> list[tuple[str, bytes]]:
        """(equipment, payload) of permits due now; one that another key signed is due again."""
        found = []
        for equipment, (key, newest) in holders.items():
            item = self._plant.equipment[equipment]
            licence = self._licence(equipment, now_ms)
            before = None if newest is None else _in_force(newest)
            known = newest is not None and signer_of(newest) == permit_keyid
            if licence is None or (known and not is_due(licence, before, now_ms, self._life_ms)):
                continue
            serial = 1 if before is None else before.serial + 1
            registers = key.info.get("registers", {}).get(equipment, (0, 0, 0))
            holder = Holder(self._plant.site, item.node, key.keyid, equipment, registers[0])
            payload = permit_payload(licence, holder, serial, now_ms, self._life_ms)
            found.append((equipment, payload))
        return found

    def view(self, equipment: str, now_ms: int) -> dict[str, Any] | None:
        """The licence in force for the page."""
        licence = self._licence(equipment, now_ms)
        if licence is None:
            return None
        return {
            "number": licence.number,
            "issuer": licence.issuer,
            "from_ms": licence.from_ms,
            "to_ms": licence.to_ms,
        }

    def problems(self) -> list[str]:
        """Files that cannot be used, in words."""
        return sorted(self._problems.values())

    def _licence(self, equipment: str, now_ms: int) -> Licence | None:
        serial = self._plant.equipment[equipment].serial
        return choose_licence((item for item, _ in self._licences.values()), serial, now_ms)

    def _scan(self) -> None:
        paths = sorted(self._folder.glob("*.toml"))[:FILES_MAX] if self._folder.is_dir() else []
        names = {path.name for path in paths}
        for gone in [name for name in self._stamps if name not in names]:
            del self._stamps[gone]
            self._licences.pop(gone, None)
            self._problems.pop(gone, None)
        for path in paths:
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                if self._stamps.get(path.name) == stamp:
                    continue
                data = path.read_bytes() if status.st_size <= LICENCE_BYTES_MAX else b""
                self._take(path, data)
                self._stamps[path.name] = stamp
            except (ConfigError, OSError) as error:
                self._licences.pop(path.name, None)
                self._problems[path.name] = f"licence not used: {error}"

    def _take(self, path: Path, data: bytes) -> None:
        licence = parse_licence(str(path), data)
        serials = {item.serial for item in self._plant.equipment.values()}
        if licence.equipment not in serials:
            raise ConfigError(
                f"{path}: plant.toml has no equipment with serial {licence.equipment!r}"
            )
        self._problems.pop(path.name, None)
        before = self._licences.get(path.name)
        self._licences[path.name] = (licence, data)
        if before is None or before[0].sha256 != licence.sha256:
            replaces = None if before is None else before[0].sha256
            self._untold[licence.sha256] = (path.name, data, licence.number, replaces)


def open_evidence(
    plant: Plant,
    keys: Path,
    data: Path,
    licences: Path,
    now_ms: int,
    permit_life_ms: int = LIFE_MS,
) -> EvidenceService:
    """The evidence service of a gateway: `keys` and `data` were made by `raffinate keys init`.

    Raises ConfigError, RaffinateError (no log, keys of another log), LogStateError.
    """
    office = LicenceFolder(plant, licences, permit_life_ms)
    service = EvidenceService(plant, load_gateway_keys(keys), data, office, now_ms)
    service.take_documents(Registrar(shipped_regimes()))
    return service


def _in_force(permit: StoredPermit) -> InForce:
    members = members_of(permit)
    return InForce(
        permit.serial, members["licenceSha256"], members["issuedMs"], members["notAfterMs"]
    )
