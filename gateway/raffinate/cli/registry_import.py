"""`raffinate registry import`, `attach`, `convert`: documents into the registry."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raffinate.cli.common import JSON, PLANT, WAIT, now_ms, read_file, write_new
from raffinate.config import load_config
from raffinate.errors import RaffinateError, printable
from raffinate.evidence import salted
from raffinate.evidence.petition import ask_gateway, operator
from raffinate.registry import importing, sources
from raffinate.registry.holdings import read_holdings
from raffinate.registry.json_toml import JSON_BYTES_MAX, json_to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.config import Config
    from raffinate.registry.sources import Source

FILES = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(path_type=Path, dir_okay=False),
)
ACTOR = click.option("--as", "actor", default="operator", help="Pseudonym of who gives this.")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import")
@FILES
@click.option("--dry-run", is_flag=True, help="Check everything, take nothing.")
@ACTOR
@PLANT
@WAIT
@JSON
def import_(
    files: tuple[Path, ...],
    dry_run: bool,
    actor: str,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """Take licences, papers and regimes into the registry, all of the files or none.

    TOML files; JSON is turned into TOML, whose bytes then count. A signature is taken from
    <sha256>.dsse or FILE.dsse beside the file. Every version is stated in the log, through the
    running gateway; what it has already is not stated again. A licence then counts as one in the
    plant's licences folder does.
    """
    import_files(files, load_config(plant), actor, wait_s, dry_run=dry_run, as_json=as_json)


def import_files(
    files: Sequence[Path],
    config: Config,
    actor: str,
    wait_s: float,
    *,
    dry_run: bool,
    as_json: bool,
    only: str | None = None,
) -> None:
    """Check and hand in; `only` is the one kind that is taken. Raises RaffinateError."""
    storage = config.storage
    found = sources.load(files, now_ms())
    for source in found:
        if only is not None and source.listed.kind != only:
            raise RaffinateError(
                f"{source.file} is a {source.listed.kind}, no {only}; give it to "
                "`raffinate registry import`"
            )
        if source.converted:
            click.echo(f"{source.file}: JSON; kept as TOML, SHA-256 {source.sha256}", err=True)
    holdings = read_holdings(storage.data)
    importing.check(found, holdings)
    for note in importing.dangling(found, holdings):
        click.echo(f"note: {note}", err=True)
    if dry_run:
        _tell_dry(found, as_json)
        return
    body, documents = importing.request_of(found)
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
    if as_json:
        click.echo(json.dumps(said))
        return
    for row in said["documents"]:
        place = "known already" if row["index"] is None else f"log entry {row['index']}"
        again = ", which it had before" if row["known"] and row["index"] is not None else ""
        click.echo(
            f"{row['kind']} {row['name']} version {row['version']}: {place}{again}  {row['sha256']}"
        )
    if said["signatures"]:
        click.echo(f"{said['signatures']} signature(s) kept beside them")


@click.command()
@click.argument("name")
@click.argument("file", type=_FILE)
@ACTOR
@PLANT
@WAIT
@JSON
def attach(name: str, file: Path, actor: str, plant: Path, wait_s: float, as_json: bool) -> None:
    """Keep any file as the attachment NAME; the log has only its salted digest.

    The digest that is printed may stand in a paper under [[attachments]]. Given again under the
    same NAME another file is the next version; the one before stays. It is in no bundle:
    `raffinate registry disclose` gives it to an auditor.
    """
    storage = load_config(plant).storage
    data = read_file(file, salted.DOCUMENT_BYTES_MAX)
    digest, document = salted.salt(file.name, data, os.urandom)
    body = {"action": "add", "items": [{"as": "attachment", "sha256": digest, "name": name}]}
    said = ask_gateway(
        storage.keys,
        storage.data,
        "document",
        operator(actor),
        body,
        [document],
        wait_s,
        now_ms(),
    )
    row = said["documents"][0]
    if as_json:
        click.echo(json.dumps(row))
    else:
        click.echo(f"attachment {name} version {row['version']}: log entry {row['index']}")
        click.echo(f'sha256 = "{digest}"')


@click.command()
@click.argument("file", type=_FILE)
@click.argument("target", type=_FILE)
def convert(file: Path, target: Path) -> None:
    """Write the JSON document FILE as TOML into the new file TARGET, as an import keeps it.

    Sign TARGET: its bytes are what counts.
    """
    data = json_to_toml(printable(str(file)), read_file(file, JSON_BYTES_MAX))
    write_new(target, data)
    source = sources.load([target], now_ms())[0]
    kind, name, version, _ = source.listed
    click.echo(f"{source.file}: {kind} {name} version {version}, SHA-256 {source.sha256}")


def _tell_dry(found: Sequence[Source], as_json: bool) -> None:
    rows = [
        {**dict(zip(("kind", "name", "version", "replaces"), source.listed, strict=True)),
         "sha256": source.sha256, "signed": source.signature is not None}
        for source in found
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps({"documents": rows, "dryRun": True}))
        return
    for row in rows:
        signed = "signed" if row["signed"] else "not signed"
        click.echo(
            f"{row['kind']} {row['name']} version {row['version']}: good, {signed}  {row['sha256']}"
        )
    click.echo("nothing was taken (--dry-run)")
