"""`raffinate regime`: how rules stood on a day, and why; and whether a regime file is right."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raffinate.audit.command import time_ms
from raffinate.cli.common import JSON, now_ms, read_file, write_new
from raffinate.cli.group import Group
from raffinate.errors import ConfigError, RaffinateError, printable
from raffinate.licence.regime import (
    Regime,
    Standing,
    listed_elements,
    parse_regime,
    standings,
)
from raffinate.licence.regime_file import REGIME_BYTES_MAX
from raffinate.licence.shipped import shipped_files, shipped_regimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOT_ADVICE = (
    "Not legal advice. What these files say, with their sources; have counsel compare them with "
    "the issuers' own texts."
)
_FILE = click.Path(path_type=Path, dir_okay=False)
_DAY_CHARS = 10
_LISTED = ("steps", "items", "activities", "methods", "elements", "who", "places", "requires")


@click.group(cls=Group)
def regime() -> None:
    """Rules as dated data: how each stood on a day, and whether a regime file is right."""


@regime.command()
@click.option("--on", "day", metavar="DATE", help="A day as 2025-11-08, or an instant with zone.")
@click.option("--file", "given", type=_FILE, multiple=True, help="Instead of the shipped files.")
@JSON
def show(day: str | None, given: tuple[Path, ...], as_json: bool) -> None:
    """Show what was in force, suspended or unknown on a day, and why. Today without --on.

    A day is taken in each regime's own zone. EXPIRED-RULE: the file had to be reviewed before that
    day, so no verdict may rest on the rule; beside it stands what the file would have said.
    """
    regimes = tuple(_read(path) for path in given) or shipped_regimes()
    _refuse_twice(regimes)
    times = {item.id: _at_ms(item, day) for item in regimes}
    found = {item.id: _standings_of(item, regimes, times[item.id]) for item in regimes}
    if as_json:
        listed = [_regime_json(item, times[item.id], found[item.id]) for item in regimes]
        click.echo(json.dumps({"notice": NOT_ADVICE, "regimes": listed}, ensure_ascii=False))
        return
    click.echo(NOT_ADVICE)
    for item in regimes:
        for line in _regime_lines(item, times[item.id], found[item.id]):
            click.echo(line)


@regime.command()
@click.argument("given", metavar="FILE...", type=_FILE, nargs=-1, required=True)
def check(given: tuple[Path, ...]) -> None:
    """Check regime files; each problem is named with file, line and remedy.

    Exit status 0 when all are right, 2 when one is not.
    """
    problems, read = [], []
    for path in given:
        try:
            read.append(_read(path))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    _refuse_twice(read)
    now = now_ms()
    for item in read:
        click.echo(
            f"{item.file}: in order. Regime {item.id}: {len(item.instruments)} entries, as of "
            f"{item.as_of.date}, review by {item.review_by.date}, sha256 {item.sha256}"
        )
        late = [entry.ref for entry in item.instruments if now >= entry.review_by.end_ms]
        if late:
            click.echo(
                f"note: the review of {len(late)} entries is overdue: verdicts that rest on them "
                f"are EXPIRED-RULE ({late[0]}{' and more' if late[1:] else ''})"
            )
        if item.template:
            click.echo("note: `template` is true: nothing in it counts as a rule")


@regime.command()
@click.argument("name")
@click.argument("file", type=_FILE)
def copy(name: str, file: Path) -> None:
    """Write the shipped regime NAME into FILE, to begin your own from.

    `template` shows every key.
    """
    known = shipped_files()
    if name not in known:
        raise RaffinateError(f"no regime {name} comes with raffinate; there is {', '.join(known)}")
    write_new(file, known[name])
    shown = printable(str(file))
    click.echo(f"{shown}: edit it, then `raffinate regime check {shown}`")


def _read(path: Path) -> Regime:
    return parse_regime(printable(str(path)), read_file(path, REGIME_BYTES_MAX))


def _refuse_twice(regimes: Iterable[Regime]) -> None:
    files: dict[str, str] = {}
    for item in regimes:
        if item.id in files:
            raise ConfigError(
                f"{files[item.id]} and {item.file} both have the id {item.id!r}; give one another"
            )
        files[item.id] = item.file


def _at_ms(item: Regime, text: str | None) -> int:
    """The instant that `--on` means for a regime; a day is its zone's."""
    if text is None:
        return now_ms()
    if len(text) <= _DAY_CHARS:
        try:
            return item.day_ms(date.fromisoformat(text))
        except (ValueError, OverflowError):
            raise ConfigError(f"--on {text}: write a day as 2025-11-08") from None
    found = time_ms("--on", text)
    return now_ms() if found is None else found


def _standings_of(item: Regime, regimes: Sequence[Regime], at_ms: int) -> list[Standing]:
    """Of one regime, at its own instant of the day; conflicts are looked for in all."""
    return [found for found in standings(regimes, at_ms) if found.instrument.regime == item.id]


def _regime_lines(item: Regime, at_ms: int, found: Sequence[Standing]) -> list[str]:
    day = _local(item, at_ms).date()
    dates = f"as of {item.as_of.date}, review by {item.review_by.date}"
    lines = [
        "",
        f"{item.id}: {item.title}",
        f"  on {day} at UTC{_zone(item)}; {dates}; {item.file}, sha256 {item.sha256[:16]}",
    ]
    if item.template:
        lines.append("  A template: what it shows is nobody's rule.")
    if item.note:
        lines.append(f"  {item.note}")
    elements = listed_elements(found)
    if elements:
        lines.append(f"  elements that entries in force list: {', '.join(elements)}")
    for entry in found:
        lines += _entry_lines(item, entry)
    cited = dict.fromkeys(name for entry in found for name in entry.sources)
    lines.append("")
    for source in (item.sources[name] for name in cited):
        told = ", ".join(text for text in (source.publisher, source.url) if text)
        lines.append(f"  source {source.id} ({source.kind}): {source.title}{told and f' ({told})'}")
    return lines


def _entry_lines(item: Regime, found: Standing) -> list[str]:
    entry = found.instrument
    state = found.state
    if found.until_ms is not None:
        state += f" until {_local(item, found.until_ms - 1).date()}"
    if found.expired_rule:
        state = f"EXPIRED-RULE (the file would say: {state})"
    dates = f"as of {found.as_of.date}, review by {found.review_by.date}"
    lines = [
        "",
        f"  {entry.ref.partition('/')[2]}  {state}",
        f"      {entry.title}",
        f"      {entry.effect}: {entry.kind}, evidence {found.evidence}, {dates}",
    ]
    lines += [f"      why: {why}" for why in found.why]
    listed = ((key, getattr(entry, key)) for key in _LISTED)
    lines += [f"      {key}: {', '.join(texts)}" for key, texts in listed if texts]
    lines += [f"      {text}" for text in _limit_lines(found)]
    lines += [f"      conflicts with {other}: both are kept" for other in found.conflicts]
    if entry.note:
        lines.append(f"      note: {entry.note}")
    return [*lines, f"      sources: {', '.join(found.sources)}"]


def _limit_lines(found: Standing) -> list[str]:
    entry = found.instrument
    lines = []
    for limit in entry.thresholds:
        number = "" if limit.limit is None else f" {float(limit.limit):g}"
        of = f" of {limit.element}" if limit.element else ""
        lines.append(f"threshold: {limit.quantity}{of} {limit.relation}{number}")
    for free in entry.exemptions:
        number = "" if free.limit is None else f" up to {float(free.limit):g} {free.quantity}"
        lines.append(f"{free.kind} ({free.evidence}): {free.what}{number}")
    for denial in entry.denials:
        uses = f" for {', '.join(denial.uses)}" if denial.uses else ""
        names = f" [{', '.join(denial.names)}]" if denial.names else ""
        lines.append(f"{denial.presumption} ({denial.evidence}): {denial.who}{names}{uses}")
    for duty in entry.duties:
        every = f", every {duty.every}" if duty.every else ""
        lines.append(f"duty: {duty.what}{every}{f', to {duty.to}' if duty.to else ''}")
    lines += [f"cannot be checked by a machine: {text}" for text in entry.unobservable]
    if entry.retention is not None:
        kept = entry.retention
        lines.append(
            f"records are kept {kept.years} years from the latest of {', '.join(kept.events)} "
            f"({kept.counted_from})"
        )
    return lines


def _regime_json(item: Regime, at_ms: int, found: Sequence[Standing]) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "issuer": item.issuer,
        "file": item.file,
        "sha256": item.sha256,
        "utc_offset": _zone(item),
        "on": str(_local(item, at_ms).date()),
        "at_ms": at_ms,
        "as_of": str(item.as_of.date),
        "review_by": str(item.review_by.date),
        "note": item.note,
        "elements": {name: list(refs) for name, refs in listed_elements(found).items()},
        "sources": {name: _plain(source) for name, source in item.sources.items()},
        "parties": _plain(item.parties),
        "entries": [
            {
                "ref": entry.instrument.ref,
                "state": entry.state,
                "expired_rule": entry.expired_rule,
                "binds": entry.binds,
                "why": list(entry.why),
                "evidence": entry.evidence,
                "until_ms": entry.until_ms,
                "conflicts": list(entry.conflicts),
                "rests_on_sources": list(entry.sources),
                "instrument": _plain(entry.instrument),
            }
            for entry in found
        ],
    }


def _plain(value: Any) -> Any:
    """What JSON can say of the values of a regime; a day is its date, a number a decimal."""
    if is_dataclass(value) and not isinstance(value, type):
        if hasattr(value, "start_ms") and hasattr(value, "date"):
            return str(value.date)
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Fraction) else value


def _local(item: Regime, at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000 + 60 * item.offset_minutes, UTC)


def _zone(item: Regime) -> str:
    hours, minutes = divmod(abs(item.offset_minutes), 60)
    return f"{'-' if item.offset_minutes < 0 else '+'}{hours:02}:{minutes:02}"
