"""The plant folder that `raffinate init` and the demo begin with: a 16-stage La/Nd cascade."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

FOLDERS = ("equipment", "licences")


def write_template(
    folder: Path,
    *,
    listen_port: int = 8080,
    broker_port: int = 1883,
    statement_s: int = 60,
    foreword: str = "",
) -> list[Path]:
    """Write plant.toml and its descriptors into `folder`; the files written.

    `foreword` is plain text that stands before the note which the page shows.
    Raises RaffinateError rather than overwrite anything.
    """
    source = files("raffinate.config") / "template"
    contents = {folder / name: item.read_text("utf-8") for name, item in _files(source, "")}
    plant = folder / "plant.toml"
    contents[plant] = (
        contents[plant]
        .replace("port = 8080", f"port = {listen_port}")
        .replace("port = 1883", f"port = {broker_port}")
        .replace("statement_s = 60", f"statement_s = {statement_s}")
        .replace('note = "', f'note = "{foreword}')
    )
    present = [str(file) for file in contents if file.exists()]
    if present:
        raise RaffinateError(f"nothing written: {', '.join(present)} exist; choose an empty folder")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in contents.items():
            with file.open("x", encoding="utf-8") as sink:
                sink.write(text)
    except OSError as exc:
        raise RaffinateError(
            f"{exc.filename or folder} cannot be written: {exc.strerror}; choose another folder"
        ) from exc
    return list(contents)


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            found += _files(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".toml"):
            found.append((prefix + item.name, item))
    return found
