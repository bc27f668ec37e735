"""Statements: in-toto Statement v1 payloads with the predicates of protocol 4.

`common` and `specific` are dicts (or Obj) by wire member name; a nullable member may be left out.
See docs/formats/statement.md for every predicate's members.
"""

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
ZERO_PREV = "0" * 64
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TYPES = (
    "boot",
    "usage",
    "heartbeat",
    "gap",
    "denial",
    "activity",
    "licence",
    "admin",
    "period-close",
    "time-anchor",
    "fork",
    "enrol",
    "rotate",
    "revoke",
    "retire",
)


class Statement:
    """A parsed statement.

    .type (short), .subject [(name, sha256 hex)], .log .site .node .keyid .seq .prev (hex) .boot
    .up_ms .time_ms .clock .firmware .config .calibration .unreceipted .seen (Obj size, root; or
    None) .registers (list of Obj id, runMs, starts, volumeMl; or None), .body (Obj, the predicate's
    own members).
    """


def format_statement(subject, predicate_type: str, common, specific) -> bytes:
    """Return the payload; predicate_type is the short type; raise WireError."""
    raise NotImplementedError


def parse_statement(payload: bytes) -> Statement:
    """Return the statement; raise WireError."""
    raise NotImplementedError


def signer_of(predicate_type: str) -> "tuple[str, ...]":
    """Return the roles that may sign it: of "node", "gateway", "authority"."""
    raise NotImplementedError


def envelope_hash(envelope: bytes) -> bytes:
    """Return SHA-256(0x00 || envelope): the next statement's prev and the log's leaf hash."""
    raise NotImplementedError
