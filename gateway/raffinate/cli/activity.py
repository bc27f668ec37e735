"""`raffinate activity`: what was done to a machine, stated by the gateway."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raffinate.audit.command import time_ms
from raffinate.cli.common import JSON, PLANT, WAIT, now_ms, read_file, write_new
from raffinate.cli.group import Group
from raffinate.config import load_config
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence import salted
from raffinate.evidence.handover import read_only
from raffinate.evidence.petition import ask_gateway, operator, read_entry
from raffinate.licence.papers import Paper, WorkOrder
from raffinate.registry.holdings import find, read_holdings

if TYPE_CHECKING:
    from raffinate.config import Config

_KINDS = ("assembly", "commissioning", "maintenance", "repair", "upgrade", "calibration")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Group)
def activity() -> None:
    """State who did what to a licensed machine, and disclose it on purpose."""


@activity.command()
@click.option("--equipment", required=True, help="The machine, as plant.toml names it.")
@click.option("--kind", required=True, type=click.Choice(_KINDS), help="What was done.")
@click.option("--from", "start", required=True, metavar="TIME", help="Begin, RFC 3339 UTC.")
@click.option("--to", "end", metavar="TIME", help="End; leave it out while it goes on.")
@click.option("--who", default="", help="Who did it; stays outside the log.")
@click.option("--what", default="", help="What was done, in words; stays outside the log.")
@click.option(
    "--work-order",
    metavar="ID|FILE",
    help="A work-order paper of the registry, by its id; or a file, which stays outside the log.",
)
@click.option("--details", type=_FILE, multiple=True, help="Any further file; outside the log.")
@click.option("--as", "actor", default="operator", help="Pseudonym of who gives this command.")
@PLANT
@WAIT
@JSON
def add(
    equipment: str,
    kind: str,
    start: str,
    end: str | None,
    who: str,
    what: str,
    work_order: str | None,
    details: tuple[Path, ...],
    actor: str,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """State an activity in the log, through the running gateway.

    Names, words and files stay in the plant as salted documents; the log has their digests, and
    `raffinate activity disclose` gives them to an auditor.
    """
    config = load_config(plant)
    if equipment not in config.plant.equipment:
        names = ", ".join(config.plant.equipment) or "none"
        raise ConfigError(f"{plant} has no equipment {equipment}; there is {names}")
    documents: list[bytes] = []
    body = {"kind": kind, "equipment": equipment, "workOrder": None}
    if work_order is not None and Path(work_order).is_file():
        data = read_file(Path(work_order), salted.DOCUMENT_BYTES_MAX)
        body["workOrder"], document = salted.salt(Path(work_order).name, data, os.urandom)
        documents.append(document)
    elif work_order is not None:
        body["workOrder"] = _work_order(config, work_order, equipment, kind)
    times = {"fromMs": time_ms("--from", start), "toMs": time_ms("--to", end)}
    digest = None
    if who or what or details:
        files = [(path.name, read_file(path, salted.DOCUMENT_BYTES_MAX)) for path in details]
        digest, listed = salted.details(who, what, files, os.urandom)
        documents += listed
    storage = config.storage
    said = ask_gateway(
        storage.keys,
        storage.data,
        "activity",
        operator(actor),
        {**body, **times, "details": digest},
        documents,
        wait_s,
        now_ms(),
    )
    click.echo(json.dumps(said) if as_json else f"{kind} of {equipment}: log entry {said['index']}")


@activity.command()
@click.argument("index", type=click.IntRange(0))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@PLANT
def disclose(index: int, folder: Path, plant: Path) -> None:
    """Write the documents of the activity that is log entry INDEX into the new folder FOLDER.

    The SHA-256 of each written file is the digest in the log, or in details.json. Who has them can
    show them to others.
    """
    data = load_config(plant).storage.data
    entry = read_entry(data, index)
    if entry.type != "activity":
        raise RaffinateError(f"log entry {index} is no activity, but {entry.type}")
    wanted = [entry.body[name] for name in ("workOrder", "details") if entry.body[name]]
    if folder.exists():
        raise RaffinateError(f"{folder} is there already; name another folder")
    folder.mkdir(parents=True)
    with read_only(data) as connection:
        while wanted:
            digest = wanted.pop(0)
            row = connection.execute(
                "SELECT data, kind FROM documents WHERE sha256 = ?", (digest,)
            ).fetchone()
            if row is None:
                raise RaffinateError(f"{data} has no document {digest}; it was deleted")
            if row[1] == "document":  # a work-order paper, which every bundle has
                name, listed = "work-order.toml", None
            else:
                name, _ = salted.open_salted(row[0])
                listed = salted.listed_files(row[0])
            write_new(folder / f"{digest[:16]}-{name}", row[0])
            click.echo(f"{digest}  {folder / f'{digest[:16]}-{name}'}")
            wanted += [] if listed is None else [item["sha256"] for item in listed["files"]]


def _work_order(config: Config, name: str, equipment: str, kind: str) -> str:
    """SHA-256 of a work-order paper that orders just this. Raises RaffinateError."""
    try:
        holding = find(read_holdings(config.storage.data), "work-order", name)
    except RaffinateError as error:
        raise RaffinateError(f"--work-order {name} is no file, and {error}") from None
    paper = holding.document
    if not isinstance(paper, Paper) or not isinstance(paper.members, WorkOrder):
        raise RaffinateError(f"work-order {name} is not here any more; name another")
    order, serial = paper.members, config.plant.equipment[equipment].serial
    if serial not in order.equipment or order.activity != kind:
        machines = ", ".join(order.equipment)
        raise ConfigError(
            f"work-order {name} orders {order.activity} of {machines}, not {kind} of {serial}; "
            "name the order of this work, or import its next version"
        )
    return holding.row.sha256
