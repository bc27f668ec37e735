"""The `raffinate` command."""

from raffinate.cli.main import main

__all__ = ["main"]
