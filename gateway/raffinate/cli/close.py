"""`raffinate audit close`: a period of the log, with hour meters as read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from raffinate.audit.command import time_ms
from raffinate.cli.common import JSON, PLANT, WAIT, now_ms
from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence.petition import ask_gateway, operator

if TYPE_CHECKING:
    from pathlib import Path

MINUTES_MAX = 1 << 40


@click.command()
@click.option("--from", "start", metavar="TIME", help="Begin; the default is the close before.")
@click.option("--to", "end", metavar="TIME", help="End; the default is now.")
@click.option(
    "--hour-meter",
    "meters",
    multiple=True,
    metavar="EQUIPMENT=MINUTES",
    help="The machine's own hour meter as read, in minutes.",
)
@click.option("--as", "actor", default="operator", help="Pseudonym of who gives this command.")
@PLANT
@WAIT
@JSON
def close(
    start: str | None,
    end: str | None,
    meters: tuple[str, ...],
    actor: str,
    plant: Path,
    wait_s: float,
    as_json: bool,
) -> None:
    """State a period-close: everything logged since the one before, node by node.

    The gateway states first and last number, head, register deltas and gaps of each node, and what
    came late. An auditor recomputes all but the hour meters, which he compares with the registers.
    """
    config = load_config(plant)
    minutes = dict(_meter(text, config.plant.equipment) for text in meters)
    body = {
        "fromMs": time_ms("--from", start),
        "toMs": time_ms("--to", end),
        "hourMeters": minutes,
    }
    storage = config.storage
    said = ask_gateway(
        storage.keys, storage.data, "close", operator(actor), body, (), wait_s, now_ms()
    )
    text = f"entries {said['from']} to {said['to'] - 1} closed: log entries {said['indices']}"
    click.echo(json.dumps(said) if as_json else text)


def _meter(text: str, equipment: object) -> tuple[str, int]:
    name, mark, value = text.partition("=")
    if not mark or not value.isascii() or not value.isdigit() or int(value) > MINUTES_MAX:
        raise ConfigError(f"--hour-meter {text}: write it as EQUIPMENT=MINUTES")
    if isinstance(equipment, dict) and name not in equipment:
        raise ConfigError(f"--hour-meter {text}: there is no equipment {name}")
    return name, int(value)
