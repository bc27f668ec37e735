"""`raffinate registry`: licences, papers, regimes and parties of a plant, each version once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raffinate.cli.common import JSON, PLANT, WAIT, now_ms, write_new
from raffinate.cli.group import Group
from raffinate.cli.registry_hold import hold
from raffinate.cli.registry_import import ACTOR, attach, convert, import_
from raffinate.config import load_config
from raffinate.errors import RaffinateError
from raffinate.evidence import salted
from raffinate.evidence.handover import read_only
from raffinate.evidence.petition import ask_gateway, operator
from raffinate.evidence.register import ATTACHMENT, HOLD
from raffinate.licence.regime import Regime
from raffinate.licence.registrar import Registrar
from raffinate.licence.shipped import shipped_regimes
from raffinate.registry.holdings import find, read_holdings
from raffinate.registry.names import suggest
from raffinate.registry.shown import day, document_json, names_of, newest, row_json, title, visible

if TYPE_CHECKING:
    from raffinate.registry.holdings import Holding


_HEADS = ("KIND", "ID", "VERSION", "STATE", "ENTRY", "SIGNED", "SHA-256", "")


@click.group(cls=Group)
def registry() -> None:
    """Licences, papers, parties and regimes: import, list, hold, and delete when it is time."""


for _command in (import_, attach, convert, hold):
    registry.add_command(_command)


@registry.command("list")
@click.argument("kind", required=False)
@click.option("--all", "everything", is_flag=True, help="Earlier versions and deleted ones too.")
@PLANT
@JSON
def list_(kind: str | None, everything: bool, plant: Path, as_json: bool) -> None:
    """List what the registry has, or one KIND of it: the newest version of each."""
    holdings = read_holdings(load_config(plant).storage.data)
    found = holdings if everything else newest(holdings)
    found = [item for item in found if kind in (None, item.row.kind)]
    if as_json:
        click.echo(json.dumps([row_json(item) for item in found], ensure_ascii=False))
        return
    if not found:
        kinds = ", ".join(sorted({item.row.kind for item in holdings})) or "nothing yet"
        click.echo(f"none; the registry has: {kinds}", err=True)
        return
    rows: list[tuple[str, ...]] = [_HEADS]
    rows += [_row(item) for item in found]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())


@registry.command()
@click.argument("kind")
@click.argument("name", metavar="ID")
@click.option("--version", type=click.IntRange(1), help="Another than the newest.")
@PLANT
@JSON
def show(kind: str, name: str, version: int | None, plant: Path, as_json: bool) -> None:
    """Show one document: its place in the log, then its exact text."""
    item = find(read_holdings(load_config(plant).storage.data), kind, name, version)
    if as_json:
        click.echo(json.dumps(document_json(item), ensure_ascii=False))
        return
    row = item.row
    where = "no log entry" if row.index < 0 else f"log entry {row.index}, {day(row.time_ms)}"
    click.echo(f"# {row.kind} {row.name} version {item.version}: {row.state}, {where}")
    click.echo(f"# SHA-256 {row.sha256}")
    if row.replaces is not None:
        click.echo(f"# replaces {row.replaces}")
    signed = "an issuer's signature is kept with it" if item.signed else "no signature is kept"
    click.echo(f"# {signed}; whether it counts, the auditor's policy says")
    if item.data is None:
        click.echo(
            "# its bytes are not here: it was deleted"
            if row.state == "deleted"
            else "# its bytes are salted and stay here: `raffinate registry disclose`"
        )
    else:
        text = item.data.decode()
        click.echo(visible(text) if sys.stdout.isatty() else text, nl=False)


@registry.command()
@click.argument("name")
@PLANT
@JSON
def resolve(name: str, plant: Path, as_json: bool) -> None:
    """Suggest which known parties NAME may be, with scores; nothing is merged.

    Compared are the names and aliases of party papers, of screenings, and of regimes in use. Who
    it is a person decides, and writes the party's id into the paper.
    """
    holdings = read_holdings(load_config(plant).storage.data)
    imported = [item.document for item in newest(holdings) if isinstance(item.document, Regime)]
    ids = {regime.id for regime in imported}
    shipped = [regime for regime in shipped_regimes() if regime.id not in ids]
    found = suggest(name, names_of(holdings, [*imported, *shipped]))
    if as_json:
        rows = [
            {"score": item.score, "name": item.name.text, "party": item.name.party,
             "what": item.name.what}
            for item in found
        ]  # fmt: skip
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for item in found:
        click.echo(f"{item.score:3}  {item.name.party}  {item.name.text}  ({item.name.what})")
    if not found:
        click.echo("no party has a name like it", err=True)
    else:
        click.echo("suggestions only; compare country, address and registration yourself", err=True)


@registry.command()
@click.argument("kind")
@click.argument("name", metavar="ID")
@click.option("--version", type=click.IntRange(1), help="Another than the newest.")
@click.option("--dry-run", is_flag=True, help="Say until when it is kept, delete nothing.")
@ACTOR
@PLANT
@WAIT
@JSON
def delete(
    kind: str,
    name: str,
    version: int | None,
    dry_run: bool,
    actor: str,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """Delete one version's bytes, once every rule lets it go; that it was there stays in the log.

    Refused while a hold is in force, and before the end of retention: the latest of the events
    that the regimes in use list, and their years.
    """
    storage = load_config(plant).storage
    holdings = read_holdings(storage.data)
    item = find(holdings, kind, name, version)
    if dry_run:
        rule = _kept_because(item, holdings)
        click.echo(json.dumps({"rule": rule}) if as_json else rule)
        return
    body = {"action": "delete", "sha256": item.row.sha256}
    said = ask_gateway(
        storage.keys, storage.data, "document", operator(actor), body, [], wait_s, now_ms()
    )
    done = f"{kind} {name} version {item.version} deleted: log entry {said['index']}"
    click.echo(json.dumps(said) if as_json else f"{done} ({said['rule']})")


@registry.command()
@click.argument("kind", type=click.Choice((ATTACHMENT, HOLD)))
@click.argument("name", metavar="ID")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--version", type=click.IntRange(1), help="Another than the newest.")
@PLANT
def disclose(kind: str, name: str, folder: Path, version: int | None, plant: Path) -> None:
    """Write an attachment, or a hold's reason, as it was salted into the new folder FOLDER.

    The SHA-256 of each written file is the digest in the log, or in details.json. Who has them can
    show them to others.
    """
    data = load_config(plant).storage.data
    item = find(read_holdings(data), kind, name, version)
    if folder.exists():
        raise RaffinateError(f"{folder} is there already; name another folder")
    folder.mkdir(parents=True)
    wanted = [item.row.sha256]
    with read_only(data) as connection:
        while wanted:
            digest = wanted.pop(0)
            row = connection.execute(
                "SELECT data FROM documents WHERE sha256 = ?", (digest,)
            ).fetchone()
            if row is None:
                raise RaffinateError(f"{data} has no document {digest}; it was deleted")
            target = folder / f"{digest[:16]}-{salted.open_salted(row[0])[0]}"
            write_new(target, row[0])
            click.echo(f"{digest}  {target}")
            listed = salted.listed_files(row[0])
            wanted += [] if listed is None else [file["sha256"] for file in listed["files"]]


def _kept_because(item: Holding, holdings: list[Holding]) -> str:
    """What the gateway will say to a deletion, as far as the database tells."""
    holds = [held.row.name for held in holdings if held.row.state == "held"]
    if holds:
        return f"it stays: in force is the hold {', '.join(holds)}"
    kept = {
        kind: [held.data for held in holdings if held.row.kind == kind and held.data is not None]
        for kind in ("licence", "regime")
    }
    until_ms, rule = Registrar(shipped_regimes()).kept_until(
        item.data or b"", item.row.time_ms, kept["licence"], kept["regime"]
    )
    if until_ms is not None and now_ms() >= until_ms:
        return f"it may be deleted: {rule}"
    return f"it stays: {rule}"


def _row(item: Holding) -> tuple[str, ...]:
    row = item.row
    return (
        row.kind,
        row.name,
        str(item.version),
        row.state,
        "-" if row.index < 0 else str(row.index),
        "yes" if item.signed else "no",
        row.sha256[:12],
        title(item),
    )
