"""What commands about keys and statements share: options, times, passphrases, files."""

from __future__ import annotations

import time
from pathlib import Path

import click

from raffinate.errors import RaffinateError, printable
from raffinate.keyfile import given_passphrase

PLANT = click.option(
    "--plant",
    type=click.Path(path_type=Path),
    default=Path("plant.toml"),
    show_default=True,
    help="The plant's configuration.",
)
WAIT = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="Seconds to wait for the gateway's answer.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


def now_ms() -> int:
    """UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def ask_passphrase(path: Path) -> str:
    """Ask the person at the terminal for the passphrase of a key."""
    return str(click.prompt(f"passphrase of {path}", hide_input=True, err=True))


def new_passphrase(path: Path) -> str:
    """A passphrase for a new key: from the environment, else asked for twice."""
    found = given_passphrase()
    if found is not None:
        return found
    return str(
        click.prompt(
            f"new passphrase of {path}", hide_input=True, confirmation_prompt=True, err=True
        )
    )


def read_file(path: Path, bytes_max: int) -> bytes:
    """A file that a person named. Raises RaffinateError."""
    try:
        with path.open("rb") as source:
            data = source.read(bytes_max + 1)
    except OSError as error:
        raise RaffinateError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise RaffinateError(f"{printable(str(path))} has more than {bytes_max} bytes")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet. Raises RaffinateError."""
    try:
        with path.open("xb") as target:
            target.write(data)
    except FileExistsError:
        raise RaffinateError(
            f"{printable(str(path))} is there already; name another file"
        ) from None
    except OSError as error:
        raise RaffinateError(
            f"{printable(str(path))} cannot be written: {error.strerror}"
        ) from None
