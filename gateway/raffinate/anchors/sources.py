"""What is asked of one outsider, and what its answer means. Runs on the outsider's own thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from raffinate.anchors.fetch import FetchError, Poster
from raffinate.errors import ConfigError
from raffinate.evidence.anchoring import COSIGNATURE, RFC3161, Cosigned, Stamped
from raffinate.tlog.checkpoint import format_checkpoint
from raffinate.tlog.cosignature import (
    CosignatureVerifier,
    format_signatures,
    parse_cosignatures,
    parse_witness_key,
)
from raffinate.tlog.note import NoteError, parse_note
from raffinate.witness.protocol import (
    CONFLICT,
    FORBIDDEN,
    FORK,
    OK,
    PATH,
    SIZE_TYPE,
    UNKNOWN,
    RequestError,
    parse_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rfc3161_client import TimeStampRequest, Verifier

    from raffinate.anchors.fetch import Fetched
    from raffinate.anchors.published import Head, PublishedLog
    from raffinate.config import Timestamps, Witness
    from raffinate.tlog.checkpoint import Checkpoint

    ReadToken = Callable[[bytes, Checkpoint, Sequence[x509.Certificate]], int]

ANSWER_BYTES_MAX = 16384
TOKEN_BYTES_MAX = 65536
ASKS_MAX = 3
ROUND_PART = 0.5
"""Of the interval: who asks within it after another asks about the same head."""
CLOCKS_APART_S_MAX = 300
QUOTED_MAX = 120


class RetryError(Exception):
    """No word this time; says why. Asked again later."""


class ContradictionError(Exception):
    """The outsider's view and this log exclude each other. Never asked again as if by mistake."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Source(Protocol):
    """One outsider; `interval_s` between two askings."""

    name: str
    kind: str
    interval_s: int

    def ask(self, log: PublishedLog, known: int, now_ms: int) -> Cosigned | Stamped:
        """Its word on the newest head; `known` is the size it vouched for last.

        Raises RetryError, ContradictionError.
        """

    def remark(self) -> str | None:
        """What was odd about its last word, in words."""


class WitnessSource:
    """A witness over HTTP (C2SP tlog-witness)."""

    kind = COSIGNATURE

    def __init__(self, witness: Witness, interval_s: int, poster: Poster | None = None) -> None:
        self.name = witness.name
        self.interval_s = interval_s
        self.key = witness_key(witness)
        self._url = f"{witness.url}{PATH}"
        self._poster = poster or Poster()
        self._remark: str | None = None

    def ask(self, log: PublishedLog, known: int, now_ms: int) -> Cosigned:
        """See `Source`."""
        old = known
        self._remark = None
        head = log.round_head(time.monotonic(), self.interval_s * ROUND_PART)
        if head.checkpoint.size <= known:
            head = log.head()
        for _ in range(ASKS_MAX):
            if old > head.checkpoint.size:
                head = log.head()
            if old > head.checkpoint.size:
                raise ContradictionError(
                    "WITNESS-AHEAD",
                    f"it cosigned size {old}, this log has {head.checkpoint.size}: the log was "
                    "rolled back. Restore the newest evidence database and log folder",
                )
            answer = self._post(log.request(old, head))
            if answer.status == OK:
                return self._read(head, answer.body, now_ms)
            size = self._other_size(answer, old, head.checkpoint.size)
            if size < known:
                self._remark = (
                    f"it forgot: it had size {known} and now says {size}; was its folder restored?"
                )
            old = size
        raise RetryError("its size changed while it was asked")

    def remark(self) -> str | None:
        """See `Source`."""
        return self._remark

    def _post(self, data: bytes) -> Fetched:
        try:
            return self._poster.post(self._url, data, "text/plain; charset=utf-8", ANSWER_BYTES_MAX)
        except FetchError as error:
            raise RetryError(f"{error}; is `raffinate witness serve` running there?") from None

    def _other_size(self, answer: Fetched, old: int, size: int) -> int:
        """The size in a 409; every other answer is raised."""
        if answer.status == CONFLICT and answer.media_type == SIZE_TYPE:
            try:
                found = parse_size(answer.body)
            except RequestError as error:
                raise RetryError(f"its answer is unreadable: {error}") from None
            if found == old:
                raise RetryError(f"it refuses the size {old} and says that it has just that")
            return found
        said = _quote(answer.body)
        if answer.status in (CONFLICT, FORK):
            raise ContradictionError(
                "FORK-OR-BAD-PROOF",
                f"it holds another history of this log: it refused the proof from {old} to {size} "
                f"with {answer.status} {said}. Compare its folder's heads/ with this log's entries",
            )
        if answer.status == UNKNOWN:
            raise RetryError("it does not know this log: `raffinate witness trust` there")
        if answer.status == FORBIDDEN:
            raise RetryError(f"it has other keys of this log than ours: {said}")
        raise RetryError(f"it answered {answer.status} {said}")

    def _read(self, head: Head, body: bytes, now_ms: int) -> Cosigned:
        note = parse_note(head.note)
        try:
            lines = [line for line in parse_cosignatures(note.text, body) if self.key.made(line)]
            cosigned = head.note + format_signatures(lines)
            time_s = self.key.time_s(parse_note(cosigned))
        except NoteError as error:
            raise RetryError(f"its answer is no cosignature of it: {error}") from None
        apart_s = abs(time_s - now_ms // 1000)
        if apart_s > CLOCKS_APART_S_MAX:
            self._remark = f"its clock and this gateway's are {apart_s} s apart"
        return Cosigned(self.name, head.checkpoint.size, cosigned, now_ms)


class TimestampSource:
    """An RFC 3161 server; tokens are over the SHA-256 of the checkpoint's text.

    `read` is the offline verifier's own reading of a token: what it would not take is not logged.
    """

    kind = RFC3161

    def __init__(
        self, timestamps: Timestamps, read: ReadToken, poster: Poster | None = None
    ) -> None:
        self.name = timestamps.url
        self.interval_s = timestamps.interval_s
        self._read = read
        self._certificates = _certificates(timestamps.ca)
        self._verifier = _verifier(timestamps.ca, self._certificates)
        self._poster = poster or Poster()

    def ask(self, log: PublishedLog, known: int, now_ms: int) -> Stamped:
        """See `Source`."""
        del known
        head = log.head().checkpoint
        text = format_checkpoint(head)
        request = (
            TimestampRequestBuilder()
            .data(text)
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        try:
            answer = self._poster.post(
                self.name, request.as_bytes(), "application/timestamp-query", TOKEN_BYTES_MAX
            )
        except FetchError as error:
            raise RetryError(str(error)) from None
        if answer.status != OK:
            raise RetryError(f"it answered {answer.status} {_quote(answer.body)}")
        self._check(answer.body, request, text)
        try:
            anchor_ms = self._read(answer.body, head, self._certificates)
        except ValueError as error:
            raise RetryError(f"the verifier would not take its token: {error}") from None
        return Stamped(self.name, head, answer.body, anchor_ms, now_ms)

    def remark(self) -> str | None:
        """Nothing."""
        return None

    def _check(self, data: bytes, request: TimeStampRequest, text: bytes) -> None:
        try:
            token = decode_timestamp_response(data)
            if token.tst_info.nonce != request.nonce:
                raise RetryError("its answer is to another request")
            self._verifier.verify_message(token, text)
        except (ValueError, VerificationError) as error:
            raise RetryError(f"its answer is no timestamp that verifies: {error}") from None


def witness_key(witness: Witness) -> CosignatureVerifier:
    """A witness's key as plant.toml has it. Raises ConfigError."""
    try:
        return parse_witness_key(witness.key)
    except NoteError as error:
        raise ConfigError(f"plant.toml: witnesses: {error}") from None


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; give the timestamp server's certificates") from None


def _verifier(path: Path, certificates: list[x509.Certificate]) -> Verifier:
    builder = VerifierBuilder()
    for certificate in certificates:
        if certificate.issuer == certificate.subject:
            builder = builder.add_root_certificate(certificate)
        else:
            builder = builder.add_intermediate_certificate(certificate)
    try:
        return builder.build()
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; it needs a self-signed root certificate") from None


def _quote(body: bytes) -> str:
    text = body.split(b"\n", 1)[0][:QUOTED_MAX].decode("ascii", "replace")
    return repr("".join(char if char.isprintable() else "?" for char in text))
