"""From the tables of plant.toml to witnesses and timestamp server, checked."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from cryptography import x509

from raffinate.config.settings import Anchors, Timestamps, Witness
from raffinate_wire.note import TYPE_COSIGNATURE, key_id

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.config.problems import Document
    from raffinate.config.schema import PlantFile

FILES = "files"
CA_BYTES_MAX = 1 << 20
_KEY_BYTES = 32
# A name that may stand in a statement (docs/formats/statement.md: text) and name a key.
_VKEY = re.compile(r"([!#-*,-\[\]-~]{1,100})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")


def build_anchors(document: Document, tables: PlantFile, folder: Path) -> Anchors:
    """Witnesses and timestamps; problems are noted in `document`."""
    witnesses: dict[str, Witness] = {}
    for index, table in enumerate(tables.witnesses):
        name = _name(table.key)
        if name is None:
            document.problem(
                ("witnesses", index, "key"),
                "is no verifier key of a witness; write the line that `raffinate witness init` "
                "printed: name+hex8+base64",
            )
        elif name in witnesses:
            document.problem(("witnesses", index, "key"), f"names {name!r} a second time")
        else:
            url = None if table.url == FILES else table.url.rstrip("/")
            witnesses[name] = Witness(name, table.key, url)
    return Anchors(
        tables.anchors.interval_s,
        tables.anchors.log_s,
        tuple(witnesses.values()),
        _timestamps(document, tables, folder),
    )


def _name(key: str) -> str | None:
    found = _VKEY.fullmatch(key)
    if found is None:
        return None
    data = b64decode(found[3])
    if len(data) != 1 + _KEY_BYTES or data[0] != TYPE_COSIGNATURE:
        return None
    return found[1] if key_id(found[1], data[0], data[1:]).hex() == found[2] else None


def _timestamps(document: Document, tables: PlantFile, folder: Path) -> Timestamps | None:
    table = tables.timestamps
    if table is None:
        return None
    ca = folder / table.ca
    try:
        with ca.open("rb") as source:
            x509.load_pem_x509_certificates(source.read(CA_BYTES_MAX))
    except OSError as error:
        document.problem(("timestamps", "ca"), f"cannot be read ({ca}: {error.strerror})")
    except ValueError:
        document.problem(("timestamps", "ca"), f"{ca} has no certificates in PEM; mend the file")
    return Timestamps(table.url, ca, table.interval_s)
