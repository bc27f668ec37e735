"""Export of an audit bundle (docs/formats/bundle.md): the published log and its documents, listed.

Only reads: beside a running gateway it takes the log at the checkpoint it finds.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.audit.verify import CHECKPOINT, MANIFEST, PUBLIC
from raffinate.errors import RaffinateError
from raffinate.evidence import dsse
from raffinate.keys import load_gateway_keys, load_public
from raffinate.tlog.checkpoint import open_checkpoint
from raffinate.tlog.publish import Folder
from raffinate.tlog.tiles import bundles_of, entries_path, tile_path, tiles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from raffinate.keys import GatewayKeys

_README = """This is an audit bundle of Raffinate: a transparency log (C2SP tlog-tiles, in log/) of
signed statements about licensed equipment, and the documents that they name by SHA-256.

Verify it with your own policy, not with anything in here:
    raffinate audit verify THIS-BUNDLE --policy YOUR-POLICY.toml

Nothing here is trusted by being here. keys.json is a convenience for looking at a bundle without a
policy; every verdict is then at best INSUFFICIENT. Not legal advice.
"""


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
) -> int:
    """Write a bundle folder, or a zip when `target` ends in .zip; the log's size. RaffinateError.

    The log, the authority's and the gateway's chains are always whole; the period is recorded for
    the report. A broken-off export leaves nothing at `target`.
    """
    if target.exists():
        raise RaffinateError(f"{target} is there already; name another bundle")
    gateway = load_gateway_keys(keys)
    part = target.with_name(f".{target.name}.export")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        size = _copy_log(data / "log", part, gateway, progress)
        _write_documents(data, descriptors, part)
        (part / PUBLIC).write_text(json.dumps(load_public(keys), indent=1) + "\n")
        (part / "README.txt").write_text(_README)
        period = {"createdMs": now_ms, "fromMs": from_ms, "toMs": to_ms}
        manifest = {"v": 1, "origin": gateway.origin, **period, "files": _list(part)}
        envelope = dsse.sign(orjson.dumps(manifest), dsse.MANIFEST, gateway.gateway)
        (part / MANIFEST).write_bytes(envelope)
        if target.suffix == ".zip":
            _zip(part, target)
        else:
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return size


def _copy_log(
    log: Path, part: Path, gateway: GatewayKeys, progress: Callable[[int, int], None] | None
) -> int:
    folder = Folder(log)
    note = folder.read("checkpoint")
    verifiers = [signer.verifier for signer in gateway.log]
    size = open_checkpoint(note, gateway.origin, verifiers).size
    paths = [entries_path(index, width) for index, width in bundles_of(size)]
    paths += [tile_path(*tile) for tile in tiles_of(size)]
    for number, path in enumerate(paths):
        _write(part / "log" / path, _read(folder, path))
        if progress is not None:
            progress(number + 1, len(paths))
    _write(part / CHECKPOINT, note)
    return size


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
        for digest, kind, _, content in rows:
            if kind == "licence":
                _write(part / "licences" / f"{digest}.toml", content)
            elif kind == "descriptor":
                _write(part / "equipment" / f"{digest}.toml", content)
            elif kind == "fork":
                _write(part / "blobs" / digest, content)
    for path in descriptors:
        if path.exists():
            content = path.read_bytes()
            _write(part / "equipment" / f"{sha256(content).hexdigest()}.toml", content)


@contextmanager
def _documents(data: Path) -> Iterator[sqlite3.Cursor]:
    path = data / "evidence.sqlite"
    if not path.exists():
        raise RaffinateError(f"{path} is missing; name the gateway's data folder")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection.execute("SELECT sha256, kind, name, data FROM documents")
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
                out.write(path, path.relative_to(part).as_posix())
    draft.rename(target)
