"""Licence files: `licences/*.toml`, one licence of one equipment each (docs/formats/licence-toml).

A file's exact bytes are what counts: by their SHA-256 a permit names its licence and an auditor's
policy lists it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from raffinate.errors import ConfigError
from raffinate_wire import ids
from raffinate_wire.errors import WireError
from raffinate_wire.permit import STAGES_MAX

LICENCE_BYTES_MAX = 65_536
GRACE_S_MAX = 7 * 24 * 3600
PURPOSE_CHARS_MAX = 256
_REQUIRED = ("number", "issuer", "equipment", "stages", "from", "to", "grace_s")
_ALLOWED = (*_REQUIRED, "purpose")


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence in force in [from_ms, to_ms), UTC; `equipment` is the machine's serial."""

    file: str
    sha256: str
    number: str
    issuer: str
    equipment: str
    stages: tuple[str, ...]
    from_ms: int
    to_ms: int
    grace_ms: int
    purpose: str

    def in_force(self, at_ms: int) -> bool:
        """True at `at_ms`."""
        return self.from_ms <= at_ms < self.to_ms


def parse_licence(file: str, data: bytes) -> Licence:
    """The licence of a file's bytes. Raises ConfigError that names file, key and remedy."""
    if len(data) > LICENCE_BYTES_MAX:
        raise ConfigError(f"{file}: a licence file has at most {LICENCE_BYTES_MAX} bytes")
    try:
        value = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: not TOML in UTF-8: {error}") from None
    for name in value:
        if name not in _ALLOWED:
            raise ConfigError(f"{file}: unknown key {name}; known are {', '.join(_ALLOWED)}")
    for name in _REQUIRED:
        if name not in value:
            raise ConfigError(f"{file}: key {name} is missing")
    reader = _Reader(file, value)
    from_ms, to_ms = reader.time_ms("from"), reader.time_ms("to")
    if to_ms <= from_ms:
        raise ConfigError(f"{file}: `to` is not after `from`")
    return Licence(
        file,
        sha256(data).hexdigest(),
        reader.text("number", ids.TEXT_CHARS_MAX),
        reader.text("issuer", ids.TEXT_CHARS_MAX),
        reader.text("equipment", ids.TEXT_CHARS_MAX),
        reader.stages(),
        from_ms,
        to_ms,
        1000 * reader.integer("grace_s", GRACE_S_MAX),
        reader.purpose(),
    )


def format_licence(
    number: str,
    issuer: str,
    equipment: str,
    stages: tuple[str, ...],
    start: datetime,
    end: datetime,
    grace_s: int,
    purpose: str = "",
) -> bytes:
    """A licence file's bytes, as `parse_licence` reads them; times in UTC."""
    lines = [f'{name} = "{text}"' for name, text in (("number", number), ("issuer", issuer))]
    lines.append(f'equipment = "{equipment}"')
    lines.append("stages = [" + ", ".join(f'"{stage}"' for stage in stages) + "]")
    lines.append(f"from = {start:%Y-%m-%dT%H:%M:%SZ}")
    lines.append(f"to = {end:%Y-%m-%dT%H:%M:%SZ}")
    lines.append(f"grace_s = {grace_s}")
    if purpose:
        lines.append(f'purpose = "{purpose}"')
    return ("\n".join(lines) + "\n").encode()


class _Reader:
    def __init__(self, file: str, value: dict[str, Any]) -> None:
        self.file = file
        self.value = value

    def text(self, name: str, chars_max: int) -> str:
        found = self.value[name]
        try:
            text = ids.check_text(found, chars_max)
        except WireError as error:
            raise ConfigError(f"{self.file}: {name}: {error}") from None
        if not text:
            raise ConfigError(f"{self.file}: {name} is empty")
        return text

    def purpose(self) -> str:
        found = self.value.get("purpose", "")
        if not isinstance(found, str) or len(found) > PURPOSE_CHARS_MAX:
            raise ConfigError(
                f"{self.file}: purpose is a text of at most {PURPOSE_CHARS_MAX} characters"
            )
        return found

    def stages(self) -> tuple[str, ...]:
        found = self.value["stages"]
        if not isinstance(found, list) or not 0 < len(found) <= STAGES_MAX:
            raise ConfigError(f"{self.file}: stages is a list of 1 to {STAGES_MAX} stage names")
        try:
            return tuple(ids.check_id(stage) for stage in found)
        except WireError as error:
            raise ConfigError(f"{self.file}: stages: {error}") from None

    def integer(self, name: str, most: int) -> int:
        found = self.value[name]
        if type(found) is not int or not 0 <= found <= most:
            raise ConfigError(f"{self.file}: {name} is a whole number from 0 to {most}")
        return found

    def time_ms(self, name: str) -> int:
        found = self.value[name]
        if isinstance(found, datetime) and found.tzinfo is not None:
            return int(found.timestamp() * 1000)
        if isinstance(found, date):
            raise ConfigError(
                f"{self.file}: {name} has no zone; write it as 2026-11-01T00:00:00Z (UTC)"
            )
        raise ConfigError(f"{self.file}: {name} is a date with time, as 2026-11-01T00:00:00Z")
