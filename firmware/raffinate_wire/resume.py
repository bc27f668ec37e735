"""The gateway's answer to a status: the time, and the newest envelope it has of that key.

`{"keyid":…,"boot":…,"nonce":…,"timeMs":…}`, a newline, then the envelope's bytes or nothing.
"""

from raffinate_wire import jsonc, record
from raffinate_wire.dsse import ENVELOPE_BYTES_MAX
from raffinate_wire.errors import WireError

HEAD_BYTES_MAX = 512
RESUME_BYTES_MAX = HEAD_BYTES_MAX + ENVELOPE_BYTES_MAX

_HEAD = "keyid:keyid boot:uint nonce:nonce timeMs:uint"


class Resume:
    """The nonce asked with, the time, and `envelope`, empty when the gateway has none."""

    def __init__(self, keyid: str, boot: int, nonce: str, time_ms: int, envelope: bytes) -> None:
        self.keyid = keyid
        self.boot = boot
        self.nonce = nonce
        self.time_ms = time_ms
        self.envelope = envelope


def format_resume(keyid: str, boot: int, nonce: str, time_ms: int, envelope: bytes) -> bytes:
    """Return a resume's bytes; raise WireError."""
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise WireError("too-long", f"an envelope has at most {ENVELOPE_BYTES_MAX} bytes")
    members = {"keyid": keyid, "boot": boot, "nonce": nonce, "timeMs": time_ms}
    return record.write(_HEAD, members).encode() + b"\n" + envelope


def parse_resume(data: bytes) -> Resume:
    """Return the resume, its envelope not looked into; raise WireError."""
    if len(data) > RESUME_BYTES_MAX:
        raise WireError("too-long", f"a resume has at most {RESUME_BYTES_MAX} bytes")
    end = data.find(b"\n")
    if not 0 <= end <= HEAD_BYTES_MAX or len(data) - end - 1 > ENVELOPE_BYTES_MAX:
        raise WireError("truncated", "a resume is a line of JSON and an envelope or nothing")
    head = record.read(_HEAD, jsonc.parse(data[:end], 1))
    return Resume(
        head["keyid"], head["boot"], head["nonce"], head["timeMs"], bytes(data[end + 1 :])
    )
