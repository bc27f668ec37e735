"""`raffinate gateway`: run the gateway."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from raffinate.config import load_config


@click.command()
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
@click.option(
    "--refill-influx",
    is_flag=True,
    help="Write the whole archive to InfluxDB again.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def gateway(plant: Path, refill_influx: bool, verbose: bool) -> None:
    """Take data from the broker, archive it, serve API and page; until Ctrl-C.

    Prints one line with the page's address when it serves. Needs `raffinate keys init` before.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if not verbose:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # one line an exchange else
    config = load_config(plant)
    from raffinate.app import Gateway  # noqa: PLC0415 - slow to import, not needed for an error

    Gateway(config, refill_influx=refill_influx).run(
        lambda url: click.echo(f"gateway of {config.plant.site}: {url}")
    )
