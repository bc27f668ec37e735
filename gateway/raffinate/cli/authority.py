"""`raffinate keys authority`: the authority's key on another machine or a stick; no network."""

from __future__ import annotations

from pathlib import Path

import click

from raffinate.cli.common import (
    ask_passphrase,
    new_passphrase,
    now_ms,
    read_file,
    write_new,
)
from raffinate.cli.group import Group
from raffinate.errors import RaffinateError
from raffinate.evidence.authority import PUBLIC, make_authority, open_authority
from raffinate.evidence.orders import FILE_BYTES_MAX, describe, read_request, rotation

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_PLAIN = click.option(
    "--plain", is_flag=True, help="No passphrase: who can read the file can sign."
)


@click.group(cls=Group)
def authority() -> None:
    """Make and use the authority's key apart from the plant: its statements travel as files."""


@authority.command()
@click.argument("folder", type=_FOLDER)
@click.option("--origin", required=True, metavar="DOMAIN/raffinate/SITE", help="The log's name.")
@_PLAIN
def init(folder: Path, origin: str, plain: bool) -> None:
    """Make the authority's key for one log in FOLDER, on this machine or a stick.

    The passphrase is asked for, or taken from RAFFINATE_PASSPHRASE_FILE or RAFFINATE_PASSPHRASE.
    Take FOLDER/authority.json to the plant: `raffinate keys init --authority authority.json`.
    """
    passphrase = None if plain else new_passphrase(folder / "authority.key")
    make_authority(folder, origin, passphrase)
    how = "not encrypted" if plain else "encrypted"
    click.echo(f"{folder / 'authority.key'} ({how}) signs for {origin}; it stays with you")
    click.echo(f"take {folder / PUBLIC} to the plant and to your auditors")


@authority.command()
@click.argument("request", type=_FILE)
@click.argument("signed", type=_FILE)
@click.option("--folder", type=_FOLDER, required=True, help="The authority's folder.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def sign(request: Path, signed: Path, folder: Path, yes: bool) -> None:
    """Sign what the file REQUEST of the plant asks for, into the new file SIGNED.

    Each order is shown in words first. Compare an enrolment's code with the one that was read from
    the board: it came to you by another way than REQUEST.
    """
    origin, orders = read_request(read_file(request, FILE_BYTES_MAX))
    if signed.exists():
        raise RaffinateError(f"{signed} is there already; name another file")
    click.echo(f"for the log {origin}:")
    for order in orders:
        click.echo(f"- {describe(order)}")
    if not yes:
        click.confirm("sign this?", abort=True, err=True)
    with open_authority(folder, ask_passphrase) as pen:
        if pen.origin != origin:
            raise RaffinateError(f"{folder} signs for {pen.origin}, the request is of {origin}")
        lines = [order.sign(pen, now_ms()) + b"\n" for order in orders]
        write_new(signed, b"".join(lines))
    click.echo(f"{signed}: take it to the plant, then `raffinate keys submit {signed.name}`")


@authority.command()
@click.argument("folder", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.argument("signed", type=_FILE)
@_PLAIN
def rotate(folder: Path, new: Path, signed: Path, plain: bool) -> None:
    """Make another authority key in the folder NEW, and sign with FOLDER's that it follows.

    The file SIGNED goes to the plant (`raffinate keys submit`); from its log entry on only NEW's
    key counts. FOLDER may be the plant's keys folder: so the authority's key leaves the plant.
    Auditors go on with the key that they have: the log leads from it to the new one.
    """
    if signed.exists():
        raise RaffinateError(f"{signed} is there already; name another file")
    with open_authority(folder, ask_passphrase) as pen:
        passphrase = None if plain else new_passphrase(new / "authority.key")
        spki = make_authority(new, pen.origin, passphrase)
        order = rotation(spki)
        write_new(signed, order.sign(pen, now_ms()) + b"\n")
    click.echo(f"- {describe(order)}")
    click.echo(f"{signed}: take it to the plant, then `raffinate keys submit {signed.name}`")
