"""`raffinate audit reconcile`: a store of series held against what the boards wrote."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from raffinate.archive.chunk import with_times
from raffinate.archive.scan import ArchiveScan
from raffinate.audit.bundle import Frames
from raffinate.audit.bundle import export as write_bundle
from raffinate.audit.command import time_ms
from raffinate.audit.export_frames import read_ranges
from raffinate.audit.reconcile import Outcome, Reconciliation
from raffinate.audit.verify import CHECKPOINT
from raffinate.cli.parts import Bar
from raffinate.config import load_config
from raffinate.errors import ConfigError, RaffinateError
from raffinate.ingest.validate import FrameReader
from raffinate.series.influx import InfluxReader
from raffinate.series.projector import INFLUX_CURSOR
from raffinate.series.stored import Stored, StoredEmbedded, StoredInflux
from raffinate.tlog.checkpoint import parse_checkpoint
from raffinate.tlog.note import NoteError, parse_note

if TYPE_CHECKING:
    from raffinate.audit.reconcile import Difference
    from raffinate.config import Config


@click.command()
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration; says where stores and data are.",
)
@click.option("--from", "start", metavar="TIME", help="Begin of the period, RFC 3339 UTC.")
@click.option("--to", "end", metavar="TIME", help="End of the period, itself left out.")
@click.option(
    "--influx/--embedded",
    "influx",
    default=None,
    help="Which store; without either, InfluxDB where [influx] is configured.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Take the frames from this bundle folder instead of the archive.",
)
@click.option("--limit", type=click.IntRange(0, 1_000_000), default=100, show_default=True,
              help="How many differences to name; all are counted.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def reconcile(
    ctx: click.Context,
    plant: Path,
    start: str | None,
    end: str | None,
    influx: bool | None,
    bundle: Path | None,
    limit: int,
    as_json: bool,
) -> None:
    """Hold every stored sample against the frames that the boards' statements cover.

    Names each sample that was edited, is missing, or was added, with the frame it should come
    from. Samples not yet written by the running gateway are left out. It does not check the log
    itself: `raffinate audit verify` does. Exit status: 0 all is as the boards wrote it, 3 the same,
    but some frames (besides the newest) are not what a statement covers, 4 differences, 2 a wrong
    configuration, 1 any other error.
    """
    config = load_config(plant)
    from_ms, to_ms = time_ms("--from", start), time_ms("--to", end)
    with ExitStack() as stack:
        store = stack.enter_context(closing(_store(config, influx)))
        found = _reconcile(config, store, bundle, from_ms, to_ms, limit, stack)
    click.echo(json.dumps(_as_json(found)) if as_json else _as_text(found))
    ctx.exit(found.exit_status())


def _store(config: Config, influx: bool | None) -> Stored:
    if influx is None:
        influx = config.influx is not None
    if not influx:
        return StoredEmbedded(config.storage.data / "series.sqlite")
    if config.influx is None:
        raise ConfigError(f"{config.file} has no [influx]; use --embedded")
    return StoredInflux(InfluxReader(config.influx, config.plant.site))


def _reconcile(
    config: Config,
    store: Stored,
    bundle: Path | None,
    from_ms: int | None,
    to_ms: int | None,
    limit: int,
    stack: ExitStack,
) -> Outcome:
    unwritten_ms = _unwritten_ms(config, store)
    from_start = from_ms is None and bundle is None and store.begins_ms() == 0
    begins_ms = max(from_ms or 0, store.begins_ms())
    if bundle is None:
        folder = TemporaryDirectory(prefix="reconcile-", dir=config.storage.data)
        bundle = Path(stack.enter_context(folder)) / "bundle"
        with Bar("frames out of the archive") as bar:
            write_bundle(
                config.storage.keys,
                config.storage.data,
                [],
                bundle,
                from_ms=begins_ms or None,
                to_ms=to_ms,
                now_ms=time.time_ns() // 1_000_000,
                frames=Frames(None, bar),
            )
    heads = (
        (key, boot, last, head) for key, boot, _, last, head in read_ranges(bundle, _size(bundle))
    )
    with Bar("frames against the store") as bar:
        work = Reconciliation(bundle, heads, FrameReader().read, bar)
        span = work.span()
        if span is None:
            raise RaffinateError(f"there are no frames of the period in {bundle}")
        begin = max(span[0] if from_ms is None else from_ms, begins_ms)
        finish = span[1] + 1 if to_ms is None else to_ms
        if unwritten_ms is not None:
            finish = min(finish, unwritten_ms)
        return work.run(store, begin, finish, limit, from_start=from_start)


def _unwritten_ms(config: Config, store: Stored) -> int | None:
    """The earliest time of a frame that the store need not have yet; None when it has all."""
    path = config.storage.data / "archive.sqlite"
    if not path.exists():
        return None
    reader, found = FrameReader(), None
    with closing(ArchiveScan(path)) as archive:
        position = store.position()
        after = archive.cursor(INFLUX_CURSOR) if position is None else position
        for block in archive.blocks(after):
            for raw in block:
                scans = with_times(reader.read(raw.data), raw.estimate_ms).scans
                first = min(scan.time_ms for scan in scans)
                found = first if found is None else min(found, first)
    return found


def _size(bundle: Path) -> int:
    path = bundle / CHECKPOINT
    try:
        return parse_checkpoint(parse_note(path.read_bytes()).text).size
    except (OSError, NoteError) as error:
        raise RaffinateError(f"{path} cannot be read: {error}; is it a bundle folder?") from error


def _as_json(found: Outcome) -> dict[str, Any]:
    return {
        "v": 1,
        "store": found.store,
        "fromMs": found.from_ms,
        "toMs": found.to_ms,
        "frames": found.frames,
        "provisionalFrames": found.provisional_frames,
        "unattestedFrames": found.unattested_frames,
        "samples": found.samples,
        "totals": {kind: found.totals[kind] for kind in ("edited", "missing", "added", "broken")},
        "points": dict(found.points.most_common(100)),
        "differences": [
            {
                "kind": one.kind,
                "timeMs": one.time_ms,
                "point": one.point,
                "stored": one.stored,
                "expected": one.expected,
                "frame": None
                if one.frame is None
                else dict(zip(("node", "key", "boot", "seq"), one.frame, strict=True)),
                "attested": one.attested,
                "note": one.note,
            }
            for one in found.differences
        ],
        "leftOut": found.totals.total() - len(found.differences),
    }


def _as_text(found: Outcome) -> str:
    span = f"{_time(found.from_ms)} to {_time(found.to_ms)}"
    lines = [
        f"{found.store} from {span}: {found.samples} samples of {found.frames} frames",
        (
            f"of them without a statement: {found.unattested_frames}, and "
            f"{found.provisional_frames} newest without one yet"
        ),
    ]
    lines += [_line(one) for one in found.differences]
    left = found.totals.total() - len(found.differences)
    if left:
        lines.append(f"and {left} more; most at {', '.join(_most(found))}")
    totals = ", ".join(f"{found.totals[kind]} {kind}" for kind in ("edited", "missing", "added"))
    broken = found.totals["broken"]
    lines.append(totals + (f", {broken} parts of the store broken" if broken else ""))
    return "\n".join(lines)


def _most(found: Outcome) -> list[str]:
    return [f"{point} ({count})" for point, count in found.points.most_common(3)]


def _line(one: Difference) -> str:
    parts = [f"{one.kind:<7}", _time(one.time_ms), one.point]
    if one.kind != "missing" and one.stored is not None:
        parts.append(f"stored {one.stored}")
    if one.frame is not None:
        node, key, boot, seq = one.frame
        parts.append(f"frame {one.expected} ({node} key {key} boot {boot} seq {seq})")
    if one.attested is False:
        parts.append("(no statement covers it)")
    if one.note:
        parts.append(one.note)
    return "  ".join(parts)


def _time(time_ms: float | None) -> str:
    if time_ms is None:
        return "-"
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="microseconds" if time_ms % 1 else "milliseconds")
