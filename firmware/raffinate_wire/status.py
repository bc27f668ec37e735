"""A node's retained status, and its will.

`{"online":true,"boot":17,"keyid":…,"nonce":…,"seen":42}`; `{"online":false,"boot":17,"keyid":…}`
"""

from raffinate_wire import jsonc, record
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUS_BYTES_MAX = 512

_WILL = "online:bool boot:uint keyid:keyid"
_ONLINE = _WILL + " nonce:nonce seen:uint"


class Status:
    """Whether the node is there; nonce (32 hex digits) and seen_size are None in a will."""

    def __init__(
        self, online: bool, boot: int, keyid: str, nonce: "str | None", seen_size: "int | None"
    ) -> None:
        self.online = online
        self.boot = boot
        self.keyid = keyid
        self.nonce = nonce
        self.seen_size = seen_size


def format_online(boot: int, keyid: str, nonce: str, seen_size: int) -> bytes:
    """Return the status of a node that is there; raise WireError."""
    members: "dict[str, Any]" = {"online": True, "boot": boot, "keyid": keyid}
    members["nonce"] = nonce
    members["seen"] = seen_size
    return record.write(_ONLINE, members).encode()


def format_will(boot: int, keyid: str) -> bytes:
    """Return what the broker says for a node that is gone; raise WireError."""
    return record.write(_WILL, {"online": False, "boot": boot, "keyid": keyid}).encode()


def parse_status(data: bytes) -> Status:
    """Return either form; raise WireError."""
    if len(data) > STATUS_BYTES_MAX:
        raise WireError("too-long", f"a status has at most {STATUS_BYTES_MAX} bytes")
    value = jsonc.parse(data, 1)
    online = isinstance(value, jsonc.Obj) and value.get("online") is True
    status = record.read(_ONLINE if online else _WILL, value)
    return Status(online, status["boot"], status["keyid"], status.get("nonce"), status.get("seen"))
