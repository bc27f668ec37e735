"""The checkers that the verifier runs beside its entry pass (facts.py has their contract)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.audit.crosscheck import UseChecker

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.facts import Checker, Context

# Each makes a checker of a `Context`; without frames in the bundle they are made all the same.
CHECKERS: tuple[Callable[[Context], Checker], ...] = (UseChecker,)
