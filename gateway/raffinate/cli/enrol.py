"""`raffinate node enrol`: the authority admits a board's key."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence.enrolment import enrol as sign_and_await


@click.command()
@click.argument("node")
@click.argument("code")
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="Seconds to wait for the board's key, and for the gateway's answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def enrol(node: str, code: str, plant: Path, wait_s: float, as_json: bool) -> None:
    """Enrol the key that NODE waits with, if CODE is the one its board shows.

    CODE is XXXX-XXXX-XXXX-XXXX, read from the board's own console or label, never from the
    gateway. Needs the authority's key and a running gateway.
    """
    config = load_config(plant)
    if node not in config.plant.nodes:
        names = ", ".join(config.plant.nodes)
        raise ConfigError(f"{plant} has no node {node}; its nodes are {names}")
    storage = config.storage
    now_ms = time.time_ns() // 1_000_000
    found = sign_and_await(storage.keys, storage.data, node, code, wait_s, now_ms)
    if as_json:
        click.echo(
            json.dumps(
                {"node": node, "keyid": found.keyid, "index": found.index, "anew": found.anew}
            )
        )
        return
    word = "enrolled" if found.anew else "was enrolled already"
    click.echo(f"{node} {word}: key {found.keyid[:16]}, log entry {found.index}")
