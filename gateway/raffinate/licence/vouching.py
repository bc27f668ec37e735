"""Who vouches for a document: a list of digests, or the signature of a known issuer. Pure.

The auditor has both in his policy; a gateway that was given a copy shows what he will say.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.errors import RejectedError
from raffinate.evidence import dsse

if TYPE_CHECKING:
    from raffinate.licence.facts import By

SIGNED_BYTES_MAX = 1 << 21


@dataclass(frozen=True, slots=True)
class Vouching:
    """Digests that count, and public keys (SPKI) of issuers whose signature does.

    `problem`: why nobody is known, in words; "" where there is none.
    """

    digests: frozenset[str] = frozenset()
    issuers: tuple[bytes, ...] = ()
    problem: str = ""

    def by(self, digest: str, data: bytes, signed: bytes | None) -> By:
        """Who vouches for `data` of this SHA-256; `signed` is a DSSE envelope that may hold it."""
        if digest in self.digests:
            return "list"
        if signed is None:
            return None
        try:
            envelope = dsse.decode_envelope(signed, SIGNED_BYTES_MAX)
            mine = envelope.payload_type in (dsse.LICENCE, dsse.DOCUMENT)
            if not mine or envelope.payload != data:
                return None
            for spki in self.issuers:
                if sha256(spki).hexdigest() == envelope.keyid:
                    dsse.verify(envelope, dsse.public_key(spki))
                    return "signature"
        except RejectedError:
            pass
        return None


NOBODY = Vouching()
