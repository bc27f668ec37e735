"""Checks that what README and docs tell a reader to run exists: `python docs_check.py`.

Every `raffinate ...` line of a code block must name real commands and options, every `make ...`
a real target, and every link inside the repository a real file.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import click

from raffinate.cli import main

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def problems() -> list[str]:
    """Return one line for each thing that is not there."""
    found: list[str] = []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        name = page.relative_to(ROOT)
        for line in (line for block in FENCE.findall(text) for line in block.splitlines()):
            command = line.strip().removeprefix("$ ").split("#")[0].strip()
            command = command.removeprefix(".venv/bin/")
            if command.startswith("raffinate "):
                found += [f"{name}: {command}: {why}" for why in _command(command)]
            elif command.startswith("make "):
                words = [word for word in shlex.split(command)[1:] if "=" not in word]
                found += [f"{name}: no make target {w}" for w in words if w not in targets]
        for link in LINK.findall(text):
            if not (page.parent / link).exists():
                found.append(f"{name}: link to {link}, which is not there")
    return found


def _command(line: str) -> list[str]:
    """Walk the click tree along the words of one command line."""
    command: click.Command = main
    context = click.Context(command)
    words = shlex.split(line.replace("|", " | "))[1:]
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        word = words.pop(0)
        known = command.get_command(context, word)
        if known is None:
            return [f"no command {word}"]
        command = known
        context = click.Context(command, parent=context)
    options = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    given = [word.split("=")[0] for word in words[: _end(words)] if word.startswith("--")]
    return [f"no option {name}" for name in given if name not in options]


def _end(words: list[str]) -> int:
    return next((i for i, word in enumerate(words) if word in ("|", ">", "&&", "&")), len(words))


if __name__ == "__main__":
    lines = problems()
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"docs: {len(lines)} problems\n")
    sys.exit(bool(lines))
