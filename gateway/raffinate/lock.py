"""One gateway a data folder: a lock that names who holds it."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from pathlib import Path

NAME_BYTES_MAX = 4096


class DataFolderLock:
    """Holds `<data>/lock` while open; `<data>/lock.holder` says who. Ends with its process."""

    def __init__(self, data: Path, purpose: str) -> None:
        self._lock = FileLock(data / "lock", blocking=False, thread_local=False)
        self._holder = data / "lock.holder"
        self._data = data
        self._purpose = purpose

    def __enter__(self) -> Self:
        """Take the lock. Raises RaffinateError that names the holder."""
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            holder = {
                "purpose": self._purpose,
                "pid": os.getpid(),
                "host": socket.gethostname(),
            }
            self._holder.write_text(json.dumps(holder), encoding="utf-8")
        except Timeout:
            raise RaffinateError(
                f"{self._data} is in use by {self._name()}; stop it, or use another folder"
            ) from None
        except OSError as exc:
            self._lock.release()
            raise RaffinateError(
                f"{self._data} cannot be used: {exc.strerror}; give it to the user who runs "
                "the gateway, or name another folder as storage.data in plant.toml"
            ) from exc
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _name(self) -> str:
        try:
            with self._holder.open("rb") as source:
                holder = json.loads(source.read(NAME_BYTES_MAX))
            return f"`{holder['purpose']}`, process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another gateway"
