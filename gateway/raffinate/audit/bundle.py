"""Export of an audit bundle (docs/formats/bundle.md): the published log and its documents, listed.

Only reads: beside a running gateway it takes the log at the checkpoint it finds.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.archive.scan import ArchiveScan
from raffinate.audit.export_frames import Exported, FrameExport
from raffinate.audit.verify import CHECKPOINT, MANIFEST, PUBLIC
from raffinate.errors import RaffinateError
from raffinate.evidence import dsse
from raffinate.evidence.anchoring import COSIGNATURE
from raffinate.keys import load_gateway_keys, load_public
from raffinate.tlog.checkpoint import open_checkpoint
from raffinate.tlog.cosignature import format_signatures
from raffinate.tlog.note import NoteError, parse_note
from raffinate.tlog.publish import Folder
from raffinate.tlog.tiles import bundles_of, entries_path, tile_path, tiles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from raffinate.keys import GatewayKeys

COSIGNED_AGE_MS_MAX = 5 * 60 * 1000
_FOLDERS = {
    "licence": "licences",
    "document": "documents",
    "regime": "regimes",
    "descriptor": "equipment",
}
_STAY = ("private", "signature", "deleted")
"""Kinds that a bundle never has: salted documents are disclosed one by one."""
_SIGNATURE = re.compile(r"(?:licences|documents|regimes)/[0-9a-f]{64}\.dsse")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_README = """This is an audit bundle of Raffinate: a transparency log (C2SP tlog-tiles, in log/) of
signed statements about licensed equipment, and the documents that they name by SHA-256.

Verify it with your own policy, not with anything in here:
    raffinate audit verify THIS-BUNDLE --policy YOUR-POLICY.toml

Nothing here is trusted by being here. keys.json is a convenience for looking at a bundle without a
policy; every verdict is then at best INSUFFICIENT. Not legal advice.
"""


@dataclass(frozen=True, slots=True)
class Frames:
    """What frames a bundle gets: of all nodes, or of some; `progress(done, total)`."""

    nodes: frozenset[str] | None = None
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What a bundle holds: the log's size, and its frames if they were asked for.

    `newer` counts the log's newest entries that are not in it, because no witness saw them yet.
    """

    size: int
    frames: Exported | None = None
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """When the export was made, and the period asked for; UTC ms."""

    now_ms: int
    from_ms: int | None = None
    to_ms: int | None = None


def export(
    keys: Path,
    data: Path,
    descriptors: Iterable[Path],
    target: Path,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    now_ms: int,
    progress: Callable[[int, int], None] | None = None,
    frames: Frames | None = None,
) -> Export:
    """Write a bundle folder, or a zip when `target` ends in .zip. Raises RaffinateError.

    The log, the authority's and the gateway's chains are whole up to the newest head that witnesses
    cosigned; the period is for frames and report. A broken-off export leaves nothing at `target`,
    and the next one begins anew.
    """
    if target.exists():
        raise RaffinateError(f"{target} is there already; name another bundle")
    gateway = load_gateway_keys(keys)
    period = Period(now_ms, from_ms, to_ms)
    part = target.with_name(f".{target.name}.export")
    scratch = target.with_name(f".{target.name}.frames")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        size, newer = _copy_log(data, part, gateway, progress)
        _write_documents(data, descriptors, part)
        written = None
        if frames is not None:
            written = _write_frames(data, part, scratch, period, frames, size)
        (part / PUBLIC).write_text(json.dumps(load_public(keys), indent=1) + "\n")
        (part / "README.txt").write_text(_README)
        _write_manifest(part, gateway, period)
        if target.suffix == ".zip":
            _zip(part, target)
        else:
            part.rename(target)
    except OSError as error:
        raise RaffinateError(
            f"{target} cannot be written: {error.strerror}; nothing of it is left there. Make room "
            "or name another place, and export again"
        ) from error
    except (sqlite3.DatabaseError, NoteError) as error:
        raise RaffinateError(
            f"{data} is damaged: {error}; nothing is exported. Restore the data folder from a copy"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    return Export(size, written, newer)


def _write_frames(
    data: Path, part: Path, scratch: Path, period: Period, frames: Frames, size: int
) -> Exported:
    with closing(ArchiveScan(data / "archive.sqlite")) as archive:
        writer = FrameExport(archive, part, scratch, frames.progress)
        return writer.write(frames.nodes, period.from_ms, period.to_ms, size)


def _write_manifest(part: Path, gateway: GatewayKeys, period: Period) -> None:
    manifest = {
        "v": 1,
        "origin": gateway.origin,
        "createdMs": period.now_ms,
        "fromMs": period.from_ms,
        "toMs": period.to_ms,
        "files": _list(part),
    }
    envelope = dsse.sign(orjson.dumps(manifest), dsse.MANIFEST, gateway.gateway)
    (part / MANIFEST).write_bytes(envelope)


def _copy_log(
    data: Path, part: Path, gateway: GatewayKeys, progress: Callable[[int, int], None] | None
) -> tuple[int, int]:
    """The size copied, and how many newer entries the log has."""
    folder = Folder(data / "log")
    newest = folder.read("checkpoint")
    note = _cosigned(data) or newest
    verifiers = [signer.verifier for signer in gateway.log]
    size = open_checkpoint(note, gateway.origin, verifiers).size
    newer = max(0, open_checkpoint(newest, gateway.origin, verifiers).size - size)
    paths = [entries_path(index, width) for index, width in bundles_of(size)]
    paths += [tile_path(*tile) for tile in tiles_of(size)]
    for number, path in enumerate(paths):
        _write(part / "log" / path, _read(folder, path))
        if progress is not None:
            progress(number + 1, len(paths))
    _write(part / CHECKPOINT, note)
    return size, newer


def _cosigned(data: Path) -> bytes | None:
    """The newest cosigned checkpoint with all its cosignatures, unless much was logged since.

    So a bundle does not end in entries that no witness has seen only because they are the newest.
    None also when a later anchor stands in the log: then the newest head says more.
    """
    with _database(data) as connection:
        try:
            newest = connection.execute("SELECT time_ms FROM log_head").fetchone()
            rows = connection.execute(
                "SELECT kind, size, asked_ms, data, logged_size, logged_ms FROM anchors"
                " ORDER BY size DESC"
            ).fetchall()
        except sqlite3.OperationalError:
            return None  # no gateway that knows witnesses has run on it
    _check_types(data, "log_head", () if newest is None else (newest,), (int,))
    _check_types(data, "anchors", rows, (str, int, int, bytes, int, int))
    cosigned = [row for row in rows if row[0] == COSIGNATURE]
    if not cosigned or newest is None:
        return None
    _, size, asked_ms, *_ = cosigned[0]
    later = [row for row in rows if row[4] > size or (row[0] != COSIGNATURE and row[5] > asked_ms)]
    if later or newest[0] - asked_ms > COSIGNED_AGE_MS_MAX:
        return None
    notes = [parse_note(row[3]) for row in cosigned]
    text, lines = notes[0].text, list(notes[0].signatures)
    for note in notes[1:]:
        lines += [line for line in note.signatures if note.text == text and line not in lines]
    return text + b"\n" + format_signatures(lines)


def _read(folder: Folder, path: str) -> bytes:
    """A file of the log at its checkpoint; a partial one may meanwhile have become full."""
    if path.startswith("tile/entries/") and not (folder.root / path).exists():
        name, _, width = path.partition(".p/")
        data, at = folder.read(name), 0
        for _ in range(int(width)):
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        return data[:at]
    return folder.read_tile(path)


def _write_documents(data: Path, descriptors: Iterable[Path], part: Path) -> None:
    with _documents(data) as rows:
        for digest, kind, name, content in rows:
            row = (digest, kind, name, content)
            _check_types(data, "documents", (row,), (str, str, str, bytes))
            if not _DIGEST.fullmatch(digest):  # or it would be written outside of the bundle
                raise RaffinateError(
                    f"{data} is damaged: a document has no SHA-256 as its name; nothing is "
                    "exported. Restore the data folder from a copy"
                )
            if kind in _FOLDERS:
                _write(part / _FOLDERS[kind] / f"{digest}.toml", content)
            elif kind == "signature" and _SIGNATURE.fullmatch(name):
                _write(part / name, content)
            elif kind not in _STAY:
                _write(part / "blobs" / digest, content)
    for path in descriptors:
        if path.exists():
            content = path.read_bytes()
            _write(part / "equipment" / f"{sha256(content).hexdigest()}.toml", content)


def _check_types(
    data: Path, table: str, rows: Iterable[tuple[object, ...]], types: tuple[type, ...]
) -> None:
    """SQLite keeps a value of any type in any column. Raises RaffinateError."""
    for row in rows:
        if tuple(map(type, row)) != types:
            raise RaffinateError(
                f"{data} is damaged: evidence.sqlite has a value of a wrong type in its table "
                f"{table}; nothing is exported. Restore the data folder from a copy"
            )


@contextmanager
def _documents(data: Path) -> Iterator[sqlite3.Cursor]:
    with _database(data) as connection:
        yield connection.execute("SELECT sha256, kind, name, data FROM documents ORDER BY rowid")


@contextmanager
def _database(data: Path) -> Iterator[sqlite3.Connection]:
    path = data / "evidence.sqlite"
    if not path.exists():
        raise RaffinateError(f"{path} is missing; name the gateway's data folder")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _list(part: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(part.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found.append(
                {
                    "path": path.relative_to(part).as_posix(),
                    "size": len(content),
                    "sha256": sha256(content).hexdigest(),
                }
            )
    return found


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _zip(part: Path, target: Path) -> None:
    draft = part / ".zip"
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(part.rglob("*")):
            if path.is_file() and path != draft:
                packed = zipfile.ZIP_STORED if path.suffix == ".gz" else zipfile.ZIP_DEFLATED
                out.write(path, path.relative_to(part).as_posix(), packed)
    draft.rename(target)
