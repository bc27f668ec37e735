"""pytest plugin: real programs as fixtures, skipped with a reason where one is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from raffinate_rig import processes
from raffinate_rig.processes import MissingToolError

if TYPE_CHECKING:
    from pathlib import Path

REQUIRE_ALL = "RAFFINATE_REQUIRE_ALL"


def requires_tool(name: str) -> Path:
    """The program's path; without it the test skips, or fails where RAFFINATE_REQUIRE_ALL=1."""
    try:
        return processes.find_tool(name)
    except MissingToolError as error:
        if os.environ.get(REQUIRE_ALL) == "1":
            pytest.fail(f"{error} ({REQUIRE_ALL}=1 forbids skipping)", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    return processes.free_port()
