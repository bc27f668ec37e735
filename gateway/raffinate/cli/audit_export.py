"""`raffinate audit export`: the bundle that an auditor verifies."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raffinate.audit.bundle import Frames
from raffinate.audit.bundle import export as write_bundle
from raffinate.audit.command import time_ms
from raffinate.audit.source import open_source
from raffinate.audit.verify import MANIFEST
from raffinate.cli.parts import Bar
from raffinate.config import load_config
from raffinate.errors import ConfigError
from raffinate.evidence.handover import HandoverError
from raffinate.evidence.petition import ask_gateway, operator

if TYPE_CHECKING:
    from raffinate.audit.export_frames import Exported
    from raffinate.config import Config

STATE_S = 10.0


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration; says where keys and data are.",
)
@click.option("--from", "start", metavar="TIME", help="Begin of the period, RFC 3339 UTC.")
@click.option("--to", "end", metavar="TIME", help="End of the period, itself left out.")
@click.option("--frames", "with_frames", is_flag=True, help="With the period's frames.")
@click.option(
    "--equipment",
    metavar="ID",
    multiple=True,
    help="Frames of this machine's metering node only; repeatable, implies --frames.",
)
def export(
    bundle: Path,
    plant: Path,
    start: str | None,
    end: str | None,
    with_frames: bool,
    equipment: tuple[str, ...],
) -> None:
    """Write the audit bundle BUNDLE: a folder, or a zip if it ends in .zip.

    The log and every chain are whole, up to the newest head that a witness cosigned if that is
    minutes old at most; --from and --to limit the frames, and are recorded in the manifest; a
    bundle that ends before --to is told as BUNDLE-OLD. Works beside a running gateway. What breaks
    off leaves nothing at BUNDLE; start it again.
    """
    config = load_config(plant)
    from_ms, to_ms = time_ms("--from", start), time_ms("--to", end)
    if from_ms is not None and to_ms is not None and to_ms <= from_ms:
        raise ConfigError("--to must be later than --from")
    nodes = _nodes(config, equipment)
    descriptors = [item.descriptor for item in config.plant.equipment.values()]
    begun = time.monotonic()
    with Bar("files of the log") as files, Bar("frames, read and written") as frames:
        done = write_bundle(
            config.storage.keys,
            config.storage.data,
            descriptors,
            bundle,
            from_ms=from_ms,
            to_ms=to_ms,
            now_ms=time.time_ns() // 1_000_000,
            progress=files,
            frames=Frames(nodes, frames) if with_frames or nodes is not None else None,
        )
    click.echo(f"{bundle}: log of {done.size} entries{_told(done.frames, begun)}")
    if done.newer:
        click.echo(
            f"note: the log's {done.newer} newest entries are not in it, for no witness has seen "
            "them yet; export again after the next cosignature",
            err=True,
        )
    _state(config, bundle, from_ms, to_ms)


def _state(config: Config, bundle: Path, from_ms: int | None, to_ms: int | None) -> None:
    """Have the running gateway state in its log that this export was made."""
    manifest = open_source(bundle).read(MANIFEST)
    body = {"manifest": sha256(manifest or b"").hexdigest(), "fromMs": from_ms, "toMs": to_ms}
    storage, now_ms = config.storage, time.time_ns() // 1_000_000
    try:
        said = ask_gateway(
            storage.keys, storage.data, "export", operator("operator"), body, (), STATE_S, now_ms
        )
        click.echo(f"stated in the log as entry {said['index']}")
    except HandoverError as error:
        click.echo(f"note: this export is not stated in the log: {error}", err=True)


def _nodes(config: Config, equipment: tuple[str, ...]) -> frozenset[str] | None:
    """The metering nodes of the named machines; None for all nodes."""
    known = config.plant.equipment
    for name in equipment:
        if name not in known:
            raise ConfigError(
                f"--equipment {name}: {config.file} has {', '.join(known) or 'no equipment'}"
            )
    return frozenset(known[name].node for name in equipment) if equipment else None


def _told(frames: Exported | None, begun: float) -> str:
    if frames is None:
        return "; without frames, so that their completeness cannot be judged (--frames)"
    rate = frames.frames / max(time.monotonic() - begun, 0.001)
    return (
        f"; {frames.frames} frames of {frames.boots} boots in {frames.files} files,"
        f" {frames.bytes / 1e6:.1f} MB, {rate:.0f} frames/s"
    )
