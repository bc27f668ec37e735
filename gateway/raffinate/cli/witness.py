"""`raffinate witness`: a witness for an auditor's or a customer's machine."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import click

from raffinate.cli.group import Group
from raffinate.config.load import loopback_problem
from raffinate.errors import ConfigError, RaffinateError
from raffinate.tlog.publish import replace_file
from raffinate.witness import folder as places
from raffinate.witness.decide import add_checkpoint
from raffinate.witness.protocol import CONFLICT, OK, REQUEST_BYTES_MAX, parse_request, parse_size

BACKLOG = 64
ANSWER_SUFFIX = ".cosigned"
_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group(cls=Group)
def witness() -> None:
    """Cosign the heads of a plant's log, on a machine that is not the plant's.

    A witness sees no statement, only sizes and hashes. It never cosigns two heads that contradict
    each other, so that a log which is rolled back or forked cannot go on unseen.
    """


@witness.command()
@_FOLDER
@click.option("--name", required=True, help="Names the key for good, e.g. witness.example/w1.")
def init(folder: Path, name: str) -> None:
    """Make a witness with a new key in FOLDER, and print its verifier key.

    The auditor's policy and the plant's plant.toml are given that line.
    """
    click.echo(places.init(folder, name).vkey())


@witness.command()
@_FOLDER
@click.option("--origin", required=True, help="The log's origin, e.g. example.com/raffinate/SITE.")
@click.option("--key", "keys", multiple=True, required=True, help="The log's verifier key.")
def trust(folder: Path, origin: str, keys: tuple[str, ...]) -> None:
    """Cosign heads of log ORIGIN that one of its KEYs signed.

    Origin and keys stand in the site's public.json. Get them from whom you trust, once.
    """
    click.echo(f"{origin} is trusted: {places.trust(folder, origin, keys)}")


@witness.command()
@_FOLDER
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve.")
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True)
def serve(folder: Path, host: str, port: int) -> None:
    """Serve `POST /add-checkpoint` (C2SP tlog-witness) until Ctrl-C."""
    problem = loopback_problem(host)
    if problem is not None:
        raise ConfigError(f"--host {problem}")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    opened = places.Folder(folder)
    opened.logs()
    from raffinate.witness.server import serve as run  # noqa: PLC0415 - slow to import

    with _bind(host, port) as sock:
        run(
            opened,
            sock,
            lambda at, number: click.echo(
                f"witness {opened.verifier.name}: http://{f'[{at}]' if ':' in at else at}:{number}/"
            ),
        )


@witness.command()
@_FOLDER
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
def cosign(folder: Path, files: tuple[Path, ...]) -> None:
    """Answer request FILEs from `raffinate audit checkpoint --request`, e.g. on a stick.

    Beside each FILE that is cosigned stands FILE.cosigned afterwards: the checkpoint with the
    cosignature line, to be given to `raffinate audit checkpoint --answer`. May run beside `serve`.
    """
    opened = places.Folder(folder)
    refused = [file for file in files if not _cosign(opened, file)]
    if refused:
        raise RaffinateError(f"{len(refused)} of {len(files)} were not cosigned")


def _cosign(opened: places.Folder, file: Path) -> bool:
    try:
        with file.open("rb") as source:
            data = source.read(REQUEST_BYTES_MAX + 1)
    except OSError as error:
        raise RaffinateError(f"{file}: {error.strerror}") from None
    answer = add_checkpoint(opened, data, int(time.time()))
    if answer.status == OK:
        target = file.with_name(file.name + ANSWER_SUFFIX)
        try:
            replace_file(target, parse_request(data).note + answer.body)
        except OSError as error:
            raise RaffinateError(f"{target}: {error.strerror}") from None
        click.echo(f"{file}: cosigned, see {target}")
        return True
    if answer.status == CONFLICT:
        size = parse_size(answer.body)
        click.echo(
            f"{file}: it does not begin at the size {size} that this witness has; ask the plant "
            f"for: raffinate audit checkpoint --request FILE --witness {opened.verifier.name} "
            f"--old {size}"
        )
    else:
        click.echo(f"{file}: {answer.status} {answer.body.decode().strip()}")
    return False


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise RaffinateError(
            f"{host} port {port} cannot be served: {error.strerror}; choose another --port"
        ) from None
    return sock
