"""A copy of the auditor's policy that a gateway was given: whom to believe about documents.

It changes nothing for the auditor, who uses his own. With it the gateway shows what he will say,
and keeps back permits for documents that nobody vouches for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.audit.policy import parse_policy
from raffinate.errors import ConfigError
from raffinate.licence.vouching import NOBODY, Vouching

if TYPE_CHECKING:
    from pathlib import Path

POLICY_BYTES_MAX = 16 << 20


class PolicyFile:
    """Reads the file again when it changes; one that cannot be read vouches for nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._found = NOBODY

    def __call__(self) -> Vouching:
        """Who vouches now."""
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._found = self._read()
                self._stamp = stamp
        except (OSError, ConfigError, UnicodeDecodeError) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            self._found = Vouching(problem=f"evidence.policy, {self._file}: {text}")
            self._stamp = None
        return self._found

    def _read(self) -> Vouching:
        with self._file.open("rb") as source:
            data = source.read(POLICY_BYTES_MAX + 1)
        if len(data) > POLICY_BYTES_MAX:
            raise ConfigError(f"a policy has at most {POLICY_BYTES_MAX} bytes")
        policy = parse_policy(self._file.name, data.decode())
        return Vouching(policy.licences, policy.issuers)
