"""Reads a plant folder: plant.toml and equipment descriptors become one checked Config."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from raffinate.config.anchors import build_anchors
from raffinate.config.plant import build_plant
from raffinate.config.problems import Document
from raffinate.config.schema import DescriptorFile, PlantFile
from raffinate.config.settings import Broker, Config, Influx, Listen, Storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECRET_BYTES_MAX = 4096
INIT_HINT = "`raffinate init DIR` writes a plant folder to start from"


def load_config(file: Path, environ: Mapping[str, str] | None = None) -> Config:
    """The checked configuration of `file` (a plant.toml, or its folder).

    Raises ConfigError that lists every problem with file, line, key and remedy. `environ` is where
    secrets named by `*_env` are looked up; the process's own when None.
    """
    file = file.absolute()
    if file.is_dir():
        file /= "plant.toml"
    document = Document.read(file, INIT_HINT)
    tables = document.parse(PlantFile)
    descriptors = {}
    for index, machine in enumerate(tables.equipment):
        path = file.parent / "equipment" / f"{machine.id}.toml"
        if not path.is_file():
            document.problem(
                ("equipment", index, "id"),
                f"is {machine.id!r}, but {path} does not exist; write its descriptor there",
            )
            continue
        descriptors[machine.id] = Document.read(path, INIT_HINT).parse(DescriptorFile)
    secrets = _Secrets(document, file.parent, os.environ if environ is None else environ)
    _check_loopback(document, "listen", tables.listen.host)
    _check_loopback(document, "broker", tables.broker.host)
    plant = build_plant(document, tables, descriptors, file.parent)
    influx = _influx(document, tables, secrets)
    password = secrets.get(("broker",), "password", tables.broker)
    if password is not None and tables.broker.user is None:
        document.problem(("broker", "user"), "is missing beside the password; add it")
    anchors = build_anchors(document, tables, file.parent)
    document.raise_problems()
    storage = tables.storage
    return Config(
        file=file,
        plant=plant,
        listen=Listen(tables.listen.host, tables.listen.port),
        broker=Broker(
            host=tables.broker.host,
            port=tables.broker.port,
            user=tables.broker.user,
            password=password,
            keepalive_s=tables.broker.keepalive_s,
        ),
        storage=Storage(
            data=file.parent / storage.data,
            keys=file.parent / storage.keys,
            archive_bytes_max=storage.archive_bytes_max,
            quarantine_bytes_max=storage.quarantine_bytes_max,
            series_bytes_max=storage.series_bytes_max,
            disk_free_bytes_min=storage.disk_free_bytes_min,
            warn_percent=storage.warn_percent,
        ),
        influx=influx,
        anchors=anchors,
        boards={
            name: table.model_dump(
                include={"frame_scans", "outbox", "i2c", "spi", "wifi", "element"}
            )
            for name, table in tables.nodes.items()
        },
        calibration={
            name: {
                "date": table.date.isoformat(),
                **table.model_dump(exclude={"date"}, exclude_none=True),
            }
            for name, table in tables.calibration.items()
        },
        close_hour_utc=tables.evidence.close_hour_utc,
        policy=None if tables.evidence.policy is None else file.parent / tables.evidence.policy,
    )


def loopback_problem(host: str) -> str | None:
    """Why `host` cannot be served, None when it can: this version serves its own machine only."""
    if host in LOOPBACK:
        return None
    return (
        f"is {host!r}; only {', '.join(LOOPBACK)} is served: other machines need TLS and "
        "users, which this version does not have"
    )


def _check_loopback(document: Document, table: str, host: str) -> None:
    problem = loopback_problem(host)
    if problem is not None:
        document.problem((table, "host"), problem)


def _influx(document: Document, tables: PlantFile, secrets: _Secrets) -> Influx | None:
    table = tables.influx
    if table is None:
        return None
    needed, useless = ("org", "bucket", "token"), ("database", "user", "password")
    required: tuple[str, ...] = ("bucket", "token")
    if table.version == "1":
        needed, useless, required = useless, needed, ("database",)
    values = {
        "token": secrets.get(("influx",), "token", table),
        "password": secrets.get(("influx",), "password", table),
        "org": table.org,
        "bucket": table.bucket,
        "database": table.database,
        "user": table.user,
    }
    for key in useless:
        if values[key] is not None:
            document.problem(
                ("influx", key),
                f"is none of version {table.version}'s keys: {', '.join(needed)}; remove it",
            )
    for key in required:
        if values[key] is None:
            document.problem(("influx", key), f"is missing; version {table.version} needs it")
    if table.version == "2" and table.org is None:
        document.problem(("influx", "org"), 'is missing; write the organisation ("" for 1.8)')
    return Influx(url=table.url.rstrip("/"), version=table.version, **values)


class _Secrets:
    """Secrets written in place, in a file or in an environment variable."""

    def __init__(self, document: Document, folder: Path, environ: Mapping[str, str]) -> None:
        self._document = document
        self._folder = folder
        self._environ = environ

    def get(self, path: tuple[str, ...], name: str, table: object) -> str | None:
        keys = {key: getattr(table, key, None) for key in (name, f"{name}_file", f"{name}_env")}
        given = [key for key, value in keys.items() if value is not None]
        if not given:
            return None
        if len(given) > 1:
            self._document.problem(
                (*path, given[1]), f"and {given[0]} are both given; keep one of them"
            )
            return None
        key, value = given[0], str(keys[given[0]])
        if key == name:
            return value
        if key.endswith("_env"):
            if value not in self._environ:
                self._document.problem(
                    (*path, key),
                    f"names the environment variable {value}, which is not set; set it",
                )
            return self._environ.get(value)
        file = self._folder / value
        try:
            return file.read_bytes()[:SECRET_BYTES_MAX].decode().strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
            self._document.problem(
                (*path, key), f"cannot be read ({file}: {reason}); mend the file"
            )
            return None
