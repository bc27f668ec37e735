"""Salted documents: names and free text stay outside the log, which has their digest alone.

A document is 64 hexadecimal digits of salt, newline, the file's name, newline, the file's bytes;
its digest is the SHA-256 of all that (docs/formats/statement.md). The random source is given.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Random = Callable[[int], bytes]

SALT_BYTES = 32
NAME_CHARS_MAX = 128
DETAILS = "details.json"
FILES_MAX = 16
DOCUMENT_BYTES_MAX = 4 << 20
KEPT_BYTES_MAX = 512 << 20
_HEAD = re.compile(rb"[0-9a-f]{64}\n([^\n\x00/]{1,512})\n")


def salt(name: str, data: bytes, random: Random) -> tuple[str, bytes]:
    """(digest, document) of a file. Raises RaffinateError."""
    plain = "".join(c for c in name if c.isprintable() and c != "/")[-NAME_CHARS_MAX:] or "file"
    document = b"%b\n%b\n%b" % (random(SALT_BYTES).hex().encode(), plain.encode(), data)
    if len(document) > DOCUMENT_BYTES_MAX:
        raise RaffinateError(f"{name} has more than {DOCUMENT_BYTES_MAX >> 20} MiB")
    return sha256(document).hexdigest(), document


def open_salted(document: bytes) -> tuple[str, bytes]:
    """(name, data) of a document. Raises RaffinateError."""
    found = _HEAD.match(document)
    if found is None or len(document) > DOCUMENT_BYTES_MAX:
        raise RaffinateError("this is no salted document")
    try:
        return found[1].decode(), document[found.end() :]
    except UnicodeDecodeError:
        raise RaffinateError("the name of this salted document is no UTF-8") from None


def details(
    who: str, what: str, files: Iterable[tuple[str, bytes]], random: Random
) -> tuple[str, list[bytes]]:
    """Digest of the listing, and every document it takes, the listing first."""
    listed, documents = [], []
    for name, data in files:
        digest, document = salt(name, data, random)
        listed.append({"name": open_salted(document)[0], "sha256": digest})
        documents.append(document)
    if len(listed) > FILES_MAX:
        raise RaffinateError(f"at most {FILES_MAX} files can be given")
    listing = orjson.dumps({"who": who, "what": what, "files": listed})
    digest, document = salt(DETAILS, listing, random)
    return digest, [document, *documents]


def listed_files(document: bytes) -> dict[str, Any] | None:
    """Members of a `details.json` document, None for any other document."""
    name, data = open_salted(document)
    if name != DETAILS:
        return None
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
