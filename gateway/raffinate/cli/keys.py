"""`raffinate keys`: the keys of a site, and the log that begins with them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence.begin import begin
from raffinate.keys import load_public


@click.group()
def keys() -> None:
    """Make the site's keys and start its log."""


@keys.command()
@click.option(
    "--origin",
    required=True,
    metavar="DOMAIN/raffinate/SITE",
    help="Name of the site's log, for good: a domain that is yours, then /raffinate/ and the site.",
)
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration; says where keys and data go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the public keys as JSON.")
def init(origin: str, plant: Path, as_json: bool) -> None:
    """Make authority, gateway, permit and log keys, and start the log.

    Nothing is ever overwritten. The first two entries of the log are the authority's enrolments of
    the gateway's statement key and of its permit key. Keep the authority key apart from the
    gateway as soon as the nodes are enrolled.
    """
    config = load_config(plant)
    site = config.plant.site
    if origin.rsplit("/", 1)[-1] != site:
        raise ConfigError(f"--origin {origin}: it must end in /{site}, the site of {plant}")
    storage = config.storage
    begin(storage.keys, storage.data, origin, time.time_ns() // 1_000_000)
    public = load_public(storage.keys)
    if as_json:
        click.echo(json.dumps(public))
        return
    click.echo(f"keys in {storage.keys} (mode 0600), log {origin} started in {storage.data}")
    click.echo(f"public keys for nodes and auditors: {storage.keys / 'public.json'}")
