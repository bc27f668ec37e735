"""The gateway's private keys, and which of them the roster says are in use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence import roster
from raffinate.evidence.store import Key
from raffinate.keys import ROTATING, load_gateway_keys, write_public

if TYPE_CHECKING:
    from raffinate.evidence.intake import Intake
    from raffinate.keys import GatewayKeys


class KeyRing:
    """`keys` are those in use; `has_permit_key` is False once it was ended without a next one."""

    def __init__(self, keys: GatewayKeys) -> None:
        self.keys = keys
        self.has_permit_key = True

    def settle(self, intake: Intake) -> None:
        """Use the keys that the roster has in use. Raises RaffinateError."""
        self._settle_authority(intake)
        for role in ROTATING:
            key = roster.in_use(role, intake.keys)
            if key is not None:
                self.keys = self.keys.using(role, key.keyid)
            if role == "permit":
                self.has_permit_key = key is not None

    def has_private(self, role: str, keyid: str) -> bool:
        """True when the private half of a gateway or permit key is in the keys folder."""
        if self._knows(role, keyid):
            return True
        try:
            fresh = load_gateway_keys(self.keys.folder)
        except ConfigError:
            return False
        pairs = (fresh.gateway, fresh.permit, *fresh.spares)
        mine = (self.keys.gateway, self.keys.permit)
        spares = tuple(pair for pair in pairs if pair.keyid not in {key.keyid for key in mine})
        self.keys = replace(self.keys, spares=spares)
        return self._knows(role, keyid)

    def publish(self) -> None:
        """Bring `public.json` up to the keys in use; commands do it where the gateway may not."""
        try:
            write_public(self.keys)
        except (OSError, RaffinateError):
            return

    def _knows(self, role: str, keyid: str) -> bool:
        pairs = (self.keys.gateway, self.keys.permit, *self.keys.spares)
        return any((pair.name, pair.keyid) == (role, keyid) for pair in pairs)

    def _settle_authority(self, intake: Intake) -> None:
        """The first authority is the one the keys folder names; later ones stand in the log."""
        known = [key for key in intake.keys.values() if key.role == "authority"]
        if not known:
            spki, keyid = self.keys.authority_spki, self.keys.authority_keyid
            key = Key(1, keyid, "authority", "authority", spki, -1)
            intake.keys[keyid] = intake.by_id[1] = key
            return
        if all(key.keyid != self.keys.authority_keyid for key in known):
            raise RaffinateError(
                f"public.json in {self.keys.folder} names another authority than this log has; "
                "give the keys folder that this data folder was made with"
            )
        used = roster.in_use("authority", intake.keys)
        if used is not None:
            self.keys = replace(self.keys, authority_spki=used.spki)
