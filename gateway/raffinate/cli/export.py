"""`raffinate export`: samples as CSV, from the archive of frames."""

from __future__ import annotations

import csv
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from raffinate.archive import FrameArchive
from raffinate.config import load_config
from raffinate.errors import RaffinateError
from raffinate.ingest.validate import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.config import Config

FRAMES_PER_READ = 500
HEADER = ("time", "point", "value", "unit", "quality")


class _Instant(click.ParamType[int]):
    """An RFC 3339 time; without a zone it is taken as UTC. Its value is UTC milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write it as 2026-11-22T15:00:00Z", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


@click.command()
@click.option("--from", "from_ms", type=_Instant(), required=True, help="First instant, RFC 3339.")
@click.option("--to", "to_ms", type=_Instant(), required=True, help="End, itself left out.")
@click.option(
    "--point", "points", multiple=True, metavar="STAGE/POINT", help="Only this; repeatable."
)
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; without it, standard output.",
)
def export(
    from_ms: int, to_ms: int, points: tuple[str, ...], plant: Path, output: Path | None
) -> None:
    """Write samples as CSV: time, point, value, unit, quality.

    Times are UTC, values and units those of the wire, `quality` is good or a NAMUR NE 107 letter
    with its reason (then there is no value). Rows stand in the order in which the gateway archived
    them: what a node sent late stands late. May run beside the gateway.
    """
    config = load_config(plant)
    if to_ms <= from_ms:
        raise click.BadParameter("must be later than --from", param_hint="--to")
    for point in points:
        if point not in config.plant.points:
            raise click.BadParameter(f"{plant} has no point {point}", param_hint="--point")
    wanted = frozenset(points)
    rows = 0
    with closing(_open(config)) as archive, _sink(output) as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(HEADER)
        for row in _rows(config, archive, from_ms, to_ms, wanted):
            writer.writerow(row)
            rows += 1
    click.echo(f"{rows} rows", err=True)


def _open(config: Config) -> FrameArchive:
    storage = config.storage
    path = storage.data / "archive.sqlite"
    if not path.exists():
        raise RaffinateError(f"{path} is not there: no gateway has run on {config.file} yet")
    return FrameArchive(
        path,
        FrameReader().read,
        bytes_max=storage.archive_bytes_max,
        quarantine_bytes_max=storage.quarantine_bytes_max,
    )


def _sink(output: Path | None) -> AbstractContextManager[IO[str]]:
    if output is None:
        return nullcontext(sys.stdout)
    try:
        return output.open("x", encoding="utf-8", newline="")
    except FileExistsError as error:
        raise RaffinateError(f"{output} exists; choose another name") from error
    except OSError as error:
        raise RaffinateError(f"{output} cannot be written: {error.strerror}") from error


def _rows(
    config: Config, archive: FrameArchive, from_ms: int, to_ms: int, wanted: frozenset[str]
) -> Iterator[tuple[str, str, str, str, str]]:
    units = {point.id: point.unit for point in config.plant.points.values()}
    last = archive.last_position()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("frames", total=last)
        position = 0
        while position < last and (frames := archive.read(position, FRAMES_PER_READ)):
            for stored in frames:
                for scan in stored.frame.scans:
                    if not from_ms <= scan.time_ms < to_ms:
                        continue
                    time = _format(scan.time_ms)
                    for name, value, quality in scan.values:
                        if not wanted or name in wanted:
                            text = "" if value is None else repr(value)
                            yield time, name, text, units.get(name, ""), quality
            position = frames[-1].position
            progress.update(bar, completed=position)


def _format(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
