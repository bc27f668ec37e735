"""`raffinate licence`: check, sign and import licences; the key of who issues them."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click
from cryptography.hazmat.primitives.asymmetric import ec

from raffinate.cli.acknowledge import acknowledge
from raffinate.cli.common import (
    JSON,
    PLANT,
    WAIT,
    ask_passphrase,
    new_passphrase,
    now_ms,
    write_new,
)
from raffinate.cli.group import Group
from raffinate.cli.registry_import import ACTOR, FILES, import_files
from raffinate.config import load_config
from raffinate.errors import ConfigError, RaffinateError, printable
from raffinate.evidence import dsse
from raffinate.keyfile import load_private, write_private
from raffinate.keys import KeyPair, spki_of
from raffinate.licence.document import Licence
from raffinate.registry.importing import check_alone
from raffinate.registry.shown import day
from raffinate.registry.sources import SIGNED_BYTES_MAX, load

if TYPE_CHECKING:
    from raffinate.registry.sources import Source

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Group)
def licence() -> None:
    """Check, sign and import licence files; sign papers and regimes too."""


licence.add_command(acknowledge)


@licence.command()
@FILES
@JSON
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check licences, papers and regimes: each alone, then all of them together.

    Nothing is taken and no gateway is asked. `raffinate registry import --dry-run` also holds them
    against what a plant has.
    """
    found = load(files, now_ms())
    check_alone(found)
    if as_json:
        click.echo(json.dumps([_json(source) for source in found], ensure_ascii=False))
        return
    for source in found:
        click.echo(f"{source.file}: {_words(source)}")
        click.echo(f"  SHA-256 {source.sha256}, {_signer(source)}")


@licence.command()
@click.argument("file", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="The issuer's private key.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Another folder.")
def sign(file: Path, key: Path, out: Path | None) -> None:
    """Sign FILE's exact bytes into <sha256>.dsse beside it: a licence, a paper or a regime.

    The file is read first, and what is no good document is not signed. Hand both files on.
    """
    source = load([file], now_ms())[0]
    if source.converted:
        raise RaffinateError(
            f"{source.file} is JSON; `raffinate registry convert {source.file} FILE.toml` writes "
            "the bytes that count, sign those"
        )
    pair = _load_issuer(key)
    target = (out or file.parent) / f"{source.sha256}.dsse"
    write_new(target, dsse.sign(source.data, source.payload_type, pair))
    click.echo(f"{_words(source)}")
    click.echo(f"{printable(str(target))}: signed by key {pair.keyid[:16]}")


@licence.command()
@click.argument("file", type=_FILE)
@click.option(
    "--plain", is_flag=True, help="No passphrase: who can read the file can sign licences."
)
def issuer(file: Path, plain: bool) -> None:
    """Make an issuer's key in the new FILE: for an authority that signs its licences.

    The passphrase is asked for, or taken from RAFFINATE_PASSPHRASE_FILE or RAFFINATE_PASSPHRASE.
    What is printed goes to auditors, for `issuers` of their policies.
    """
    if file.exists():
        raise RaffinateError(f"{file} is there already; a key is never written over")
    private = ec.generate_private_key(ec.SECP256R1())
    write_private(file, private, None if plain else new_passphrase(file))
    spki = spki_of(private)
    click.echo(f"{file} ({'not encrypted' if plain else 'encrypted'}) stays with you")
    click.echo(f"key id {sha256(spki).hexdigest()}; for policies, `issuers` under [licences]:")
    click.echo(b64encode(spki).decode())


@licence.command("import")
@FILES
@click.option("--dry-run", is_flag=True, help="Check everything, take nothing.")
@ACTOR
@PLANT
@WAIT
@JSON
def import_(
    files: tuple[Path, ...], dry_run: bool, actor: str, plant: Path, wait_s: float, as_json: bool
) -> None:
    """Take licences into the registry and into force, all of the files or none.

    As `raffinate registry import`, for licences alone.
    """
    config = load_config(plant)
    import_files(files, config, actor, wait_s, dry_run=dry_run, as_json=as_json, only="licence")


def _load_issuer(path: Path) -> KeyPair:
    """Raises ConfigError."""
    private = load_private(path, ask_passphrase)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise ConfigError(
            f"{printable(str(path))} is no P-256 key; `raffinate licence issuer` makes one"
        )
    return KeyPair("issuer", private, spki_of(private))


def _words(source: Source) -> str:
    kind, name, version, _ = source.listed
    text = f"{kind} {name} version {version}"
    if isinstance(source.document, Licence):
        found = source.document
        text += f": {found.equipment}, {day(found.from_ms)} to {day(found.to_ms)} (UTC)"
        if found.revoked_ms is not None:
            text += f", revoked from {day(found.revoked_ms)} on"
    return text


def _signer(source: Source) -> str:
    if source.signature is None:
        return "not signed"
    keyid = dsse.decode_envelope(source.signature, SIGNED_BYTES_MAX).keyid
    return f"signed by key {keyid[:16]}; the auditor's policy says whether that counts"


def _json(source: Source) -> dict[str, object]:
    kind, name, version, replaces = source.listed
    keyid = None
    if source.signature is not None:
        keyid = dsse.decode_envelope(source.signature, SIGNED_BYTES_MAX).keyid
    return {
        "file": source.file,
        "kind": kind,
        "name": name,
        "version": version,
        "replaces": replaces,
        "sha256": source.sha256,
        "signedBy": keyid,
    }
