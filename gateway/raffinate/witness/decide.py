"""What a witness does with one request: check, persist, then cosign; never two heads that differ.

Rules, in the order of the specification:
1. malformed 400; unknown origin 404; not signed by a trusted key of it 403; `old` above size 400;
2. `old` is not the size last cosigned: 409 with that size;
3. the same size with another root, or a proof that does not lead there: 422, and the request is
   kept, for the log signed it. (Version 1.0.0 of the specification gives 409 for the first.)
4. the head is durable before its cosignature is returned; its time never goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.errors import RaffinateError
from raffinate.tlog.checkpoint import parse_checkpoint
from raffinate.tlog.cosignature import format_signatures
from raffinate.tlog.hashing import EMPTY_ROOT
from raffinate.tlog.note import NoteError, parse_note, verify_note
from raffinate.tlog.proof import ProofError, verify_consistency
from raffinate.witness.protocol import (
    BAD,
    BROKEN,
    CONFLICT,
    FORBIDDEN,
    FORK,
    OK,
    SIZE_TYPE,
    UNKNOWN,
    Answer,
    RequestError,
    parse_request,
)

if TYPE_CHECKING:
    from raffinate.tlog.checkpoint import Checkpoint
    from raffinate.tlog.note import Note
    from raffinate.witness.folder import Folder
    from raffinate.witness.protocol import Request

CLOCK_BACK_S_MAX = 60
"""How far the clock may stand before the last cosignature, whose time is then given again."""


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """A request that is not cosigned, with its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def add_checkpoint(folder: Folder, data: bytes, now_s: int) -> Answer:
    """Cosign a request's checkpoint, or say why not. Raises nothing but defects."""
    try:
        request = parse_request(data)
        note, checkpoint = _open(request)
        with folder.alone():
            return _decide(folder, request, note, checkpoint, data, now_s)
    except Refusal as refusal:
        return refusal.answer
    except (RequestError, NoteError) as error:
        return _text(BAD, str(error))
    except (RaffinateError, OSError) as error:
        return _text(BROKEN, f"the witness cannot cosign now: {error}")


def _open(request: Request) -> tuple[Note, Checkpoint]:
    note = parse_note(request.note)
    return note, parse_checkpoint(note.text)


def _decide(
    folder: Folder,
    request: Request,
    note: Note,
    checkpoint: Checkpoint,
    data: bytes,
    now_s: int,
) -> Answer:
    """The rules above; the caller holds the folder."""
    log = folder.logs().get(checkpoint.origin)
    if log is None:
        raise Refusal(_text(UNKNOWN, f"log {checkpoint.origin} is not trusted here"))
    try:
        signed = verify_note(note, log.keys)
    except NoteError as error:
        raise Refusal(_text(FORBIDDEN, str(error))) from None
    if request.old > checkpoint.size:
        raise Refusal(_text(BAD, f"old {request.old} is above the size {checkpoint.size}"))
    head = folder.head(log.origin)
    size, root, last_s = 0, EMPTY_ROOT, 0
    if head is not None:
        size, root, last_s = head.checkpoint.size, head.checkpoint.root, head.time_s
    if request.old != size:
        raise Refusal(Answer(CONFLICT, b"%d\n" % size, SIZE_TYPE))
    try:
        verify_consistency(size, root, checkpoint.size, checkpoint.root, request.proof)
    except ProofError as error:
        folder.keep_refused(data)
        raise Refusal(_text(FORK, f"{error}; this witness holds a head of {size}")) from None
    if last_s - now_s > CLOCK_BACK_S_MAX:
        raise Refusal(
            _text(
                BROKEN,
                f"the witness's clock stands {last_s - now_s} s before its last "
                "cosignature; set it",
            )
        )
    line = folder.signer.cosign(note.text, max(now_s, last_s))
    lines = format_signatures([line])
    made = {(key.name, key.key_id) for key in signed}
    kept = [found for found in note.signatures if (found.name, found.key_id) in made]
    folder.save_head(log.origin, note.text + b"\n" + format_signatures(kept) + lines)
    return Answer(OK, lines)


def _text(status: int, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())
