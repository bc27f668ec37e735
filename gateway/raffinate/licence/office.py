"""The permit office: licences, papers and registers to decisions, decisions to permits.

A permit is withheld while the engine withholds it, renewed before it ends, moved when quotas leave
less or more, and taken back when its licence is out of force or a condition that binds starts
fails. docs/permits.md tells a permit's life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate.evidence import dsse
from raffinate.evidence.office import LICENCE, REGIME, Version
from raffinate.evidence.service import EvidenceService
from raffinate.keys import load_gateway_keys
from raffinate.licence import shown
from raffinate.licence.balance import rest
from raffinate.licence.decide import decide
from raffinate.licence.folder import LicenceFolder
from raffinate.licence.gathering import Case, amounts, gather, reports
from raffinate.licence.outfalls import Outfalls
from raffinate.licence.permit import (
    LIFE_MS,
    SERIAL_MAX,
    Holder,
    Rest,
    is_due,
    is_live,
    permit_payload,
    withdrawal_payload,
)
from raffinate.licence.registrar import Registrar
from raffinate.licence.shelf import Shelf
from raffinate.licence.shipped import shipped_regimes
from raffinate.licence.versions import choose_licence, nearest_licence, standing
from raffinate_wire.permit import Permit, parse_permit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from raffinate.evidence.office import Known
    from raffinate.evidence.store import Key, StoredPermit
    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts
    from raffinate.licence.outcome import Decision
    from raffinate.licence.outfalls import History
    from raffinate.licence.vouching import Vouching
    from raffinate.model import Equipment, Plant

DECIDE_MS = 5000
"""How often facts are judged anew; changed licences and documents at once."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A machine's licence with the newest decision on it."""

    licence: Licence
    facts: Facts
    decision: Decision
    rest: Rest
    reports: Mapping[str, tuple[int, ...]]
    stamp: tuple[int, int, tuple[int, ...]]


class Office:
    """`evidence.office.PermitOffice` over a plant folder."""

    def __init__(
        self,
        plant: Plant,
        folder: Path,
        life_ms: int = LIFE_MS,
        vouching: Callable[[], Vouching] | None = None,
        outfalls: Outfalls | None = None,
    ) -> None:
        self._plant = plant
        self._life_ms = life_ms
        self._vouching = vouching
        self._outfalls = outfalls
        self._folder = LicenceFolder(plant, folder)
        self._shelf = Shelf()
        self._machines: dict[str, list[Equipment]] = {}
        for item in plant.equipment.values():
            self._machines.setdefault(item.serial, []).append(item)
        self._parsed: dict[tuple[str, str], tuple[bytes, Permit, str]] = {}
        self._told: set[str] = set()
        self._known: tuple[tuple[int, int], dict[str, tuple[Licence, bytes]]] | None = None
        self._by_serial: dict[str, list[Licence]] = {}
        self._judged: dict[str, Judged] = {}
        self._permits: dict[str, Permit] = {}

    def refresh(self, now_ms: int) -> list[Version]:
        """See the port."""
        self._folder.scan(now_ms)
        found = []
        for licence, data in self._folder.files():
            if licence.sha256 not in self._told:
                replaces = self._folder.replaced(licence)
                found.append(Version(LICENCE, licence.file, data, licence.number, replaces))
        rests_on = {
            ref.partition("/")[0] for item, _ in self._files().values() for ref in item.rests_on
        }
        for regime, data in self._shelf.shipped(rests_on):
            if regime.sha256 not in self._told:
                found.append(Version(REGIME, regime.file, data, regime.id, None))
        return found

    def told(self, digests: Sequence[str]) -> None:
        """See the port."""
        self._told.update(digests)

    def issue(self, known: Known) -> list[tuple[str, bytes]]:
        """See the port."""
        self._judge(known)
        found = []
        self._permits = {}
        for equipment, (key, stored) in known.holders.items():
            newest, signer = (None, None) if stored is None else self._read(stored)
            if newest is not None:
                self._permits[equipment] = newest
            foreign = signer not in (None, known.permit_keyid)
            payload = self._next(equipment, key, newest, foreign, known)
            if payload is not None:
                found.append((equipment, payload))
                self._permits[equipment] = parse_permit(payload)
        return found

    def view(self, equipment: str, now_ms: int) -> dict[str, Any] | None:
        """See the port."""
        judged = self._judged.get(equipment)
        if judged is not None:
            used, done = judged.facts.used, judged.reports
            return shown.show_licence(judged.licence, judged.decision, used, done, now_ms)
        licence = self._nearest(self._plant.equipment[equipment], now_ms)
        return None if licence is None else shown.show_licence(licence, None, {}, {}, now_ms)

    def calendar(self, now_ms: int) -> list[dict[str, Any]]:
        """See the port."""
        found = []
        for item in self._plant.equipment.values():
            judged = self._judged.get(item.id)
            found += [
                (item.id, licence, {} if judged is None else judged.reports)
                for licence in standing(self._licences(item.serial), item.serial, now_ms)
            ]
        permits = {
            equipment: permit.not_after_ms
            for equipment, permit in self._permits.items()
            if is_live(permit, now_ms)
        }
        return shown.calendar(found, permits, self._shelf.regimes(), now_ms)

    def problems(self) -> list[str]:
        """See the port."""
        found = self._folder.problems()
        return [*found, self._shelf.problem] if self._shelf.problem else found

    def _files(self) -> dict[str, tuple[Licence, bytes]]:
        """Licences of the folder and of the registry by SHA-256, with their exact bytes."""
        stamp = (self._folder.changes, self._shelf.changes)
        if self._known is None or self._known[0] != stamp:
            known = [*self._shelf.licences(), *self._folder.files()]
            self._known = (stamp, {licence.sha256: (licence, data) for licence, data in known})
            self._by_serial = {}
            for licence, _ in self._known[1].values():
                for serial in licence.serials:
                    self._by_serial.setdefault(serial, []).append(licence)
        return self._known[1]

    def _licences(self, serial: str) -> list[Licence]:
        """Licences that cover a machine."""
        self._files()
        return self._by_serial.get(serial, [])

    def _nearest(self, item: Equipment, now_ms: int) -> Licence | None:
        return nearest_licence(self._licences(item.serial), item.serial, now_ms)

    def _judge(self, known: Known) -> None:
        """Decide anew where licences, documents or registers changed, and each DECIDE_MS."""
        self._shelf.take(known)
        if self._vouching is not None:
            self._shelf.trust(self._vouching())
        papers, regimes = self._shelf.papers(), self._shelf.regimes()
        files = self._files()
        judged = {}
        for equipment in known.holders:
            item = self._plant.equipment[equipment]
            licence = self._nearest(item, known.now_ms)
            if licence is None:
                continue
            machines = tuple(
                one for serial in licence.serials for one in self._machines.get(serial, ())
            )
            stamp = (self._folder.changes, self._shelf.changes, _seqs(machines, known))
            before = self._judged.get(equipment)
            if (
                before is not None
                and (before.stamp, before.licence) == (stamp, licence)
                and 0 <= known.now_ms - before.decision.at_ms < DECIDE_MS
            ):
                judged[equipment] = before
                continue
            by = self._shelf.by(licence.sha256, files[licence.sha256][1])
            case = Case(item, licence, machines, newest=True, by=by, papers=papers)
            spent = amounts(case, known)
            discharge = {}
            if self._outfalls is not None:
                discharge = self._outfalls.bounds(licence, known.now_ms)
            facts = gather(self._plant, case, known, spent, discharge)
            left = rest(licence, spent, case.vouched_papers(), len(machines), known.now_ms)
            decision = decide(licence, regimes, facts, known.now_ms)
            done = reports(case)
            judged[equipment] = Judged(licence, facts, decision, left, done, stamp)
        self._judged = judged

    def _next(
        self, equipment: str, key: Key, newest: Permit | None, foreign: bool, known: Known
    ) -> bytes | None:
        """The payload that is due for a machine now: a permit, a withdrawal, or none."""
        now_ms = known.now_ms
        item = self._plant.equipment[equipment]
        registers = key.info.get("registers", {}).get(equipment, (0, 0, 0))
        holder = Holder(
            self._plant.site, item.node, key.keyid, equipment, registers[0], registers[2]
        )
        licence = choose_licence(self._licences(item.serial), item.serial, now_ms)
        judged = self._judged.get(equipment)
        strange = known.strange.get(equipment, 0)
        serial = 1 + max(0 if newest is None else newest.serial, strange)
        if licence is None or judged is None or judged.licence.sha256 != licence.sha256:
            found = self._withdrawn(newest, holder, now_ms)
            return _overruled(newest, serial, holder, now_ms) if strange else found
        if judged.decision.withheld():
            found = _taken_back(newest, holder, now_ms)
            return _overruled(newest, serial, holder, now_ms) if strange else found
        left = judged.rest
        before = None if foreign or strange else newest
        due = is_due(licence, before, holder, left, now_ms, self._life_ms)
        if not due or serial > SERIAL_MAX:
            return None
        return permit_payload(licence, holder, serial, now_ms, self._life_ms, left)

    def _read(self, stored: StoredPermit) -> tuple[Permit, str]:
        """A permit of the log and who signed it, read once."""
        key = (stored.keyid, stored.equipment)
        known = self._parsed.get(key)
        if known is None or known[0] != stored.envelope:
            envelope = dsse.decode_envelope(stored.envelope)
            known = (stored.envelope, parse_permit(envelope.payload), envelope.keyid)
            self._parsed[key] = known
        return known[1], known[2]

    def _withdrawn(self, newest: Permit | None, holder: Holder, now_ms: int) -> bytes | None:
        """No licence is in force: a permit whose licence simply ended runs out with its grace."""
        if newest is None:
            return None
        found = self._files().get(newest.licence_sha256)
        if found is None:
            if self._folder.lies(newest.licence_sha256, now_ms):
                return None
            return _taken_back(newest, holder, now_ms)
        before, serial = found[0], self._plant.equipment[newest.equipment].serial
        stands = before in standing(self._licences(serial), serial, now_ms)
        if stands and (before.revoked_ms is None or now_ms < before.revoked_ms):
            return None
        return _taken_back(newest, holder, now_ms)


def open_evidence(
    plant: Plant,
    keys: Path,
    data: Path,
    licences: Path,
    now_ms: int,
    permit_life_ms: int = LIFE_MS,
    vouching: Callable[[], Vouching] | None = None,
    history: History | None = None,
) -> EvidenceService:
    """The evidence service of a gateway: `keys` and `data` were made by `raffinate keys init`.

    `vouching` tells whom to believe about documents, as the auditor will; without it nobody.
    `history` is the series store's, for what outfalls measured.
    Raises ConfigError, RaffinateError (no log, keys of another log), LogStateError.
    """
    outfalls = None if history is None else Outfalls(history)
    office = Office(plant, licences, permit_life_ms, vouching, outfalls)
    service = EvidenceService(plant, load_gateway_keys(keys), data, office, now_ms)
    service.take_documents(Registrar(shipped_regimes()))
    return service


def _seqs(machines: tuple[Equipment, ...], known: Known) -> tuple[int, ...]:
    """How far the statements about each machine have come."""
    holders = (known.holders.get(one.id) for one in machines)
    return tuple(-1 if holder is None else holder[0].chain.seq for holder in holders)


def _overruled(newest: Permit | None, serial: int, holder: Holder, now_ms: int) -> bytes | None:
    """A withdrawal of what the node holds and nobody here gave, worded as the newest permit."""
    if newest is None or serial > SERIAL_MAX:
        return None
    return withdrawal_payload(newest, holder, now_ms, serial)


def _taken_back(newest: Permit | None, holder: Holder, now_ms: int) -> bytes | None:
    """A withdrawal, where the newest permit still lets the machine start."""
    if newest is None or not is_live(newest, now_ms) or holder.run_ms >= newest.run_ms_limit:
        return None
    if newest.volume_ml_limit is not None and holder.volume_ml >= newest.volume_ml_limit:
        return None
    return withdrawal_payload(newest, holder, now_ms)
