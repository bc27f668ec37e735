"""MQTT topics: `raffinate/1/{site}/{node}/{leaf}`, and `.../permit/{equipment}`."""

from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_id, check_node

FRAME = "frame"
STATEMENT = "statement"
STATUS = "status"
RESUME = "resume"
ACK = "ack"
RECEIPT = "receipt"
PERMIT = "permit"
CMD = "cmd"

PREFIX = "raffinate/1"
LEAVES = (FRAME, STATEMENT, STATUS, RESUME, ACK, RECEIPT, CMD)


def topic(site: str, node: str, leaf: str) -> str:
    """Return the topic of one node and leaf (not PERMIT: see permit_topic); raise `bad-topic`."""
    if leaf not in LEAVES:
        raise WireError("bad-topic", f"{leaf!r} is no topic leaf of a node")
    return f"{PREFIX}/{check_id(site)}/{check_node(node)}/{leaf}"


def permit_topic(site: str, node: str, equipment: str) -> str:
    """Return the topic on which the permit of one equipment is retained."""
    return f"{PREFIX}/{check_id(site)}/{check_node(node)}/{PERMIT}/{check_id(equipment)}"


def parse_topic(text: str) -> "tuple[str, str, str, str | None]":
    """Return (site, node, leaf, equipment or None); raise `bad-topic` or `bad-id`."""
    parts = text.split("/")
    if len(parts) not in (5, 6) or "/".join(parts[:2]) != PREFIX:
        raise WireError("bad-topic", f"{text!r} does not begin with {PREFIX}/<site>/<node>/")
    site, node, leaf = check_id(parts[2]), check_node(parts[3]), parts[4]
    if leaf == PERMIT and len(parts) == 6:
        return site, node, leaf, check_id(parts[5])
    if leaf not in LEAVES or len(parts) != 5:
        raise WireError("bad-topic", f"{text!r} does not end in a leaf of a node")
    return site, node, leaf, None
