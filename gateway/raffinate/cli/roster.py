"""`raffinate keys enrol|rotate|revoke|retire|submit|list`: the roster of a running gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raffinate.cli.common import (
    JSON,
    PLANT,
    WAIT,
    ask_passphrase,
    now_ms,
    read_file,
    write_new,
)
from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence import ordering, orders
from raffinate.evidence.codes import format_code
from raffinate.evidence.enrolment import Enrolled, find_waiting
from raffinate.evidence.handover import check_running
from raffinate.keys import read_origin

if TYPE_CHECKING:
    from raffinate.config import Config
    from raffinate.evidence.orders import Order

_REQUEST = click.option(
    "--request",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Sign nothing: write FILE for the machine or stick that has the authority's key.",
)
_REASON = click.option("--reason", required=True, help="Why, in at most 64 plain characters.")


@click.command()
@click.argument("node")
@click.argument("code")
@click.option("--replaces", metavar="KEY", help="Begin of the key whose place it takes.")
@_REQUEST
@PLANT
@WAIT
@JSON
def enrol(
    node: str,
    code: str,
    replaces: str | None,
    request: Path | None,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """Enrol the key that NODE waits with, if CODE is the one its board shows.

    CODE is XXXX-XXXX-XXXX-XXXX, read from the board's own console or label, never from the
    gateway. For a board that was lost or wiped name its last key with --replaces: the registers of
    its machines then go on from what that key stated last. Needs the authority's key and a running
    gateway.
    """
    config = load_config(plant)
    if node not in config.plant.nodes:
        names = ", ".join(config.plant.nodes)
        raise ConfigError(f"{plant} has no node {node}; its nodes are {names}")
    found = find_waiting(config.storage.data, node, code, wait_s, replaces=replaces)
    if isinstance(found, Enrolled):
        said = {"node": node, "keyid": found.keyid, "index": found.index, "anew": False}
        text = f"{node} was enrolled already: key {found.keyid[:16]}, log entry {found.index}"
        click.echo(json.dumps(said) if as_json else text)
        return
    answer = _carry_out(config, [found], request, wait_s)
    if answer is None:
        return
    said = {"node": node, "keyid": answer["keyid"], "index": answer["index"], "anew": True}
    text = f"{node} enrolled: key {answer['keyid'][:16]}, log entry {answer['index']}"
    click.echo(json.dumps(said) if as_json else text)


@click.command()
@click.argument("role", type=click.Choice(["gateway", "permit"]))
@_REQUEST
@PLANT
@WAIT
@JSON
def rotate(role: str, request: Path | None, plant: Path, wait_s: float, as_json: bool) -> None:
    """Replace the gateway's statement key or the permit key by a new one, made here.

    The running gateway uses it from its log entry on. Boards pin these keys in node.json: load a
    new one into each over its console, or it takes no permit and no command of the new key. The
    authority's own key is replaced by `raffinate keys authority rotate`.
    """
    config = load_config(plant)
    check_running(config.storage.data)
    found = ordering.read_roster(config.storage.data)
    order = ordering.rotate_order(found, config.storage.keys, role)
    answer = _carry_out(config, [order], request, wait_s)
    if answer is None:
        return
    _say(answer, as_json)
    if not as_json:
        click.echo(f"boards still pin the key before: {_boards(config, role)}")


@click.command()
@click.argument("key")
@click.option(
    "--last-seq",
    type=click.IntRange(0, (1 << 53) - 1),
    required=True,
    help="Number of the last statement to trust; for a permit key a size of the log.",
)
@click.option(
    "--trusted",
    multiple=True,
    metavar="LEAF",
    help="A later statement that is good all the same: its leaf hash or index in the log.",
)
@_REASON
@_REQUEST
@PLANT
@WAIT
@JSON
def revoke(
    key: str,
    last_seq: int,
    trusted: tuple[str, ...],
    reason: str,
    request: Path | None,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """Trust KEY no more: stolen, cloned or lost with its board. KEY begins its id.

    Its statements count up to --last-seq, and only those logged before; what comes later is logged
    with a finding. Give the command again with --trusted for late arrivals that are genuine.
    """
    config = load_config(plant)
    check_running(config.storage.data)
    found = ordering.read_roster(config.storage.data)
    order = ordering.revoke_order(found, found.find(key), last_seq, reason, trusted)
    answer = _carry_out(config, [order], request, wait_s)
    if answer is not None:
        _say(answer, as_json)


@click.command()
@click.argument("key")
@_REASON
@_REQUEST
@PLANT
@WAIT
@JSON
def retire(
    key: str, reason: str, request: Path | None, plant: Path, wait_s: float, as_json: bool
) -> None:
    """End KEY in order: the board is taken out of use. KEY begins its id.

    All that it signed up to its newest logged statement stays good.
    """
    config = load_config(plant)
    check_running(config.storage.data)
    found = ordering.read_roster(config.storage.data)
    order = ordering.retire_order(found, found.find(key), reason)
    answer = _carry_out(config, [order], request, wait_s)
    if answer is not None:
        _say(answer, as_json)


@click.command()
@click.argument("signed", type=click.Path(path_type=Path))
@PLANT
@WAIT
@JSON
def submit(signed: Path, plant: Path, wait_s: float, as_json: bool) -> None:
    """Hand the file SIGNED, as `raffinate keys authority sign` wrote it, to the running gateway."""
    config = load_config(plant)
    data = read_file(signed, orders.FILE_BYTES_MAX)
    for answer in ordering.submit(config.storage.keys, config.storage.data, data, wait_s):
        _say(answer, as_json)


@click.command("list")
@PLANT
@JSON
def list_keys(plant: Path, as_json: bool) -> None:
    """List every key of the log: what it is for, whether it counts, and where it stands."""
    config = load_config(plant)
    found = ordering.read_roster(config.storage.data)
    rows = [
        {
            "keyid": key.keyid,
            "role": key.role,
            "name": key.name,
            "state": key.revoked or "in use",
            "seq": key.chain.seq,
            "enrolled": None if key.enrol_index < 0 else key.enrol_index,
            "code": format_code(key.keyid) if key.role == "node" else None,
        }
        for key in sorted(found.keys.values(), key=lambda key: key.enrol_index)
    ]
    if as_json:
        click.echo(json.dumps({"size": found.size, "keys": rows}))
        return
    click.echo(f"{'key':<17}{'role':<11}{'name':<20}{'state':<10}{'newest':>8}  entry")
    for row in rows:
        begin = "-" if row["enrolled"] is None else row["enrolled"]
        click.echo(
            f"{str(row['keyid'])[:16]:<17}{row['role']:<11}{row['name']:<20}{row['state']:<10}"
            f"{row['seq']:>8}  {begin}"
        )


def _carry_out(
    config: Config, found: list[Order], request: Path | None, wait_s: float
) -> dict[str, Any] | None:
    """Sign and hand over, or write the request; None for the latter."""
    storage = config.storage
    if request is None:
        answers = ordering.sign_and_submit(
            storage.keys, storage.data, found, wait_s, now_ms(), ask=ask_passphrase
        )
        return answers[0]
    write_new(request, orders.format_request(read_origin(storage.keys), found))
    for order in found:
        click.echo(f"{request}: {orders.describe(order)}", err=True)
    click.echo(
        f"next, where the authority's key is: raffinate keys authority sign {request} SIGNED "
        "--folder AUTHORITY; then here: raffinate keys submit SIGNED",
        err=True,
    )
    return None


def _say(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(
        f"{answer['type']} of {answer['role']} key {answer['keyid'][:16]} of {answer['name']}: log "
        f"entry {answer['index']}"
    )


def _boards(config: Config, role: str) -> str:
    """What has to be done at the boards after a rotation."""
    nodes = {item.node for item in config.plant.equipment.values()}
    names = sorted(nodes if role == "permit" else config.plant.nodes)
    listed = ", ".join(names) or "none"
    text = f"{listed}. For each: `raffinate node config NODE --force`, load it over the console"
    if role == "permit":
        text += "; until then it keeps the permit it has, of 24 h at most, and takes no other"
    return text
