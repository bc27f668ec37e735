"""What the service needs of whoever turns licences into permits, and the machines' descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from raffinate.evidence import views

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from raffinate.evidence.store import Key, StoredPermit
    from raffinate.evidence.work import Work
    from raffinate.model import Plant


class PermitOffice(Protocol):
    """Licences to permits. Lies above this module; called by it."""

    def refresh(self, now_ms: int) -> list[tuple[str, bytes, str, str | None]]:
        """(file name, bytes, number, digest replaced) of licence versions not told before."""

    def told(self, digests: Sequence[str]) -> None:
        """Licence versions that stand in the log."""

    def issue(
        self,
        holders: Mapping[str, tuple[Key, StoredPermit | None]],
        now_ms: int,
        permit_keyid: str,
    ) -> list[tuple[str, bytes]]:
        """(equipment, permit payload) due now; `holders` by equipment, with the newest permit.

        A permit that another key than `permit_keyid` signed is due again.
        """

    def view(self, equipment: str, now_ms: int) -> dict[str, Any] | None:
        """Licence in force for the page."""

    def problems(self) -> list[str]:
        """Licence files that cannot be read, in words."""


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
