"""The command group: commands are loaded when they are used, errors become messages.

Exit status: 0 done, 1 something a user can mend, 2 wrong usage or configuration, 130 interrupted,
70 a defect of raffinate itself.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from importlib.metadata import version
from tempfile import NamedTemporaryFile
from typing import Any, NoReturn

import click

from raffinate.cli.group import Group
from raffinate.errors import RaffinateError

EXIT_ERROR = 1
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130


class LazyGroup(Group):
    """A group whose commands are `module:name`, imported when asked for."""

    def __init__(self, lazy: dict[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order given."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        place = self._lazy.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place} is no command")
        return command


class _Main(LazyGroup):
    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, say what went wrong in words, exit."""
        extra["standalone_mode"] = False
        try:
            result = super().main(*args, **extra)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the last place before users
            sys.exit(_report(exc))
        sys.exit(result if isinstance(result, int) else 0)


def _report(error: BaseException) -> int:
    """Tell a person what happened; the exit status."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, RaffinateError):
        click.echo(f"raffinate: {error}", err=True)
        return error.exit_status
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has left; a second error at exit would say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    return _report_defect(error)


def _report_defect(error: BaseException) -> int:
    """Keep the traceback in a file, and say where."""
    with NamedTemporaryFile(
        "w", prefix="raffinate-defect-", suffix=".txt", delete=False, encoding="utf-8"
    ) as report:
        traceback.print_exception(error, file=report)
    click.echo(
        f"raffinate: a defect of raffinate itself: {type(error).__name__}: {error}\n"
        f"what is needed to mend it is in {report.name}",
        err=True,
    )
    return EXIT_DEFECT


node = LazyGroup(
    {"config": "raffinate.cli.node:config", "enrol": "raffinate.cli.roster:enrol"},
    name="node",
    help="Configure boards and enrol their keys.",
)

main = _Main(
    {
        "demo": "raffinate.cli.demo:demo",
        "init": "raffinate.cli.init:init",
        "gateway": "raffinate.cli.gateway:gateway",
        "check": "raffinate.cli.check:check",
        "export": "raffinate.cli.export:export",
        "keys": "raffinate.cli.keys:keys",
        "audit": "raffinate.cli.audit:audit",
        "licence": "raffinate.cli.licence:licence",
        "registry": "raffinate.cli.registry:registry",
        "activity": "raffinate.cli.activity:activity",
        "regime": "raffinate.cli.regime:regime",
        "witness": "raffinate.cli.witness:witness",
    },
    name="raffinate",
    help="Gateway, evidence and audit for rare-earth separation plants.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
main.add_command(node)
main = click.version_option(version("raffinate"), prog_name="raffinate")(main)
