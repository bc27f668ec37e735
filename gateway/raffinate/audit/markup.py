"""Text as it may stand in HTML and SVG, and times and tables of the report. Pure."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def text(found: object) -> str:
    """Escaped for element and attribute; what cannot be seen, or turns the line, is shown as �."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in _HIDDEN else sign
        for sign in str(found)
    )
    return escape(shown, quote=True)


def utc(time_ms: int | None, *, seconds: bool = True) -> str:
    """`2026-11-22 10:15:00 UTC`; "none" without a time, and the number where no date has it."""
    if time_ms is None:
        return "none"
    try:
        found = datetime.fromtimestamp(time_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
    return found.strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")


def span(length_ms: int) -> str:
    """A length of time: `45 s`, `12.5 min`, `7.25 h`."""
    if length_ms < 120_000:  # noqa: PLR2004 - two minutes
        return f"{length_ms / 1000:.0f} s"
    if length_ms < 7_200_000:  # noqa: PLR2004 - two hours
        return f"{length_ms / 60_000:.1f} min"
    return f"{length_ms / 3_600_000:.2f} h"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column heads its rows; cells and caption are markup already."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll"><table><caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )
