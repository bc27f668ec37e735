"""Signed files that commands hand to a running gateway, and its answers (protocol 6).

`<data>/inbox/NAME.dsse` holds one envelope; `<data>/outbox/NAME.json` says what became of it. A
file stays until its outcome is durable, so a gateway killed meanwhile takes it up again.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RaffinateError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.chain import KNOWN
from raffinate.evidence.store import Key
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from raffinate.evidence.intake import Intake
    from raffinate.evidence.work import Work
    from raffinate.keys import GatewayKeys
    from raffinate.model import Plant

FILES_MAX = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What `NAME.json` in the outbox will say once the batch is durable."""

    path: Path
    document: dict[str, Any]


def take(data: Path, accept: Callable[[bytes, Work], dict[str, Any]], work: Work) -> list[Answer]:
    """Take every file of the inbox, in the order of their names."""
    folder = data / "inbox"
    if not folder.is_dir():
        return []
    answers = []
    for path in sorted(folder.glob("*.dsse"))[:FILES_MAX]:
        try:
            document = {"ok": True, **accept(path.read_bytes(), work)}
        except (RaffinateError, OSError) as error:
            document = {"ok": False, "error": str(error)}
        answers.append(Answer(path, document))
    return answers


def answer(data: Path, answers: list[Answer]) -> None:
    """Write the answers, then remove the files they are about."""
    for found in answers:
        target = data / "outbox" / f"{found.path.stem}.json"
        replace_file(target, orjson.dumps(found.document))
        found.path.unlink(missing_ok=True)


def accept(
    data: bytes, keys: GatewayKeys, plant: Plant, intake: Intake, work: Work
) -> dict[str, Any]:
    """Log one statement of the authority. Raises RaffinateError; a known one is accepted again."""
    envelope = dsse.decode_envelope(data)
    if envelope.keyid != keys.authority_keyid:
        raise RejectedError("wrong-signer", "the file is not signed by this site's authority key")
    authority = intake.keys[envelope.keyid]
    statement = intake.check(envelope, authority)
    if statement.type != "enrol":
        raise RejectedError("unsupported", f"this version does not act on {statement.type}")
    body = statement.body
    spki = b64decode(body["spki"])
    dsse.public_key(spki)
    if sha256(spki).hexdigest() != body["key"]:
        raise RejectedError("wrong-key", "the enrolled keyid is not that of the enrolled key")
    _check_name(body["role"], body["name"], plant)
    known = intake.keys.get(body["key"])
    if authority.chain.place(statement.seq, statement.prev) == KNOWN or known is not None:
        if known is None or known.name != body["name"]:
            raise RejectedError("known", "that number of the authority's chain is in the log")
        return {"index": known.enrol_index, "keyid": known.keyid, "sha256": leaf_hash(data).hex()}
    index = intake.add(authority, statement, data, work)
    key_id = 1 + max(intake.by_id)
    intake.add_key(Key(key_id, body["key"], body["role"], body["name"], spki, index), work)
    return {"index": index, "keyid": body["key"], "sha256": leaf_hash(data).hex()}


def _check_name(role: str, name: str, plant: Plant) -> None:
    if role == "node" and name not in plant.nodes:
        raise RejectedError("unknown-node", f"plant.toml has no node {name}")
    if role != "node" and name != "gateway":
        raise RejectedError("wrong-node", f"a key of role {role} has the name gateway")
