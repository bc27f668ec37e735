"""A command group whose help tells each command's whole first sentence."""

from __future__ import annotations

import click

SENTENCE_CHARS_MAX = 200


class Group(click.Group):
    """click's cuts the sentences to one line of the terminal; here they wrap."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One entry a command."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(limit=SENTENCE_CHARS_MAX)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
