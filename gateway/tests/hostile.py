"""Hostile bundles, each named by its defect: the threats that the offline verifier can see.

`FIXTURES` has for each its threat (docs/threats.md), the code under which it must be found, and
the function that makes it in an empty folder.
"""

from __future__ import annotations

import hostile_log
import hostile_plant
from hostile_threats import FIXTURES

__all__ = ["FIXTURES", "hostile_log", "hostile_plant"]
