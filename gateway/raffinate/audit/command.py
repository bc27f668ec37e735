"""The verifier's command, with nothing but the standard library: `raffinate-verify`.

`raffinate audit verify` is the same by the same function.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from raffinate.audit.html_report import About, as_html
from raffinate.audit.policy import Policy, parse_policy
from raffinate.audit.pool import Pool
from raffinate.audit.report import as_json, as_text, exit_status, usage_text
from raffinate.audit.resume import StateFile
from raffinate.audit.source import open_source
from raffinate.audit.usage_csv import as_usage_csv
from raffinate.audit.usage_report import accounts_of, as_usage_html
from raffinate.audit.verify import CHECKPOINT, verify
from raffinate.errors import ConfigError, RaffinateError
from raffinate.tlog.checkpoint import open_checkpoint, parse_checkpoint
from raffinate.tlog.note import NoteError, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from raffinate.audit.result import Result
    from raffinate.audit.source import Source
    from raffinate.audit.work import Work

POOL_ENTRIES_MIN = 4096
_BAR_CHARS = 40
EPILOG = (
    "Exit status, of the worst verdict: 0 all four PASS, 3 INSUFFICIENT, 5 EXPIRED-RULE, 4 FAIL; 2 "
    "a bad policy or command line, 1 the bundle cannot be read. Not legal advice."
)


@dataclass(frozen=True, slots=True)
class Order:
    """What to verify, by what, and what to write; times are RFC 3339.

    With `licence` HTML and CSV are the usage report of that number.
    """

    bundle: Path
    policy: Path | None = None
    start: str | None = None
    end: str | None = None
    pin: Path | None = None
    json: Path | None = None
    resume: Path | None = None
    processes: int | None = None
    html: Path | None = None
    licence: str | None = None
    csv: Path | None = None


def run(order: Order, progress: Callable[[int, int], None] | None = None) -> Result:
    """Verify, and write what is asked for. Raises RaffinateError."""
    policy = None if order.policy is None else read_policy(order.policy)
    if order.pin is not None:
        if policy is None:
            raise ConfigError("--pin: a pinned checkpoint is checked by the keys of a --policy")
        policy = _pinned(policy, order.pin)
    period = None
    if order.start is not None or order.end is not None:
        period = time_ms("--from", order.start), time_ms("--to", order.end)
    if order.resume is not None and policy is None:
        raise ConfigError("--resume: what was checked is kept by the keys of a --policy")
    source = open_source(order.bundle)
    memory = None if order.resume is None else StateFile(order.resume)
    with _work(order, source) as work:
        result = verify(source, policy, progress, period=period, work=work, memory=memory)
    if order.json is not None:
        _write(order.json, json.dumps(as_json(result)) + "\n")
    if order.licence is not None:
        accounts_of(result, order.licence)  # refuses a number that the bundle has not
    if order.html is not None:
        about, number = _about(order, policy), order.licence
        page = as_html(result, about)
        if number is not None:
            page = as_usage_html(result, about, number)
        _write(order.html, page)
    if order.csv is not None and order.licence is not None:
        _write(order.csv, as_usage_csv(result, order.licence))
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """`raffinate-verify`, or `raffinate-verify usage`; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    usage = given[:1] == ["usage"]
    order = Order(**vars(_parser(usage=usage).parse_args(given[1:] if usage else given)))
    try:
        result = run(order, _bar if sys.stderr.isatty() else None)
    except RaffinateError as error:
        sys.stderr.write(f"raffinate-verify: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("raffinate-verify: broken off; --resume FILE goes on the next time\n")
        return 1
    sys.stdout.write(
        as_text(result) if order.licence is None else usage_text(result, order.licence)
    )
    return exit_status(result)


def _parser(*, usage: bool) -> argparse.ArgumentParser:
    """Options of the verification, or of the usage report."""
    what = (
        "Report how machines were used under one licence, and judge the bundle by the way."
        if usage
        else "Judge an audit bundle of Raffinate offline by four questions: is it authentic, "
        "complete, time-trustworthy, licence-conformant? `raffinate-verify usage` reports the use "
        "under one licence."
    )
    program = "raffinate-verify usage" if usage else "raffinate-verify"
    parser = argparse.ArgumentParser(prog=program, description=what, epilog=EPILOG)
    parser.add_argument("bundle", type=Path, help="a folder, or a zip")
    parser.add_argument("--policy", type=Path, help="the auditor's own policy")
    if usage:
        parser.add_argument("--licence", required=True, metavar="NUMBER", help="its number")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write one page to file")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table there")
    else:
        parser.add_argument("--html", type=Path, metavar="FILE", help="write a report there")
        parser.add_argument("--resume", type=Path, metavar="FILE", help="go on after a break")
        parser.add_argument("--from", dest="start", metavar="TIME", help="begin of the period")
        parser.add_argument("--to", dest="end", metavar="TIME", help="end of the period")
        parser.add_argument("--pin", type=Path, metavar="FILE", help="a checkpoint seen before")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    parser.add_argument("--processes", type=int, metavar="N", help="by default one a core")
    return parser


def read_policy(path: Path) -> Policy:
    """A policy file. Raises ConfigError."""
    try:
        return parse_policy(str(path), path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there; name the auditor's policy file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def time_ms(option: str, text: str | None) -> int | None:
    """An RFC 3339 time with its zone as UTC milliseconds. Raises ConfigError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigError(f"{option} {text}: write it as 2026-11-01T00:00:00Z (UTC)")
    return round(found.astimezone(UTC).timestamp() * 1000)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise RaffinateError(f"{path}: the result cannot be written: {error}") from None


def _about(order: Order, policy: Policy | None) -> About:
    """What the report says of its making."""
    return About(
        str(order.bundle.name or order.bundle),
        None if order.policy is None else order.policy.name,
        policy,
        order.start,
        order.end,
        None if order.pin is None else order.pin.name,
        time.time_ns() // 1_000_000,
    )


def _pinned(policy: Policy, path: Path) -> Policy:
    try:
        head = open_checkpoint(path.read_bytes(), policy.origin, policy.log_keys)
    except (OSError, NoteError) as error:
        raise ConfigError(f"--pin {path}: not a checkpoint of the policy's log: {error}") from None
    if policy.pin is not None and policy.pin[0] > head.size:
        raise ConfigError(
            f"--pin {path}: it has size {head.size}, the policy pins {policy.pin[0]} already"
        )
    return replace(policy, pin=(head.size, head.root))


def _work(order: Order, source: Source) -> Pool | nullcontext[Work | None]:
    """Processes where the log is large enough to need them."""
    wanted = order.processes or os.cpu_count() or 1
    try:
        size = parse_checkpoint(parse_note(source.read(CHECKPOINT)).text).size
    except (KeyError, NoteError):
        size = 0
    if wanted == 1 or (order.processes is None and size < POOL_ENTRIES_MIN):
        return nullcontext(None)
    return Pool(order.bundle, wanted)


def _bar(done: int, total: int) -> None:
    """A progress bar on standard error."""
    filled = _BAR_CHARS * done // max(1, total)
    end = "\n" if done == total else ""
    share = 100 * done // max(1, total)
    bar = "#" * filled + "." * (_BAR_CHARS - filled)
    sys.stderr.write(f"\r[{bar}] {share:3d} % {done} of {total} entries{end}")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
