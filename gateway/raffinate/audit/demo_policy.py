"""The auditor's folder of the demo: a policy, and later licences' digests added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.audit.policy import add_digests, format_policy
from raffinate.keys import load_public
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_demo_policy(
    path: Path, keys: Path, serials: Iterable[str], licences: Iterable[str] = ()
) -> None:
    """Write a policy from the keys folder's public.json. Raises ConfigError."""
    replace_file(path, format_policy(load_public(keys), licences, serials).encode())


def append_licence_digests(path: Path, digests: Iterable[str]) -> None:
    """Add SHA-256 hex digests of licence files to a policy; known ones once. ConfigError."""
    replace_file(path, add_digests(str(path), path.read_text(), digests).encode())
