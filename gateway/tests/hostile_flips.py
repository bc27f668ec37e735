"""Every single-bit flip of a bundle's files, each judged whole; runs in processes of its own.

What is computed of unchanged bytes (signatures, parsed statements) is the same for every flip: it
is kept from one run over the unchanged bundle, and nothing is kept of a flipped one.
"""

from __future__ import annotations

import gc

from raffinate.audit import conformity, documents, entries, machines, reader
from raffinate.audit import verify as verifying
from raffinate.audit.policy import parse_policy
from raffinate.audit.report import EXIT_FAIL, as_text, exit_status
from raffinate.evidence import dsse
from raffinate.tlog.cosignature import CosignatureVerifier
from raffinate.tlog.note import EcdsaVerifier, Ed25519Verifier

PURE = (
    (dsse, "public_key"),
    (dsse, "verify"),
    (dsse, "verify_digest"),
    (dsse, "decode_envelope"),
    (entries, "parse_statement"),
    (reader, "parse_statement"),
    (documents, "parse_licence"),
    (conformity, "parse_permit"),
    (machines, "loads"),
    (verifying, "parse_note"),
    (Ed25519Verifier, "verify"),
    (EcdsaVerifier, "verify"),
    (CosignatureVerifier, "verify"),
)


class Held:
    """A bundle folder's files in memory: what `FolderSource` gives."""

    def __init__(self, files):
        self.files = dict(files)
        self._paths = sorted(self.files)

    def paths(self):
        return self._paths

    def read(self, path):
        return self.files[path]


def read_folder(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def flip_all(files, policy_text, share, shares):
    """(flips tried, those not found): every `shares`-th byte of every file, all of its bits."""
    policy = parse_policy("policy", policy_text)
    keep_what_is_unchanged(files, policy)
    tried, missed, told = 0, [], set()
    for path, data in files.items():
        flipped = bytearray(data)
        source = Held(files)
        for place in range(share, len(data), shares):
            for bit in range(8):
                flipped[place] ^= 1 << bit
                source.files[path] = bytes(flipped)
                flipped[place] ^= 1 << bit
                tried += 1
                found = judge(source, policy, told)
                if found != (EXIT_FAIL, "FAIL"):
                    missed.append((path, place, bit, found))
    return tried, missed


def judge(source, policy, told):
    """(exit status, authentic); the traceback's last line instead where there is one."""
    try:
        result = verifying.verify(source, policy)
        kinds = frozenset(result.counts)
        if kinds not in told:  # the text is made of each kind of outcome once
            told.add(kinds)
            as_text(result)
        return exit_status(result), result.verdict("authentic")
    except Exception as error:  # noqa: BLE001 - any traceback is what is looked for
        return repr(error)


def keep_what_is_unchanged(files, policy):
    """Wrap the pure functions; what they give for the unchanged bundle is kept."""
    kept = [_Kept(owner, name) for owner, name in PURE]
    verifying.verify(Held(files), policy)
    for one in kept:
        one.learns = False
    gc.freeze()  # what is kept is not looked through again and again


class _Kept:
    """A pure function that remembers what it gave while `learns`.

    Keys and verifiers are told apart by identity; the memory holds them, so that none is reused.
    """

    def __init__(self, owner, name):
        self.function, self.outcomes, self.learns = getattr(owner, name), {}, True
        setattr(owner, name, lambda *arguments: self.call(arguments))

    def call(self, arguments):
        key = tuple(
            one if isinstance(one, (bytes, str, int, tuple)) else id(one) for one in arguments
        )
        known = self.outcomes.get(key)
        if known is not None:
            return known[0]
        found = self.function(*arguments)
        if self.learns:
            self.outcomes[key] = found, arguments
        return found
