"""The gateway's ack: which frames a node may let go of, what was rejected or refused.

`{"key":…,"epoch":…,"boots":[[boot,upto],…],"rejected":[[boot,seq,reason],…],"refused":[[seq,reason],…]}`
"""

from raffinate_wire import ids, jsonc
from raffinate_wire.errors import WireError
from raffinate_wire.record import check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ACK_BYTES_MAX = 12288
BOOTS_MAX = 16
REASONS_MAX = 64


class Ack:
    """An ack for the key whose id begins with `key` (16 digits), by one run (`epoch`) of a gateway.

    boots [(boot, upto)] ascend, each boot once; rejected [(boot, seq, reason)] names frames,
    refused [(seq, reason)] statements.
    """

    def __init__(
        self,
        key: str,
        epoch: int,
        boots: "list[tuple[int, int]]",
        rejected: "list[tuple[int, int, str]]",
        refused: "list[tuple[int, str]]",
    ) -> None:
        self.key = key
        self.epoch = epoch
        self.boots = boots
        self.rejected = rejected
        self.refused = refused


def format_ack(
    key: str,
    epoch: int,
    boots: "list[tuple[int, int]]",
    rejected: "list[tuple[int, int, str]]",
    refused: "list[tuple[int, str]]",
) -> bytes:
    """Return an ack's bytes; raise WireError."""
    lists = (
        _format_list(boots, 2, 2, BOOTS_MAX),
        _format_list(rejected, 2, 3, REASONS_MAX),
        _format_list(refused, 1, 2, REASONS_MAX),
    )
    _check_boots(boots)
    head = f'{{"key":"{ids.check_key16(key)}","epoch":{ids.check_uint(epoch, "epoch")},'
    return (head + '"boots":[{}],"rejected":[{}],"refused":[{}]}}'.format(*lists)).encode()


def parse_ack(data: bytes) -> Ack:
    """Return the ack; raise WireError."""
    if len(data) > ACK_BYTES_MAX:
        raise WireError("too-long", f"an ack has at most {ACK_BYTES_MAX} bytes")
    ack = jsonc.parse(data, 3)
    if not isinstance(ack, jsonc.Obj):
        raise WireError("wrong-type", "an ack is an object")
    check_names(["key", "epoch", "boots", "rejected", "refused"], ack)
    boots = _parse_list(ack["boots"], 2, 2, BOOTS_MAX)
    _check_boots(boots)
    return Ack(
        ids.check_key16(ack["key"]),
        ids.check_uint(ack["epoch"], "epoch"),
        boots,
        _parse_list(ack["rejected"], 2, 3, REASONS_MAX),
        _parse_list(ack["refused"], 1, 2, REASONS_MAX),
    )


def _format_list(rows: "list[Any]", numbers: int, width: int, rows_max: int) -> str:
    parts = []
    for row in _parse_list([list(row) for row in rows], numbers, width, rows_max):
        cells = [str(cell) for cell in row[:numbers]]
        cells.extend([f'"{cell}"' for cell in row[numbers:]])
        parts.append("[" + ",".join(cells) + "]")
    return ",".join(parts)


def _parse_list(rows: "Any", numbers: int, width: int, rows_max: int) -> "list[Any]":
    # Rows of `numbers` integers, then a reason where the width leaves room for one.
    if not isinstance(rows, list) or len(rows) > rows_max:
        raise WireError("too-long", f"a list of at most {rows_max} entries is expected")
    parsed = []
    for row in rows:
        if not isinstance(row, list) or len(row) != width:
            raise WireError("wrong-type", f"an entry of {width} values is expected")
        for cell in row[:numbers]:
            ids.check_uint(cell)
        for cell in row[numbers:]:
            ids.check_code(cell)
        parsed.append(tuple(row))
    return parsed


def _check_boots(boots: "list[tuple[int, int]]") -> None:
    last = -1
    for boot, _ in boots:
        if boot <= last:
            raise WireError("not-canonical", "the boots of an ack ascend, each once")
        last = boot
