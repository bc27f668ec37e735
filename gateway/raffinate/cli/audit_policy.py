"""`raffinate audit policy new`: the auditor's questions, and the policy that follows."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from raffinate.audit.policy import ANCHOR_LAG_S_MAX, GAP_S_MAX, parse_policy
from raffinate.audit.policy_text import Answers, format_answers
from raffinate.cli.group import Group
from raffinate.errors import ConfigError
from raffinate.tlog.checkpoint import open_checkpoint
from raffinate.tlog.note import NoteError, parse_vkey

_FILE = click.Path(path_type=Path)


@click.group(cls=Group)
def policy() -> None:
    """What an auditor trusts."""


@policy.command()
@click.argument("file", type=_FILE)
@click.option("--public", type=_FILE, help="The site's public.json, got apart from any bundle.")
@click.option("--log-key", "log_keys", multiple=True, help="Verifier key of the log (two).")
@click.option("--authority-key", help="The authority's P-256 key, SPKI DER in base64.")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    help="File of a licence, paper or regime, or its SHA-256.",
)
@click.option("--issuer", "issuers", multiple=True, help="P-256 key of who signs them.")
@click.option("--serial", "serials", multiple=True, help="A machine that must be covered.")
@click.option("--witness", "witnesses", multiple=True, help="Verifier key of a witness.")
@click.option("--quorum", type=click.IntRange(min=1), help="Witnesses that must agree.")
@click.option("--timestamp", "certificates", multiple=True, type=_FILE, help="A TSA's DER file.")
@click.option("--gap-s-max", type=click.IntRange(min=0), help="Uncovered seconds of a node.")
@click.option("--anchor-lag-s-max", type=click.IntRange(min=0), help="Between outside times.")
@click.option("--pin", type=_FILE, help="A checkpoint you have seen (a file).")
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given is left empty.")
def new(file: Path, public: Path | None, pin: Path | None, yes: bool, **given: Any) -> None:
    """Ask the auditor's questions and write the commented policy FILE; it is never overwritten."""
    if file.exists():
        raise ConfigError(f"{file} is there already; name another file")
    site = {} if public is None else _public(public)
    ask = _Questions(yes=yes or not sys.stdin.isatty())
    log_keys = given["log_keys"] or tuple(site.get("log", ()))
    if not log_keys:
        log_keys = ask.several("Verifier key of the log (Ed25519, then P-256)", "--log-key")
    authority = given["authority_key"] or site.get("authority")
    authority = authority or ask.one("The authority's key, SPKI DER in base64", "--authority-key")
    answers = Answers(
        origin=_origin(log_keys),
        log_keys=tuple(log_keys),
        authority=authority,
        licences=tuple(
            _digest(text) for text in ask.more("A licence's file or SHA-256", given["licences"])
        ),
        issuers=ask.more("Key of an issuer of licences", given["issuers"]),
        serials=ask.more("Serial of a machine that must be covered", given["serials"]),
        witnesses=ask.more("Verifier key of a witness", given["witnesses"]),
        quorum=given["quorum"],
        certificates=tuple(b64encode(_read(path)).decode() for path in given["certificates"]),
        gap_s_max=ask.number("Uncovered seconds of a node", given["gap_s_max"], GAP_S_MAX),
        anchor_lag_s_max=ask.number(
            "Seconds between outside times", given["anchor_lag_s_max"], ANCHOR_LAG_S_MAX
        ),
    )
    text = format_answers(answers)
    found = parse_policy(str(file), text)
    if pin is not None:
        try:
            head = open_checkpoint(_read(pin), found.origin, found.log_keys)
        except NoteError as error:
            raise ConfigError(f"--pin {pin}: {error}") from None
        text = format_answers(answers, (head.size, b64encode(head.root).decode()))
        parse_policy(str(file), text)
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error}") from None
    click.echo(f"{file}: policy for {found.origin}")


class _Questions:
    """Asks on the terminal, or (`yes`) takes what there is."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def one(self, text: str, option: str) -> str:
        """Something that must be known. Raises ConfigError when nobody can be asked."""
        if self._yes:
            raise ConfigError(f"give {option}, or --public with the site's public.json")
        return str(click.prompt(text)).strip()

    def several(self, text: str, option: str) -> tuple[str, ...]:
        """Two that must be known."""
        return self.one(text, option), self.one(text, option)

    def more(self, text: str, given: tuple[str, ...]) -> tuple[str, ...]:
        """Any number, ended by an empty answer."""
        if given or self._yes:
            return given
        found: list[str] = []
        while answer := str(click.prompt(f"{text} (empty: no more)", default="")).strip():
            found.append(answer)
        return tuple(found)

    def number(self, text: str, given: int | None, default: int) -> int:
        """A whole number."""
        if given is not None or self._yes:
            return default if given is None else given
        return int(click.prompt(text, default=default, type=click.IntRange(min=0)))


def _public(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read(path))
        return {"log": list(value["log"]), "authority": str(value["keys"]["authority"])}
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f"{path} is no public.json of a site") from None


def _origin(log_keys: tuple[str, ...]) -> str:
    try:
        return parse_vkey(log_keys[0]).name
    except NoteError as error:
        raise ConfigError(f"--log-key: {error}") from None


def _digest(text: str) -> str:
    """A digest as it is, or that of a licence's file."""
    path = Path(text)
    return sha256(_read(path)).hexdigest() if path.exists() else text


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
