"""C2SP signed notes and checkpoints (signed-note 1.0.0, tlog-checkpoint 1.0.0)."""

NOTE_BYTES_MAX = 16384
SIGNATURES_MAX = 32
TYPE_ED25519 = 1
TYPE_ECDSA = 2
TYPE_COSIGNATURE = 4


class Note:
    """text (bytes, ends in a newline) and signatures [(name, 4-byte key id, signature bytes)]."""

    def __init__(self, text: bytes, signatures) -> None:
        self.text = text
        self.signatures = signatures


class Checkpoint:
    """origin (str), size (int), root (32 bytes), extensions (list of str)."""

    def __init__(self, origin: str, size: int, root: bytes, extensions=()) -> None:
        self.origin = origin
        self.size = size
        self.root = root
        self.extensions = extensions


def parse_note(data: bytes) -> Note:
    """Return the note, split at its last empty line; nothing verified; raise WireError."""
    raise NotImplementedError


def format_note(text: bytes, signatures) -> bytes:
    """Return the note's bytes; raise WireError."""
    raise NotImplementedError


def key_id(name: str, key_type: int, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name || 0x0A || type || public key)."""
    raise NotImplementedError


def key_id_ecdsa(spki: bytes) -> bytes:
    """Return the key id of a type 02 key: the first 4 bytes of SHA-256 of its SPKI DER."""
    raise NotImplementedError


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint of a note's text; raise `bad-checkpoint`."""
    raise NotImplementedError


def format_checkpoint(origin: str, size: int, root: bytes) -> bytes:
    """Return a checkpoint's text (a note's text, unsigned)."""
    raise NotImplementedError


def verify_note_p256(data: bytes, name: str, key) -> Note:
    """Return the note whose type 02 signature by `name` verifies; raise `no-signature`, `bad-signature`.

    key is a point, an SPKI or a comb table of p256.
    """
    raise NotImplementedError


def verify_note_p256_steps(data: bytes, name: str, key):
    """verify_note_p256 in slices."""
    raise NotImplementedError
