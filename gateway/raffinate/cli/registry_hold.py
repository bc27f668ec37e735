"""`raffinate registry hold`: while one is in force, no document is deleted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from raffinate.cli.common import JSON, PLANT, WAIT, now_ms, read_file
from raffinate.cli.group import Group
from raffinate.cli.registry_import import ACTOR
from raffinate.config import load_config
from raffinate.evidence import salted
from raffinate.evidence.petition import ask_gateway, operator
from raffinate.evidence.register import HOLD
from raffinate.registry.holdings import read_holdings
from raffinate.registry.shown import day, row_json


@click.group(cls=Group)
def hold() -> None:
    """Legal holds and authorities' requests: while one is in force, nothing is deleted."""


@hold.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; stays outside the log.")
@click.option(
    "--file",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="The order or letter; stays outside the log.",
)
@ACTOR
@PLANT
@WAIT
@JSON
def add(
    name: str,
    reason: str,
    files: tuple[Path, ...],
    actor: str,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """Put the hold NAME on every document, those to come too; the reason stays outside the log."""
    read = [(path.name, read_file(path, salted.DOCUMENT_BYTES_MAX)) for path in files]
    digest, documents = salted.details("", reason, read, os.urandom)
    body = {"action": "hold", "name": name, "reason": digest}
    storage = load_config(plant).storage
    said = ask_gateway(
        storage.keys,
        storage.data,
        "document",
        operator(actor),
        body,
        documents,
        wait_s,
        now_ms(),
    )
    click.echo(
        json.dumps(said) if as_json else f"hold {name} is in force: log entry {said['index']}"
    )


@hold.command()
@click.argument("name")
@ACTOR
@PLANT
@WAIT
@JSON
def release(name: str, actor: str, plant: Path, wait_s: float, as_json: bool) -> None:
    """Release the hold NAME; others stay."""
    storage = load_config(plant).storage
    body = {"action": "release", "name": name}
    said = ask_gateway(
        storage.keys, storage.data, "document", operator(actor), body, [], wait_s, now_ms()
    )
    click.echo(
        json.dumps(said) if as_json else f"hold {name} is released: log entry {said['index']}"
    )


@hold.command("list")
@PLANT
@JSON
def list_(plant: Path, as_json: bool) -> None:
    """List holds, released ones too."""
    holdings = read_holdings(load_config(plant).storage.data)
    found = [item for item in holdings if item.row.kind == HOLD]
    if as_json:
        click.echo(json.dumps([row_json(item) for item in found]))
        return
    for item in found:
        row = item.row
        state = "in force" if row.state == "held" else f"released by entry {row.changed}"
        click.echo(f"{row.name}: {state}; put by entry {row.index}, {day(row.time_ms)}")
    if not found:
        click.echo("no hold", err=True)
