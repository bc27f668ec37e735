"""`raffinate node config`: the file a board is given."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from raffinate.config import format_node_config, load_config, node_config
from raffinate.errors import ConfigError, RaffinateError
from raffinate.keys import load_public


@click.command()
@click.argument("node")
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where to; the default is NODE.json beside plant.toml, - is standard output.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def config(node: str, plant: Path, output: Path | None, force: bool) -> None:
    """Write node.json for NODE from plant.toml and the site's public keys.

    It pins site, node, log and the public keys, and holds the broker's password if there is one:
    load it over the board's own console, not over the network.
    """
    found = load_config(plant)
    public = load_public(found.storage.keys)
    keys = public["keys"]
    if not isinstance(keys, dict):
        raise ConfigError(f"{found.storage.keys / 'public.json'} is not what keys init writes")
    data = format_node_config(node_config(found, node, str(public["origin"]), keys))
    if output is not None and str(output) == "-":
        sys.stdout.buffer.write(data)
        return
    file = output or found.folder / f"{node}.json"
    if file.exists() and not force:
        raise RaffinateError(f"{file} exists; give --force to replace it, or another --output")
    try:
        file.write_bytes(data)
        file.chmod(0o600)
    except OSError as exc:
        raise RaffinateError(f"{file} cannot be written: {exc.strerror}") from exc
    click.echo(file)
