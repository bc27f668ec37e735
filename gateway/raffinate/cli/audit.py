"""`raffinate audit`: export a bundle, verify one offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from raffinate.audit.policy import Policy, parse_policy
from raffinate.audit.report import as_json, as_text, exit_status
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify as verify_bundle
from raffinate.cli.audit_checkpoint import checkpoint
from raffinate.cli.audit_export import export
from raffinate.cli.audit_reconcile import reconcile
from raffinate.cli.close import close
from raffinate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


@click.group()
def audit() -> None:
    """Export the evidence, and verify it anywhere without the gateway."""


audit.add_command(checkpoint)
audit.add_command(export)
audit.add_command(reconcile)
audit.add_command(close)


@audit.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="The auditor's own policy; without it every verdict is at best INSUFFICIENT.",
)
@click.option("--json", "as_json_flag", is_flag=True, help="Print the whole result as JSON.")
@click.pass_context
def verify(ctx: click.Context, bundle: Path, policy: Path | None, as_json_flag: bool) -> None:
    """Judge the audit bundle BUNDLE offline by four questions.

    Is it authentic, complete, time-trustworthy, licence-conformant? Exit status: 0 all four PASS,
    3 at least one INSUFFICIENT and none FAIL, 4 at least one FAIL, 2 a bad policy, 1 any other
    error. Not legal advice.
    """
    chosen = None if policy is None else _read_policy(policy)
    with _progress("entries") as advance:
        result = verify_bundle(open_source(bundle), chosen, advance)
    click.echo(json.dumps(as_json(result)) if as_json_flag else as_text(result), nl=as_json_flag)
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


def _read_policy(path: Path) -> Policy:
    try:
        return parse_policy(str(path), path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there; name the auditor's policy file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
