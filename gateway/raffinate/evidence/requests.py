"""What a command asks the running gateway to state, signed with the gateway's own key.

A request is a DSSE envelope of payload type `application/vnd.raffinate.request+json`, in the inbox
as the authority's statements are. Its payload: `v` 1, `origin`, `timeMs`, `kind` (one of
KINDS), `actor`, `body`, `documents` (base64). Its id is its leaf hash: one taken before
gets its answer again and states nothing. Who can read gateway.key can do the same without.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.salted import DOCUMENT_BYTES_MAX, FILES_MAX
from raffinate.tlog.hashing import leaf_hash
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.keys import GatewayKeys

REQUEST = b"application/vnd.raffinate.request+json"
KINDS = ("activity", "acknowledge", "document", "export", "close")
DOCUMENTS_MAX = 256
REQUEST_BYTES_MAX = 12 << 20
AGE_MS_MAX = 7 * 24 * 3600 * 1000
AHEAD_MS_MAX = 3600 * 1000
_MEMBERS = ("v", "origin", "timeMs", "kind", "actor", "body", "documents")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the gateway's key signed; `documents` by SHA-256."""

    id: str
    kind: str
    actor: dict[str, str]
    body: dict[str, Any]
    documents: dict[str, bytes]
    time_ms: int


def format_request(
    keys: GatewayKeys,
    kind: str,
    actor: Mapping[str, str],
    body: Mapping[str, Any],
    documents: Sequence[bytes],
    now_ms: int,
) -> bytes:
    """The signed file of a request."""
    texts = [b64encode(document).decode() for document in documents]
    values = (1, keys.origin, now_ms, kind, dict(actor), dict(body), texts)
    payload = orjson.dumps(dict(zip(_MEMBERS, values, strict=True)))
    return dsse.sign(payload, REQUEST, keys.gateway)


def read_request(data: bytes, keys: GatewayKeys, now_ms: int) -> Request:
    """The request of a file. Raises RejectedError."""
    envelope = dsse.decode_envelope(data, REQUEST_BYTES_MAX)
    if envelope.keyid != keys.gateway.keyid or envelope.payload_type != REQUEST:
        raise RejectedError("wrong-signer", "the request is not signed by this gateway's key")
    dsse.verify(envelope, keys.gateway.private.public_key())
    try:
        value = orjson.loads(envelope.payload)
        if tuple(value) != _MEMBERS or value["v"] != 1 or value["origin"] != keys.origin:
            raise RejectedError("request", "the request is of another version or log")
        age_ms = now_ms - int(value["timeMs"])
        if not -AHEAD_MS_MAX <= age_ms <= AGE_MS_MAX:
            raise RejectedError("old", "the request is over 7 days old; give the command again")
        actor = {name: check_text(value["actor"][name]) for name in ("id", "role", "auth")}
        most = DOCUMENTS_MAX if value["kind"] == "document" else FILES_MAX + 2
        documents = _documents(value["documents"], most)
        if value["kind"] not in KINDS or not isinstance(value["body"], dict):
            raise RejectedError("request", "the request is of no known kind")
    except (ValueError, TypeError, KeyError, WireError) as error:
        raise RejectedError("request", f"the request is malformed: {error!r}") from None
    name = leaf_hash(data).hex()
    return Request(name, value["kind"], actor, value["body"], documents, int(value["timeMs"]))


def _documents(texts: Any, most: int) -> dict[str, bytes]:
    if not isinstance(texts, list) or len(texts) > most:
        raise RejectedError("request", f"more than {most} documents")
    found = {}
    for text in texts:
        document = b64decode(text, validate=True)
        if len(document) > DOCUMENT_BYTES_MAX:
            raise RejectedError("request", f"a document has over {DOCUMENT_BYTES_MAX >> 20} MiB")
        found[sha256(document).hexdigest()] = document
    return found
