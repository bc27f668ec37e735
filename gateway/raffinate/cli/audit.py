"""`raffinate audit`: export a bundle, verify one offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from raffinate.audit.command import EPILOG, Order, run
from raffinate.audit.report import as_text, exit_status, usage_text
from raffinate.cli.audit_checkpoint import checkpoint
from raffinate.cli.audit_export import export
from raffinate.cli.audit_policy import policy
from raffinate.cli.audit_reconcile import reconcile
from raffinate.cli.close import close
from raffinate.cli.group import Group

if TYPE_CHECKING:
    from collections.abc import Callable


@click.group(cls=Group)
def audit() -> None:
    """Export the evidence, and verify it anywhere without the gateway."""


audit.add_command(checkpoint)
audit.add_command(export)
audit.add_command(reconcile)
audit.add_command(policy)
audit.add_command(close)


@audit.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    help="The auditor's own policy; without it every verdict is at best INSUFFICIENT.",
)
@click.option("--from", "start", metavar="TIME", help="Begin of the period, RFC 3339.")
@click.option("--to", "end", metavar="TIME", help="End; a bundle that ends before is BUNDLE-OLD.")
@click.option(
    "--pin",
    type=click.Path(path_type=Path),
    help="A checkpoint seen before (a file), which the bundle's log must continue.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write it there too.")
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path),
    help="Write a report with pictures there: one file that any browser shows and prints.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Keep in this file what was checked, and go on from there after a break.",
)
@click.option("--processes", type=click.IntRange(min=1), help="By default one a core.")
@click.pass_context
def verify(
    ctx: click.Context,
    bundle: Path,
    policy_file: Path | None,
    start: str | None,
    end: str | None,
    pin: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    resume: Path | None,
    processes: int | None,
) -> None:
    """Judge the audit bundle BUNDLE offline by four questions.

    Is it authentic, complete, time-trustworthy, licence-conformant? The same as raffinate-verify.
    """
    order = Order(bundle, policy_file, start, end, pin, json_file, resume, processes, html_file)
    with _progress("entries") as advance:
        result = run(order, advance)
    click.echo(as_text(result), nl=False)
    ctx.exit(exit_status(result))


@audit.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), help="The auditor's own policy."
)
@click.option("--licence", required=True, metavar="NUMBER", help="The licence's number.")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path), help="Write one page to file there."
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write a table there.")
@click.option("--processes", type=click.IntRange(min=1), help="By default one a core.")
@click.pass_context
def usage(
    ctx: click.Context,
    bundle: Path,
    policy_file: Path | None,
    licence: str,
    html_file: Path | None,
    csv_file: Path | None,
    processes: int | None,
) -> None:
    """Report how machines were used under one licence, from the audit bundle BUNDLE alone.

    The bundle is judged by the way; the exit status is that of `audit verify`. The same as
    raffinate-verify usage.
    """
    order = Order(
        bundle,
        policy_file,
        processes=processes,
        html=html_file,
        licence=licence,
        csv=csv_file,
    )
    with _progress("entries") as advance:
        result = run(order, advance)
    click.echo(usage_text(result, licence), nl=False)
    ctx.exit(exit_status(result))


class _progress:  # noqa: N801 - used as a context manager only
    """A progress bar on standard error when it is a terminal."""

    def __init__(self, unit: str) -> None:
        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(unit, total=None)

    def __enter__(self) -> Callable[[int, int], None]:
        if self._bar.console.is_terminal:
            self._bar.start()
        return lambda done, total: self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
