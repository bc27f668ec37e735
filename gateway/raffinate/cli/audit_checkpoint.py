"""`raffinate audit checkpoint`: the log's head for a witness or an auditor to keep, by hand."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raffinate.anchors import open_published
from raffinate.anchors.qr import as_svg, as_text
from raffinate.config import load_config
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence.anchoring import FILE_BYTES_MAX, FILE_SUFFIX
from raffinate.evidence.handover import check_running, hand_over, read_only
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from raffinate.config import Config

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
@click.option("--qr", is_flag=True, help="Show it as a QR code in the terminal.")
@click.option("--svg", type=_FILE, help="Write the QR code as an SVG file.")
@click.option("--request", type=_FILE, help="Write a request for `raffinate witness cosign`.")
@click.option("--witness", help="Name of the witness it is for, if plant.toml has several.")
@click.option("--old", type=click.IntRange(0), help="Size that the witness has, if it says so.")
@click.option("--answer", type=_FILE, help="Hand the witness's answer to the running gateway.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="Seconds to wait for the gateway, with --answer.",
)
def checkpoint(
    plant: Path,
    qr: bool,
    svg: Path | None,
    request: Path | None,
    witness: str | None,
    old: int | None,
    answer: Path | None,
    wait_s: float,
) -> None:
    """Print the log's newest checkpoint, or exchange it with a witness by files.

    A checkpoint kept by someone else (a photograph, a print, a file) later shows whether the log
    was rewritten. All but --answer also works without a running gateway.
    """
    config = load_config(plant)
    if answer is not None:
        _hand_in(config, answer, wait_s)
        return
    published = open_published(config.storage.keys, config.storage.data)
    head = published.head()
    if request is not None:
        name = _witness(config, witness)
        known = _known(config.storage.data, name) if old is None else old
        if known > head.checkpoint.size:
            raise RaffinateError(
                f"witness {name} has size {known}, this log {head.checkpoint.size}: the log was "
                "rolled back; restore the newest evidence database and log folder"
            )
        _write(request, published.request(known, head))
        click.echo(f"{request}: size {known} to {head.checkpoint.size}, for {name}")
    if svg is not None:
        _write(svg, as_svg(head.note))
        click.echo(svg)
    if qr:
        click.echo(as_text(head.note))
    if request is None and svg is None:
        click.echo(head.note.decode(), nl=False)


def _hand_in(config: Config, answer: Path, wait_s: float) -> None:
    try:
        with answer.open("rb") as source:
            data = source.read(FILE_BYTES_MAX)
    except OSError as error:
        raise RaffinateError(f"{answer}: {error.strerror}") from None
    check_running(config.storage.data)
    name = f"checkpoint-{secrets.token_hex(8)}"
    found = hand_over(config.storage.data, name, data, wait_s, suffix=FILE_SUFFIX)
    names: dict[str, Any] = found["witnesses"]
    click.echo(f"size {found['size']} is cosigned by {', '.join(names)}")


def _witness(config: Config, name: str | None) -> str:
    names = [witness.name for witness in config.anchors.witnesses]
    if name is None and len(names) == 1:
        return names[0]
    if name not in names:
        raise ConfigError(
            f"--witness {name or ''}: plant.toml names {', '.join(names) or 'no witness'}"
        )
    return name


def _known(data: Path, name: str) -> int:
    """Size that a witness vouched for last, as the gateway has it; 0 for none."""
    with read_only(data) as connection:
        try:
            row = connection.execute("SELECT size FROM anchors WHERE source = ?", (name,))
            found = row.fetchone()
        except sqlite3.OperationalError:
            return 0  # the gateway has not run since it knows witnesses
    return 0 if found is None else int(found[0])


def _write(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data)
    except OSError as error:
        raise RaffinateError(f"{path}: {error.strerror}") from None
