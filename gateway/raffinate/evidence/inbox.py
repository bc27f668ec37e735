"""Signed files that commands hand to a running gateway, and its answers (protocol 6).

`<data>/inbox/NAME.dsse` holds one envelope; `<data>/outbox/NAME.json` says what became of it. A
file stays until its outcome is durable, so a gateway killed meanwhile takes it up again. One that
ended the gateway by a defect of its program is put aside as `NAME.defect`, and no start sees it.
What commands name (`FIRST`) is taken before all else. Answers that nobody fetches end: at most
`ANSWERS_MAX` stay, for `ANSWER_AGE_MS_MAX`; the oldest go first.
"""

from __future__ import annotations

import os
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RaffinateError, RejectedError
from raffinate.evidence import dsse, roster
from raffinate.evidence.store import Key
from raffinate.keys import ROTATING
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from raffinate.evidence.intake import Intake
    from raffinate.evidence.statement import Statement
    from raffinate.evidence.work import Work
    from raffinate.model import Plant

FILES_MAX = 100
FILE_BYTES_MAX = 12 << 20
NAME_BYTES_MAX = 200
ANSWERS_MAX = 1000
ANSWER_AGE_MS_MAX = 8 * 24 * 3600 * 1000
FIRST = ("order-", "request-", "checkpoint-")
"""How files of the authority, of requests and of witnesses begin; other names wait behind them."""
DEFECT = ".defect"
_NS_A_MS = 1_000_000
_DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What `NAME.json` in the outbox will say once the batch is durable."""

    path: Path
    document: dict[str, Any]


def take(data: Path, accept: Callable[[bytes, Work], dict[str, Any]], work: Work) -> list[Answer]:
    """Take the inbox's first files; what is no file stays."""
    answers = []
    for path in files(data / "inbox", ".dsse"):
        try:
            document = {"ok": True, **accept(_read(path), work)}
        except (RaffinateError, OSError) as error:
            document = {"ok": False, "error": str(error)}
        except _DEFECTS:
            path.rename(path.with_suffix(DEFECT))  # or each start would end by it again
            raise
        answers.append(Answer(path, document))
    return answers


def files(folder: Path, suffix: str) -> list[Path]:
    """The inbox's first files by name, at most FILES_MAX; those of `FIRST` before all others.

    A pipe or a folder in one's place holds nobody up, nor a name too long for its answer's file.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = (
            entry.name
            for entry in entries
            if entry.name.endswith(suffix)
            and len(os.fsencode(entry.name)) <= NAME_BYTES_MAX
            and _is_file(entry)
        )
        names = nsmallest(FILES_MAX, found, key=lambda name: (not name.startswith(FIRST), name))
    return [folder / name for name in names]


def answer(data: Path, answers: list[Answer], now_ms: int) -> None:
    """Write the answers, then remove the files they are about, and answers beyond the limits."""
    outbox = data / "outbox"
    for found in answers:
        target = outbox / f"{found.path.stem}.json"
        replace_file(target, orjson.dumps(found.document))
        with suppress(FileNotFoundError):  # its command has fetched it already
            os.utime(target, ns=(now_ms * _NS_A_MS, now_ms * _NS_A_MS))
        found.path.unlink(missing_ok=True)
    if outbox.is_dir():
        _clear(outbox, now_ms)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _clear(outbox: Path, now_ms: int) -> None:
    """Remove the answers that are too old, and the oldest of too many."""
    aged = []
    with os.scandir(outbox) as entries:
        for entry in entries:
            if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    aged.append((entry.stat().st_mtime_ns // _NS_A_MS, entry.name))
    aged.sort()
    over = len(aged) - ANSWERS_MAX
    for number, (time_ms, name) in enumerate(aged):
        if number >= over and now_ms - time_ms <= ANSWER_AGE_MS_MAX:
            return
        (outbox / name).unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    with path.open("rb") as source:
        data = source.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise RaffinateError(f"{path.name} has more than {FILE_BYTES_MAX} bytes")
    return data


def accept(
    data: bytes, plant: Plant, intake: Intake, has_private: Callable[[str, str], bool], work: Work
) -> dict[str, Any]:
    """Log one statement of the authority and act on it. Raises RaffinateError.

    A known one gives its answer again. One that contradicts the roster is logged too, for its
    number is used, and changes nothing. `has_private(role, keyid)` tells whether the private half
    of a new key is here.
    """
    envelope = dsse.decode_envelope(data)
    authority = intake.keys.get(envelope.keyid)
    if authority is None or authority.role != "authority":
        raise RejectedError("wrong-signer", "the file is not signed by this site's authority key")
    statement = intake.check(envelope, authority)
    leaf = leaf_hash(data)
    index = intake.index_of(authority, statement.seq, work)
    if index is not None:
        return _again(authority, statement, index, leaf, data, intake, work)
    if authority.revoked:
        raise RejectedError("not-in-use", f"that authority key is {authority.revoked}")
    if (statement.seq, statement.prev) != (authority.chain.seq + 1, authority.chain.head):
        raise RejectedError(
            "order",
            f"it is number {statement.seq} of the authority, the log is at {authority.chain.seq}: "
            "hand in what was signed before; or the authority's folder is an older copy",
        )
    body, kind = statement.body, statement.type
    fault = _fault(kind, body, plant, intake, has_private, work)
    index = intake.add(authority, statement, data, work)
    if fault is not None:
        intake.find(work, "ENROLMENT", authority, statement.seq, str(fault))
        raise RejectedError(
            fault.code, f"{fault} (it stands in the log as entry {index} and changes nothing)"
        )
    changed = roster.apply(kind, body, intake.keys, index)
    if changed is not None:
        work.keys[changed.id] = changed
    if kind in ("enrol", "rotate"):
        key_id = 1 + max(intake.by_id)
        spki = b64decode(body["spki"])
        key = Key(key_id, body["key"], body["role"], body["name"], spki, index)
        intake.add_key(key, work)
    return _answer(statement, index, leaf)


def _fault(
    kind: str,
    body: dict[str, Any],
    plant: Plant,
    intake: Intake,
    has_private: Callable[[str, str], bool],
    work: Work,
) -> RejectedError | None:
    """What speaks against a statement, for it must be logged before that is said."""

    def leaf_at(key: Key, seq: int) -> str | None:
        return intake.leaf_of(key, seq, work)

    role, name = body["role"], body["name"]
    try:
        roster.check(kind, body, intake.keys, leaf_at)
    except RejectedError as error:
        return error
    if kind == "enrol" and role == "node" and name not in plant.nodes:
        return RejectedError("unknown-node", f"plant.toml has no node {name}")
    if kind in ("enrol", "rotate") and role in ROTATING and not has_private(role, body["key"]):
        return RejectedError(
            "no-key", f"the keys folder has no private half of {role} key {body['key'][:16]}"
        )
    return None


def _again(
    authority: Key,
    statement: Statement,
    index: int,
    leaf: bytes,
    data: bytes,
    intake: Intake,
    work: Work,
) -> dict[str, Any]:
    if intake.leaf_of(authority, statement.seq, work) != leaf.hex():
        intake.state_fork(authority, statement.seq, index, leaf, data, work)
        raise RejectedError(
            "known",
            f"the log has another statement {statement.seq} of the authority: its folder was used "
            "in two copies. Both are kept; rotate the authority's key",
        )
    return _answer(statement, index, leaf)


def _answer(statement: Statement, index: int, leaf: bytes) -> dict[str, Any]:
    body = statement.body
    return {
        "type": statement.type,
        "role": body["role"],
        "name": body["name"],
        "keyid": body["key"],
        "index": index,
        "sha256": leaf.hex(),
    }
