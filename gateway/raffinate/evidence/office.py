"""What the service needs of whoever turns licences into permits, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from raffinate.evidence import dsse, views
from raffinate.evidence.roster import current_nodes
from raffinate.tlog.hashing import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from raffinate.evidence.history import RegisterHistory
    from raffinate.evidence.intake import SignGateway
    from raffinate.evidence.keyring import KeyRing
    from raffinate.evidence.register import Register
    from raffinate.evidence.store import Key, Store, StoredPermit
    from raffinate.evidence.work import Work
    from raffinate.model import Plant

    Holders = dict[str, tuple[Key, StoredPermit | None]]
    Find = Callable[[Work, str, Key, int | None, str], None]

LICENCE, REGIME = "licence", "regime"
_FOLDERS = {LICENCE: "licences", REGIME: "regimes"}
DELETED = "deleted"
KEPT_KINDS = ("document", LICENCE, REGIME, "signature", DELETED)


class Version(NamedTuple):
    """A licence or regime file to be stated; `name` is its number or id."""

    kind: str
    file: str
    data: bytes
    name: str
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the office judges by: times in UTC ms, `holders` by equipment with the newest permit.

    `activities` and `acknowledged` by equipment, as the gateway remembers them; `documents` gives
    (row, SHA-256, kind, name, bytes) of documents kept after a row. `strange` are serials that
    nodes say they hold and this log never gave, by equipment.
    """

    now_ms: int
    permit_keyid: str
    holders: Mapping[str, tuple[Key, StoredPermit | None]]
    history: RegisterHistory
    activities: Mapping[str, Sequence[Mapping[str, Any]]]
    acknowledged: Mapping[str, Sequence[Mapping[str, Any]]]
    documents: Callable[[int], list[tuple[int, str, str, str, bytes]]]
    strange: Mapping[str, int]


class PermitOffice(Protocol):
    """Licences to permits. Lies above this module; called by it."""

    def refresh(self, now_ms: int) -> list[Version]:
        """Licence and regime versions not told before."""

    def told(self, digests: Sequence[str]) -> None:
        """Versions that stand in the log."""

    def issue(self, known: Known) -> list[tuple[str, bytes]]:
        """(equipment, permit payload) due now, withdrawals among them.

        A permit that another key than `permit_keyid` signed is due again.
        """

    def view(self, equipment: str, now_ms: int) -> dict[str, Any] | None:
        """Licence for the page (`web.licence_shape.LicenceShown`)."""

    def calendar(self, now_ms: int) -> list[dict[str, Any]]:
        """What ends or falls due (`web.licence_shape.CalendarEntry`), soonest first."""

    def problems(self) -> list[str]:
        """Files that cannot be used, in words."""


class Desk:
    """The service's side of the office: versions and permits into the log, before anybody acts."""

    def __init__(
        self, plant: Plant, ring: KeyRing, office: PermitOffice, sign: SignGateway
    ) -> None:
        self._plant = plant
        self._ring = ring
        self._office = office
        self._sign = sign

    def load(
        self,
        store: Store,
        register: Register,
        keys: Mapping[str, Key],
        permits: Mapping[tuple[str, str], StoredPermit],
        history: RegisterHistory,
        find: Find,
    ) -> None:
        """Work on what the service loaded; `find` keeps a finding about a key."""
        self._store, self._register, self._keys, self._permits = store, register, keys, permits
        self._history, self._find = history, find

    def state_versions(self, work: Work) -> list[str]:
        """State every licence and regime version that the log does not have yet; their digests."""
        told = []
        for item in self._office.refresh(work.now_ms):
            digest = views.sha256_hex(item.data)
            told.append(digest)
            if self._store.has_document(digest, item.kind):
                continue
            place = f"{_FOLDERS[item.kind]}/{item.file}"
            work.documents.append((digest, item.kind, place, item.data))
            specific: dict[str, Any]
            if item.kind == LICENCE:
                specific = {"licence": item.name, "sha256": digest, "replaces": item.replaces}
                self._sign("licence", [(place, digest)], specific, work)
                continue
            before = self._register.find(item.kind, item.name)
            newest = max(before, default=0)
            replaces = before[newest].sha256 if newest else None
            specific = {"kind": item.kind, "name": item.name, "version": newest + 1}
            specific.update(sha256=digest, replaces=replaces, action="add")
            self._sign("document", [(f"{item.kind}/{item.name}", digest)], specific, work)
        return told

    def issue(self, state: Mapping[str, Any], work: Work) -> None:
        """Sign permits that are due; their serial and their place in the log come first."""
        if not self._ring.has_permit_key:
            return
        pair = self._ring.keys.permit
        holders = self._holders()
        known = Known(
            work.now_ms,
            pair.keyid,
            holders,
            self._history,
            state.get("activities", {}),
            state.get("acknowledged", {}),
            lambda after: self._store.documents_after(after, KEPT_KINDS),
            self._strange(holders, work),
        )
        for equipment, payload in self._office.issue(known):
            key, _ = holders[equipment]
            data = dsse.sign(payload, dsse.PERMIT, pair)
            index = work.add_entry(data, leaf_hash(data))
            work.permits.append(views.stored_permit(key.keyid, equipment, payload, index, data))

    def _strange(self, holders: Holders, work: Work) -> dict[str, int]:
        """Serials that nodes hold and that this log never gave; each key's first is a finding."""
        found = {}
        for equipment, (key, newest) in holders.items():
            use = next((one for one in key.info.get("use", ()) if one["id"] == equipment), None)
            held = None if use is None else use["permit"]
            if held is None or held <= (0 if newest is None else newest.serial):
                continue
            found[equipment] = held
            if "PERMIT-UNKNOWN" not in key.info.get("findings", ()):
                self._find(work, "PERMIT-UNKNOWN", key, None, f"permit {held} of {equipment}")
        return found

    def _holders(self) -> Holders:
        """The newest enrolled key of each equipment's node, with its newest permit.

        A key that has stated nothing yet gets none: its machine and registers are not known.
        """
        found: Holders = {}
        current = current_nodes(self._keys)
        for equipment in self._plant.equipment.values():
            key = current.get(equipment.node)
            if key is not None and not key.revoked and key.chain.seq > 0:
                found[equipment.id] = (key, self._permits.get((key.keyid, equipment.id)))
        return found


def keep_descriptors(plant: Plant, work: Work) -> None:
    """Keep each equipment's descriptor by digest: statements name them."""
    for item in plant.equipment.values():
        try:
            data = item.descriptor.read_bytes()
        except OSError:
            continue
        name = f"equipment/{item.id}.toml"
        work.documents.append((views.sha256_hex(data), "descriptor", name, data))


def withdrawn(
    work: Work, permits: Collection[StoredPermit], keys: Mapping[str, Key]
) -> list[StoredPermit]:
    """Permits whose node's key was ended just now, where no other key of it has one."""
    ended = {key.keyid for key in work.keys.values() if key.revoked and key.role == "node"}
    held = {permit.equipment for permit in permits if not keys[permit.keyid].revoked}
    return [p for p in permits if p.keyid in ended and p.equipment not in held]
