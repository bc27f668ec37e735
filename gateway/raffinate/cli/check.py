"""`raffinate check`: what is wrong with a plant folder, without touching it."""

from __future__ import annotations

import json
import os
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
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def check(plant: Path, as_json: bool) -> None:
    """Read plant.toml, its descriptors and folders; name every problem with file, line and remedy.

    Exit status 0 when the gateway could start as far as these are concerned, 2 when not.
    """
    config = load_config(plant)
    storage = config.storage
    notes = []
    for name, folder in (("data", storage.data), ("keys", storage.keys)):
        if not folder.exists():
            notes.append(f"{folder} ({name}) is not there yet: `raffinate keys init` makes it")
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            notes.append(f"{folder} ({name}) cannot be written by this user")
    if not config.licences.is_dir() or not any(config.licences.glob("*.toml")):
        notes.append(f"no licence in {config.licences}: no equipment will get a permit")
    found = config.plant
    counts = {
        "site": found.site,
        "sections": len(found.sections),
        "stages": len(found.stages),
        "points": len(found.points),
        "nodes": len(found.nodes),
        "equipment": len(found.equipment),
    }
    if as_json:
        click.echo(json.dumps({"file": str(config.file), **counts, "notes": notes}))
        return
    summary = ", ".join(f"{count} {name}" for name, count in counts.items() if name != "site")
    click.echo(f"{config.file}: in order. Site {found.site}: {summary}")
    for note in notes:
        click.echo(f"note: {note}")
