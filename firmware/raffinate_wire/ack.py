"""The gateway's ack: which frames a node may let go of, what was rejected or refused."""

ACK_BYTES_MAX = 12288
BOOTS_MAX = 16
REASONS_MAX = 64


class Ack:
    """key (16 hex), epoch (integer), boots [(boot, upto)], rejected [(boot, seq, reason)], refused [(seq, reason)]."""

    def __init__(self, key: str, epoch: int, boots: list, rejected: list, refused: list) -> None:
        self.key = key
        self.epoch = epoch
        self.boots = boots
        self.rejected = rejected
        self.refused = refused


def format_ack(key: str, epoch: int, boots: list, rejected: list, refused: list) -> bytes:
    """Return an ack's bytes; boots ascend, each once; raise WireError."""
    raise NotImplementedError


def parse_ack(data: bytes) -> Ack:
    """Return the ack; raise WireError."""
    raise NotImplementedError
