"""`raffinate init`: a plant folder to start from."""

from __future__ import annotations

from pathlib import Path

import click

from raffinate.config.template import write_template


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Page."
)
@click.option(
    "--broker-port", default=1883, show_default=True, type=click.IntRange(1, 65535), help="MQTT."
)
def init(folder: Path, port: int, broker_port: int) -> None:
    """Write a commented plant.toml for a 16-stage La/Nd cascade into FOLDER.

    Nothing is overwritten. Edit it, then run `raffinate check`.
    """
    for file in write_template(folder, listen_port=port, broker_port=broker_port):
        click.echo(file)
    plant = folder / "plant.toml"
    click.echo(
        f"next: edit {plant}, `raffinate check --plant {plant}`, then `raffinate keys init`",
        err=True,
    )
