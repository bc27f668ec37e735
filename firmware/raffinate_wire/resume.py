"""The gateway's answer to a status: the time, and the newest envelope it has of that key."""

RESUME_BYTES_MAX = 6144 + 512


class Resume:
    """keyid, boot, nonce, time_ms, envelope (bytes, empty when the gateway has none)."""

    def __init__(self, keyid, boot, nonce, time_ms, envelope) -> None:
        self.keyid = keyid
        self.boot = boot
        self.nonce = nonce
        self.time_ms = time_ms
        self.envelope = envelope


def format_resume(keyid: str, boot: int, nonce: str, time_ms: int, envelope: bytes) -> bytes:
    """Return a resume's bytes; raise WireError."""
    raise NotImplementedError


def parse_resume(data: bytes) -> Resume:
    """Return the resume; its envelope is not looked into; raise WireError."""
    raise NotImplementedError
