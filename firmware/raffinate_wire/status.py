"""A node's retained status, and its will."""

STATUS_BYTES_MAX = 512


class Status:
    """online, boot, keyid; nonce (32 hex) and seen_size are None in a will."""

    def __init__(self, online, boot, keyid, nonce, seen_size) -> None:
        self.online = online
        self.boot = boot
        self.keyid = keyid
        self.nonce = nonce
        self.seen_size = seen_size


def format_online(boot: int, keyid: str, nonce: str, seen_size: int) -> bytes:
    """Return the status of a node that is there."""
    raise NotImplementedError


def format_will(boot: int, keyid: str) -> bytes:
    """Return what the broker says for a node that is gone."""
    raise NotImplementedError


def parse_status(data: bytes) -> Status:
    """Return either form; raise WireError."""
    raise NotImplementedError
