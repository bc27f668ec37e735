"""Enrolment codes: the first 80 bits of a keyid in base32, as a board shows them. Pure."""

from __future__ import annotations

from base64 import b32decode, b32encode

from raffinate.errors import RaffinateError

CODE_CHARACTERS = 16
_CODE_BYTES = 10
_GROUP = 4


class EnrolmentError(RaffinateError):
    """The enrolment did not happen; says why and what to do."""


def format_code(keyid: str) -> str:
    """XXXX-XXXX-XXXX-XXXX of a keyid, as the board shows it."""
    code = b32encode(bytes.fromhex(keyid)[:_CODE_BYTES]).decode()
    return "-".join(code[at : at + _GROUP] for at in range(0, CODE_CHARACTERS, _GROUP))


def parse_code(text: str) -> str:
    """First 20 hex digits of the keyid that a code stands for. Raises EnrolmentError."""
    plain = text.replace("-", "").replace(" ", "").upper()
    try:
        code = b32decode(plain)
    except ValueError:
        code = b""
    if len(code) != _CODE_BYTES:
        raise EnrolmentError(
            f"{text!r} is no enrolment code: XXXX-XXXX-XXXX-XXXX of letters and digits 2 to 7, "
            "as the board shows it on its console or label"
        )
    return code.hex()
