"""What commands share: progress bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


class Bar:
    """A progress bar on standard error when it is a terminal; it shows from its first call on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """So much is done."""
        if self._bar is None or self._task is None:
            console = Console(stderr=True)
            self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
            self._task = self._bar.add_task(self._text, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self._bar.stop()
