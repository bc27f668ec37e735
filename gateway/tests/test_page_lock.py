"""The page's lock file installs on every platform and from any registry."""

from __future__ import annotations

import json
from pathlib import Path

LOCK = Path(__file__).parents[1] / "web/package-lock.json"


def test_the_lock_is_whole_and_names_no_host() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    assert len(packages) > 100
    for path, package in packages.items():
        if path == "":
            continue
        assert "resolved" not in package, path
        assert package["integrity"].startswith("sha512-"), path
        for name in package.get("optionalDependencies", {}):
            # Left out where a registry lacks a platform's package; then `npm ci` refuses the lock.
            nested = f"{path}/node_modules/{name}"
            assert f"node_modules/{name}" in packages or nested in packages, f"{path}: {name}"
