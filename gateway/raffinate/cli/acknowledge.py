"""`raffinate licence acknowledge`: an operator takes note of a machine's state, in the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from raffinate.cli.common import JSON, PLANT, WAIT, now_ms
from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence import petition
from raffinate.evidence.acknowledging import STATES

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("equipment")
@click.option("--state", required=True, type=click.Choice(STATES), help="What is taken note of.")
@click.option("--actor", default="operator", show_default=True, help="Pseudonym of who takes note.")
@PLANT
@WAIT
@JSON
def acknowledge(
    equipment: str, state: str, actor: str, plant: Path, wait_s: float, as_json: bool
) -> None:
    """State that an operator took note of a state of EQUIPMENT.

    Of its grace, of a request to stop it in good order, of its licence's conditions or of its
    bypass. The running gateway makes the paper, signs what it states and logs it. Nothing else
    changes: no permit is longer for it, and no machine stops.
    """
    config = load_config(plant)
    if equipment not in config.plant.equipment:
        names = ", ".join(config.plant.equipment) or "none"
        raise ConfigError(f"{plant} has no equipment {equipment}; there is {names}")
    storage = config.storage
    who = petition.operator(actor)
    said = petition.acknowledge(storage.keys, storage.data, equipment, state, who, wait_s, now_ms())
    text = f"{state} of {equipment} acknowledged by {actor}: log entry {said['index']}"
    click.echo(json.dumps(said) if as_json else text)
