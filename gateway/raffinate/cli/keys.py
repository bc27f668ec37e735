"""`raffinate keys`: the keys of a site, the log that begins with them, and its roster."""

from __future__ import annotations

import json
from pathlib import Path

import click

from raffinate.cli import roster
from raffinate.cli.authority import authority
from raffinate.cli.common import PLANT, ask_passphrase, new_passphrase, now_ms, read_file
from raffinate.cli.group import Group
from raffinate.config import load_config
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence.authority import read_public_file
from raffinate.evidence.begin import begin, begin_signed, request_begin
from raffinate.evidence.orders import FILE_BYTES_MAX
from raffinate.keyfile import change_passphrase
from raffinate.keys import load_public
from raffinate.tlog.publish import replace_file

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Group)
def keys() -> None:
    """Make the site's keys, start its log, and say which keys count."""


for _command in (
    roster.list_keys,
    roster.enrol,
    roster.rotate,
    roster.revoke,
    roster.retire,
    roster.submit,
    authority,
):
    keys.add_command(_command)


@keys.command()
@click.option(
    "--origin",
    metavar="DOMAIN/raffinate/SITE",
    help="Name of the site's log, for good: a domain that is yours, then /raffinate/ and the site.",
)
@click.option(
    "--authority",
    "public",
    type=_FILE,
    metavar="FILE",
    help="authority.json of an authority elsewhere; it names the origin too.",
)
@click.option("--signed", type=_FILE, help="What that authority signed for begin.request.json.")
@PLANT
@click.option("--json", "as_json", is_flag=True, help="Print the public keys as JSON.")
def init(
    origin: str | None, public: Path | None, signed: Path | None, plant: Path, as_json: bool
) -> None:
    """Make authority, gateway, permit and log keys, and start the log.

    Nothing is ever overwritten. The first two entries of the log are the authority's enrolments of
    the gateway's statement key and of its permit key. With --authority the authority's key is not
    made here: the first run makes the other keys and begin.request.json, the second one, with what
    was signed, starts the log.
    """
    config = load_config(plant)
    site, storage = config.plant.site, config.storage
    spki = None
    if public is not None:
        named, spki = read_public_file(public)
        if origin not in (None, named):
            raise ConfigError(f"--origin {origin}: {public} is for {named}")
        origin = named
    if origin is None:
        raise click.UsageError("give --origin, or --authority")
    if origin.rsplit("/", 1)[-1] != site:
        raise ConfigError(f"--origin {origin}: it must end in /{site}, the site of {plant}")
    if spki is not None and signed is None:
        request = storage.keys / "begin.request.json"
        replace_file(request, request_begin(storage.keys, storage.data, origin, spki))
        click.echo(f"keys in {storage.keys} (mode 0600); the log is not started yet")
        click.echo(
            f"next, where the authority's key is: raffinate keys authority sign {request} SIGNED "
            f"--folder AUTHORITY; then here: raffinate keys init --authority {public} "
            "--signed SIGNED"
        )
        return
    if signed is not None:
        if spki is None:
            raise click.UsageError("--signed goes with --authority")
        begin_signed(storage.keys, storage.data, read_file(signed, FILE_BYTES_MAX), now_ms())
    else:
        begin(storage.keys, storage.data, origin, now_ms())
    if as_json:
        click.echo(json.dumps(load_public(storage.keys)))
        return
    click.echo(f"keys in {storage.keys} (mode 0600), log {origin} started in {storage.data}")
    click.echo(f"public keys for nodes and auditors: {storage.keys / 'public.json'}")


@keys.command()
@click.argument("key", type=_FILE)
@click.option("--remove", is_flag=True, help="Store it without a passphrase, mode 0600.")
def passphrase(key: Path, remove: bool) -> None:
    """Give the private key in the file KEY a passphrase, another one, or none.

    The gateway reads the passphrase of its own keys at each start from RAFFINATE_PASSPHRASE_FILE
    or RAFFINATE_PASSPHRASE.
    """
    if not key.name.endswith(".key"):
        raise RaffinateError(f"{key} is no key's file: its name ends in .key")
    new = None if remove else new_passphrase(key)
    change_passphrase(key, new, ask_passphrase)
    click.echo(f"{key}: {'no passphrase' if remove else 'encrypted'}")
