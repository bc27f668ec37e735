"""The offline verifier. Reaches only pure modules; files come in through a `Source`.

Order: manifest, checkpoint, then one pass over the entries that rebuilds every tile and checks
each statement as the roster stands at its index. Memory does not grow with the log.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.audit.entries import EntryChecker
from raffinate.audit.policy import Policy, policy_of_public
from raffinate.audit.result import Result
from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.tlog.checkpoint import Checkpoint, parse_checkpoint
from raffinate.tlog.hashing import leaf_hash, range_hash
from raffinate.tlog.note import NoteError, parse_note, verify_note
from raffinate.tlog.tiles import (
    TileError,
    TileReader,
    bundles_of,
    decode_bundle,
    entries_path,
    tile_path,
)
from raffinate.tlog.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.source import Source
    from raffinate.tlog.tiles import Subtree

MANIFEST = "MANIFEST.json"
PUBLIC = "keys.json"
CHECKPOINT = "log/checkpoint"
MANIFEST_BYTES_MAX = 32 * 1024 * 1024
_ROOTS_KEPT = 4096


def verify(
    source: Source, policy: Policy | None, progress: Callable[[int, int], None] | None = None
) -> Result:
    """Judge a bundle. `progress(entries done, entries)`. Raises BundleError when unreadable."""
    return _Verification(source, policy, progress).run()


class _Verification:
    def __init__(
        self,
        source: Source,
        policy: Policy | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        self._result = Result()
        self._progress = progress
        self._manifest: dict[str, tuple[int, str]] = {}
        self._unread: set[str] = set()
        self._envelope: dsse.Envelope | None = None
        self._policy = policy

    def run(self) -> Result:
        result = self._result
        manifest = self._read_manifest()
        policy = self._choose_policy()
        if policy is None:
            return result
        head = self._read_checkpoint(policy)
        if head is not None:
            checker = EntryChecker(policy, self._read_optional, self._root_at(head.size), result)
            self._walk(head, checker)
            self._check_pin(policy, head)
            checker.finish(manifest)
            self._check_manifest_signature(checker)
        for path in sorted(self._unread):
            self._read(path)
        return result

    def _choose_policy(self) -> Policy | None:
        if self._policy is not None:
            return self._policy
        self._result.add("UNTRUSTED-ROOT", "no policy was given")
        try:
            return policy_of_public(orjson.loads(self._read(PUBLIC) or b""))
        except (ConfigError, orjson.JSONDecodeError) as error:
            self._result.add(
                "MANIFEST", f"the bundle's own keys are unreadable: {error}", file=PUBLIC
            )
            return None

    def _read_manifest(self) -> dict[str, Any]:
        """Lists files with size and digest; its signature is checked when the roster is known."""
        paths = set(self._source.paths())
        try:
            data = self._source.read(MANIFEST)
            self._envelope = dsse.decode_envelope(data, MANIFEST_BYTES_MAX)
            value: dict[str, Any] = orjson.loads(self._envelope.payload)
            self._manifest = {
                str(item["path"]): (int(item["size"]), str(item["sha256"]))
                for item in value["files"]
            }
        except (KeyError, TypeError, ValueError, RejectedError) as error:
            self._result.add("MANIFEST", f"unreadable: {error}", file=MANIFEST)
            self._unread = paths - {MANIFEST}
            return {}
        for path in sorted(paths - set(self._manifest) - {MANIFEST}):
            self._result.add("FILE-EXTRA", f"{path} is not in the manifest", file=path)
        self._unread = set(self._manifest)
        return value

    def _check_manifest_signature(self, checker: EntryChecker) -> None:
        envelope = self._envelope
        if envelope is None:
            return
        key = checker.gateway_key(envelope.keyid)
        if key is None or envelope.payload_type != dsse.MANIFEST:
            self._result.add("MANIFEST", "not signed by an enrolled gateway key", file=MANIFEST)
            return
        try:
            dsse.verify(envelope, key)
        except RejectedError as error:
            self._result.add("MANIFEST", str(error), file=MANIFEST)

    def _read(self, path: str) -> bytes | None:
        """A file's bytes, held against the manifest; None with a finding when it is not there."""
        known = self._manifest.get(path)
        first = path in self._unread
        self._unread.discard(path)
        try:
            data = self._source.read(path)
        except KeyError:
            self._result.add("FILE-MISSING", f"{path} is not in the bundle", file=path)
            return None
        if first and known is not None and (len(data), sha256(data).hexdigest()) != known:
            self._result.add("FILE-CHANGED", f"{path} is not the file listed", file=path)
        return data

    def _read_optional(self, path: str) -> bytes | None:
        """A document's bytes; None without a finding when the manifest has it not."""
        return self._read(path) if path in self._manifest else None

    def _read_checkpoint(self, policy: Policy) -> Checkpoint | None:
        result = self._result
        result.origin = policy.origin
        data = self._read(CHECKPOINT)
        if data is None:
            return None
        try:
            note = parse_note(data)
            signers = verify_note(note, policy.log_keys)
            head = parse_checkpoint(note.text)
        except NoteError as error:
            result.add("CHECKPOINT", str(error), file=CHECKPOINT)
            return None
        result.size, result.root = head.size, head.root
        if head.origin != policy.origin:
            result.add("CHECKPOINT", f"it is of log {head.origin}", file=CHECKPOINT)
            return None
        if len(signers) != len(policy.log_keys):
            result.add("CHECKPOINT", "one of the log's signatures is missing", file=CHECKPOINT)
        return head

    def _check_pin(self, policy: Policy, head: Checkpoint) -> None:
        if policy.pin is None:
            return
        size, root = policy.pin
        if head.size < size:
            self._result.add("BUNDLE-OLD", f"size {head.size} is below the pinned {size}")
        elif self._root_at(head.size)(size) != root:
            self._result.add("PIN-MISMATCH", f"the root at size {size} is not the pinned one")

    def _root_at(self, size: int) -> Callable[[int], bytes | None]:
        """Roots of earlier sizes, from the bundle's tiles (which the walk holds to the entries)."""
        reader = TileReader(self._fetch, size)
        kept: dict[int, bytes | None] = {}

        def root_at(at: int) -> bytes | None:
            if at > size:
                return None
            if at not in kept:
                if len(kept) > _ROOTS_KEPT:
                    kept.clear()
                try:
                    kept[at] = range_hash(reader.node, 0, at)
                except (KeyError, TileError):
                    kept[at] = None
            return kept[at]

        return root_at

    def _fetch(self, path: str) -> bytes:
        return self._source.read(f"log/{path}")

    def _walk(self, head: Checkpoint, checker: EntryChecker) -> None:
        """One pass over the entries: check each, rebuild the tiles and compare."""
        tree = Tree(self._fetch)
        for bundle, width in bundles_of(head.size):
            path = f"log/{entries_path(bundle, width)}"
            entries = self._entries(path, width)
            if entries is None:
                self._result.add("ROOT", f"entry {tree.size} and what follows cannot be read")
                return
            for index, entry in enumerate(entries, tree.size):
                checker.check(index, entry)
            growth = tree.extend([leaf_hash(entry) for entry in entries])
            tree = growth.tree
            for level, tile, subtree in growth.completed:
                self._compare(level, tile, subtree)
            self._result.entries = tree.size
            if self._progress is not None:
                self._progress(tree.size, head.size)
        for level, tile, subtree in tree.edge():
            self._compare(level, tile, subtree)
        if tree.root() != head.root:
            self._result.add("ROOT", "the entries lead to another root than the checkpoint's")

    def _entries(self, path: str, width: int) -> list[bytes] | None:
        data = self._read(path)
        if data is None:
            return None
        try:
            return decode_bundle(data, width)
        except TileError as error:
            self._result.add("ENTRIES", str(error), file=path)
            return None

    def _compare(self, level: int, tile: int, subtree: Subtree) -> None:
        path = f"log/{tile_path(level, tile, len(subtree))}"
        data = self._read(path)
        if data is not None and data != b"".join(subtree.levels[0]):
            self._result.add("TILE", f"{path} is not what the entries give", file=path)
