"""Cases for the vector files, made by Python's json, cryptography and the RFCs' definitions."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DASH = "\u2014"

Case = dict[str, object]


def compact(value: object) -> str:
    """JSON without white space, members in the order given."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def good(name: str, text: str | bytes, value: Case | None = None, **more: object) -> Case:
    """A case that parses, with what it shows."""
    return {"name": name, **_data(text), "value": value or {}, **more}


def bad(name: str, text: str | bytes, code: str, **more: object) -> Case:
    """A case that raises, named by its defect."""
    return {"name": name, **_data(text), "code": code, **more}


def defects(text: str, rows: list[tuple[str, str, str, str]], **more: object) -> list[Case]:
    """Bad cases by one replacement each: (name, old, new, code)."""
    cases = []
    for name, old, new, code in rows:
        if text.count(old) != 1:
            raise ValueError(f"{name}: {old!r} is there {text.count(old)} times")
        cases.append(bad(name, text.replace(old, new), code, **more))
    return cases


def b64(data: bytes) -> str:
    """Padded standard base64."""
    return base64.b64encode(data).decode()


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


class Signer:
    """A P-256 key made of a small secret, signing as RFC 6979 with s at most n/2."""

    def __init__(self, secret: int) -> None:
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        self.spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.keyid = sha256(self.spki).hex()

    def sign(self, message: bytes, *, high_s: bool = False) -> bytes:
        """DER; the other of the two signatures with high_s."""
        made = self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(made)
        low = min(s, N - s)
        return encode_dss_signature(r, N - low if high_s else low)

    def envelope(self, payload_type: str, payload: bytes, **more: object) -> str:
        """A DSSE envelope; keyid and sig may be given to make a wrong one."""
        pae = b"DSSEv1 %d %s %d %s" % (
            len(payload_type),
            payload_type.encode(),
            len(payload),
            payload,
        )
        sig = more.get("sig", b64(self.sign(pae)))
        keyid = more.get("keyid", self.keyid)
        return compact(
            {
                "payload": b64(payload),
                "payloadType": payload_type,
                "signatures": [{"keyid": keyid, "sig": sig}],
            }
        )

    def note_line(self, name: str, text: str) -> str:
        """A type 02 signature line over a note's text."""
        return f"{DASH} {name} {b64(sha256(self.spki)[:4] + self.sign(text.encode()))}\n"


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return sha256(b"\x00" + entry)


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, by its recursive definition."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = _split(len(leaves))
    return sha256(b"\x01" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def inclusion_proof(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, by its recursive definition."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(index, leaves[:split]), tree_root(leaves[split:])]
    return [*inclusion_proof(index - split, leaves[split:]), tree_root(leaves[:split])]


def consistency_proof(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2, by its recursive definition."""
    if old == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if old <= split:
        return [*consistency_proof(old, leaves[:split], whole=whole), tree_root(leaves[split:])]
    return [
        *consistency_proof(old - split, leaves[split:], whole=False),
        tree_root(leaves[:split]),
    ]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _data(text: str | bytes) -> Case:
    if isinstance(text, str):
        return {"text": text}
    return {"base64": b64(text)}
