"""The people of the demo: what they enter as commands, shown as one would type them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click
import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from raffinate.cli.demo_story import Scenario

ASK_S: Final = 1.0
WAIT: Final = ("--wait", "60")


class Commands:
    """`raffinate` commands that run beside the demo; their output is shown when they end."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.failed: list[str] = []

    def start(self, *words: str) -> None:
        """Show a command and run it."""
        text = f"raffinate {' '.join(words)}"
        click.echo(f"$ {text}")
        process = subprocess.Popen(
            [sys.executable, "-m", "raffinate", *words, *WAIT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.append((text, process))

    def mind(self) -> None:
        """Show what ended meanwhile."""
        for text, process in list(self._running):
            if process.poll() is None or process.stdout is None:
                continue
            said = process.stdout.read().decode(errors="replace").strip()
            process.stdout.close()
            if process.returncode:
                self.failed.append(text)
            click.echo(said or f"{text}: ended with status {process.returncode}")
            self._running.remove((text, process))

    def stop(self) -> None:
        """End all that run."""
        for _, process in self._running:
            process.kill()
            process.communicate()
        self._running.clear()


class Operator:
    """Imports the scenario's documents, then acknowledges what the gateway asks for."""

    def __init__(
        self, scenario: Scenario, files: Sequence[str], plant: str, url: str, commands: Commands
    ) -> None:
        self._scenario = scenario
        self._files = files
        self._plant = plant
        self._url = url
        self._commands = commands
        self._imported = False
        self._done: set[tuple[str, str]] = set()
        self._asked_s = 0.0

    def mind(self, serves: bool, now_s: Callable[[], float] = time.monotonic) -> None:
        """Do what is due, once the gateway serves."""
        if not serves:
            return
        if not self._imported:
            self._imported = True
            actor = ("--as", self._scenario.actor)
            plant = ("--plant", self._plant)
            self._commands.start("registry", "import", *self._files, *actor, *plant)
            return
        open_ = [item for item in self._scenario.acknowledges if item not in self._done]
        if not open_ or now_s() - self._asked_s < ASK_S:
            return
        self._asked_s = now_s()
        wanted = self._wanted()
        for equipment, state in open_:
            if state in wanted.get(equipment, ()):
                self._done.add((equipment, state))
                self._commands.start(
                    *("licence", "acknowledge", equipment, "--state", state),
                    *("--actor", self._scenario.actor, "--plant", self._plant),
                )

    def _wanted(self) -> dict[str, list[str]]:
        """What is to be acknowledged, by equipment."""
        try:
            found: dict[str, Any] = httpx.get(f"{self._url}api/v1/evidence", timeout=2).json()
            return {item["id"]: item["to_acknowledge"] for item in found["equipment"]}
        except (httpx.HTTPError, ValueError, KeyError):
            return {}
