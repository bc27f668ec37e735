"""Order within a file: what waits for the clock comes when the others have passed the time."""

from __future__ import annotations

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "last: waits for time to pass; runs last in its file")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in [item for item in items if item.get_closest_marker("last")]:
        items.remove(item)
        end = max((at for at, other in enumerate(items) if other.path == item.path), default=-1)
        items.insert(end + 1, item)
