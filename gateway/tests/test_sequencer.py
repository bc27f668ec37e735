"""The log's commit: order, publication, and a crash or a failed write at every step."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.errors import StorageFullError
from raffinate.tlog.checkpoint import open_checkpoint
from raffinate.tlog.hashing import leaf_hash, range_hash
from raffinate.tlog.note import EcdsaSigner, Ed25519Signer
from raffinate.tlog.proof import verify_inclusion
from raffinate.tlog.publish import Folder, PublishedError
from raffinate.tlog.sequencer import SCHEMA, UNPUBLISHED_MAX, LogStateError, Sequencer
from raffinate.tlog.tiles import (
    TileError,
    TileReader,
    bundles_of,
    check_bundle,
    decode_bundle,
    decode_tile,
    encode_bundle,
    entries_path,
    tile_path,
    tiles_of,
)

ORIGIN = "demo.example/raffinate/ndpr"
SIGNERS = (
    Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
    EcdsaSigner(ORIGIN, ec.derive_private_key(7, ec.SECP256R1())),
)


class CrashError(Exception):
    """The process ends here."""


class FaultyFolder(Folder):
    """Fails or crashes at the n-th publication step, before or after it took effect."""

    def __init__(self, root, step=-1, after=False, error=None):
        super().__init__(root)
        self.step, self.after, self.error = step, after, error or CrashError()

    def _maybe(self, act):
        self.step -= 1
        if self.step == -1 and not self.after:
            raise self.error
        act()
        if self.step == -1:
            raise self.error

    def replace(self, path, data):
        self._maybe(lambda: super(FaultyFolder, self).replace(path, data))

    def remove_tree(self, path):
        self._maybe(lambda: super(FaultyFolder, self).remove_tree(path))

    def _write_part(self, target, data, parts):
        self._maybe(lambda: super(FaultyFolder, self)._write_part(target, data, parts))

    def _rename(self, target):
        self._maybe(lambda: super(FaultyFolder, self)._rename(target))

    def _sync_folder(self, folder):
        self._maybe(lambda: super(FaultyFolder, self)._sync_folder(folder))


def connect(folder):
    connection = sqlite3.connect(folder / "evidence.sqlite", isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
    return connection


def create(folder):
    connection = connect(folder)
    Sequencer.create(connection, ORIGIN, SIGNERS, 0)
    return connection


def load(folder, connection, **fault):
    return Sequencer(connection, FaultyFolder(folder / "log", **fault), ORIGIN, SIGNERS)


def append(log, connection, entries, time_ms=1, publish=True):
    batch = log.prepare(entries, time_ms)
    connection.execute("BEGIN IMMEDIATE")
    log.record(batch)
    connection.execute("COMMIT")
    log.adopt(batch)
    if publish:
        log.publish()
    return batch


def entry(number):
    return b"entry %d" % number * (1 + number % 3)


def check_published(folder, size):
    """The whole folder is exactly the log of entry(0) .. entry(size - 1)."""
    root = folder / "log"
    verifiers = [signer.verifier for signer in SIGNERS]
    head = open_checkpoint((root / "checkpoint").read_bytes(), ORIGIN, verifiers)
    assert head.size == size
    seen = []
    for index, width in bundles_of(size):
        entries = decode_bundle((root / entries_path(index, width)).read_bytes(), width)
        tile = (root / tile_path(0, index, width)).read_bytes()
        check_bundle(entries, decode_tile(tile, width))
        seen += entries
    assert seen == [entry(number) for number in range(size)]
    reader = TileReader(lambda path: (root / path).read_bytes(), size)
    assert range_hash(reader.node, 0, size) == head.root
    for level, index, width in tiles_of(size):
        assert len((root / tile_path(level, index, width)).read_bytes()) == 32 * width
    leftovers = [path for path in root.rglob("*.part") if path.is_file()]
    assert not leftovers


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 513])
def test_published_files_are_those_of_the_size(tmp_path, size):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(number) for number in range(size)])
    check_published(tmp_path, size)
    partial_folders = list((tmp_path / "log").rglob("*.p"))
    assert len(partial_folders) == sum(width < 256 for _, _, width in tiles_of(size)) + (
        size % 256 > 0
    )
    prover = log.prover()
    for index in {0, size // 2, size - 1}:
        assert log.entry(index) == entry(index)
        verify_inclusion(leaf_hash(entry(index)), index, size, prover.path(index), log.root)


@pytest.mark.parametrize("size", [65535, 65536, 65537, 70000])
def test_tiles_of_large_logs(tmp_path, size):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [b"%d" % number for number in range(size)])
    widths = {}
    for level, index, width in tiles_of(size):
        data = (tmp_path / "log" / tile_path(level, index, width)).read_bytes()
        assert len(data) == 32 * width
        widths.setdefault(level, []).append(width)
    assert [sum(widths[level]) for level in sorted(widths)] == [
        size >> (8 * level) for level in range(3) if size >> (8 * level)
    ]
    if size == 70000:
        assert (widths[0].count(256), widths[0][-1]) == (273, 112)
        assert (widths[1], widths[2]) == ([256, 17], [1])
    again = load(tmp_path, connection)
    assert (again.size, again.root) == (size, log.root)


def test_tile_paths_are_grouped_by_thousands():
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 5, 17) == "tile/1/005.p/17"
    assert entries_path(0, 1) == "tile/entries/000.p/1"
    with pytest.raises(TileError):
        tile_path(0, 0, 0)


def test_bundles_with_junk_or_cut_short_are_refused():
    data = encode_bundle([b"a", b"bc"])
    assert decode_bundle(data, 2) == [b"a", b"bc"]
    for bad, width in (
        (data + b"\0\1x", 2),
        (data[:-1], 2),
        (data, 3),
        (data, 1),
        (data + b"\0", 3),
    ):
        with pytest.raises(TileError):
            decode_bundle(bad, width)
    with pytest.raises(TileError):
        encode_bundle([b"x" * 65536])


@pytest.mark.parametrize("first", [3, 250, 255, 256])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_every_publication_step_recovers_by_loading(tmp_path, first, after):
    for step in range(40):
        folder = tmp_path / f"{step}"
        folder.mkdir()
        connection = create(folder)
        log = load(folder, connection)
        append(log, connection, [entry(number) for number in range(first)])
        before = {path: path.read_bytes() for path in (folder / "log").rglob("*") if path.is_file()}
        log = load(folder, connection, step=-1)
        log._folder.step, log._folder.after = step, after
        crashed = False
        try:
            append(log, connection, [entry(number) for number in range(first, first + 10)])
        except CrashError:
            crashed = True
        connection.close()
        connection = connect(folder)
        log = load(folder, connection)
        assert log.size == first + 10
        check_published(folder, first + 10)
        for path, data in before.items():
            if path.name != "checkpoint" and path.exists():
                assert path.read_bytes() == data
        append(log, connection, [entry(number) for number in range(first + 10, first + 11)])
        check_published(folder, first + 11)
        connection.close()
        if not crashed:
            assert step > 6
            return
    raise AssertionError("no step count reached the end of the publication")


@pytest.mark.parametrize("after", [False, True])
def test_batches_that_are_published_together_recover_from_a_crash_at_every_step(tmp_path, after):
    widths = (3, 250, 1, 300)
    size = 5 + sum(widths)
    for step in range(40):
        folder = tmp_path / f"{step}"
        folder.mkdir()
        connection = create(folder)
        log = load(folder, connection)
        append(log, connection, [entry(number) for number in range(5)])
        log = load(folder, connection)
        for width in widths:
            made = [entry(number) for number in range(log.size, log.size + width)]
            append(log, connection, made, publish=False)
        check_published(folder, 5)
        assert [log.entry(number) for number in range(size)] == [entry(n) for n in range(size)]
        log._folder.step, log._folder.after = step, after
        crashed = False
        try:
            log.publish()
        except CrashError:
            crashed = True
        connection.close()
        connection = connect(folder)
        log = load(folder, connection)
        check_published(folder, size)
        append(log, connection, [entry(size)])
        check_published(folder, size + 1)
        staged = connection.execute("SELECT first FROM log_staged").fetchall()
        assert staged == [(size,)]
        connection.close()
        if not crashed:
            assert step > 6
            return
    raise AssertionError("no step count reached the end of the publication")


def test_only_so_many_batches_wait_for_their_publication(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    for number in range(UNPUBLISHED_MAX):
        append(log, connection, [entry(number)], publish=False)
    assert not (tmp_path / "log" / tile_path(0, 0, 1)).exists()
    append(log, connection, [entry(UNPUBLISHED_MAX)], publish=False)
    check_published(tmp_path, UNPUBLISHED_MAX)


def test_tiles_not_published_yet_are_read_from_memory(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(number) for number in range(600)], publish=False)
    log._tree._full._cache.clear()
    leaves = [leaf_hash(entry(number)) for number in range(600)]
    assert [log.leaf(number) for number in range(600)] == leaves


def test_a_batch_that_was_not_committed_never_happened(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(0)])
    batch = log.prepare([b"lost"], 2)
    connection.execute("BEGIN IMMEDIATE")
    log.record(batch)
    connection.execute("ROLLBACK")
    assert log.size == 1
    append(log, connection, [entry(1)])
    check_published(tmp_path, 2)
    connection.close()
    connection = connect(tmp_path)
    assert load(tmp_path, connection).size == 2


def test_a_full_disk_while_publishing_holds_the_log_until_there_is_room(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(0)])
    log._folder.step, log._folder.error = 1, StorageFullError("full")
    with pytest.raises(StorageFullError):
        append(log, connection, [entry(1)])
    assert log.size == 2
    log._folder.step = 0
    with pytest.raises(StorageFullError):
        log.prepare([entry(2)], 3)
    append(log, connection, [entry(2)])
    check_published(tmp_path, 3)


def test_a_published_file_with_other_bytes_is_named_and_not_overwritten(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(0)])
    target = tmp_path / "log" / tile_path(0, 0, 2)
    target.write_bytes(b"other")
    with pytest.raises(PublishedError, match=r"000\.p/2"):
        append(log, connection, [entry(1)])
    assert target.read_bytes() == b"other"


def test_two_writers_are_told_apart_by_compare_and_swap(tmp_path):
    connection = create(tmp_path)
    one, other = load(tmp_path, connection), load(tmp_path, connection)
    append(one, connection, [entry(0)])
    batch = other.prepare([b"fork"], 2)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogStateError, match="another process"):
        other.record(batch)
    connection.execute("ROLLBACK")
    check_published(tmp_path, 1)


def test_a_rolled_back_database_is_refused(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(0)])
    old = connection.serialize()
    append(log, connection, [entry(1)])
    connection.close()
    for name in ("evidence.sqlite", "evidence.sqlite-wal", "evidence.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "evidence.sqlite").write_bytes(old)
    connection = connect(tmp_path)
    with pytest.raises(LogStateError, match="older than what was published"):
        load(tmp_path, connection)


def test_a_changed_right_edge_is_refused(tmp_path):
    connection = create(tmp_path)
    log = load(tmp_path, connection)
    append(log, connection, [entry(0), entry(1)])
    append(log, connection, [entry(2)])
    target = tmp_path / "log" / tile_path(0, 0, 2)
    data = bytearray(target.read_bytes())
    data[0] ^= 1
    target.write_bytes(data)
    with pytest.raises((LogStateError, TileError)):
        load(tmp_path, connection)


def test_other_keys_do_not_open_the_log(tmp_path):
    connection = create(tmp_path)
    other = (SIGNERS[0], EcdsaSigner(ORIGIN, ec.derive_private_key(8, ec.SECP256R1())))
    third = (
        Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32))),
        other[1],
    )
    with pytest.raises(LogStateError, match="keys folder"):
        Sequencer(connection, Folder(tmp_path / "log"), ORIGIN, third)


_CHILD = """
import sys; from pathlib import Path
sys.path.insert(0, {tests!r})
from importlib import util
spec = util.spec_from_file_location("seq", {file!r}); seq = util.module_from_spec(spec)
sys.modules["seq"] = seq; spec.loader.exec_module(seq)
folder = Path({folder!r}); connection = seq.connect(folder)
log = seq.Sequencer(connection, seq.Folder(folder / "log"), seq.ORIGIN, seq.SIGNERS)
while True:
    first = log.size
    made = [seq.entry(n) for n in range(first, first + 1 + first % 7)]
    seq.append(log, connection, made, publish=first % 3 == 0)
    print(log.size, flush=True)
"""


def test_kill_at_random_instants_loses_nothing_that_was_told(tmp_path):
    create(tmp_path).close()
    told = 0
    for round_number in range(6):
        code = _CHILD.format(tests=str(Path(__file__).parent), file=__file__, folder=str(tmp_path))
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        for _ in range(3 + 5 * round_number):
            told = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in child.communicate()[0].split(b"\n")[:-1])])
        connection = connect(tmp_path)
        log = load(tmp_path, connection)
        assert log.size >= told
        check_published(tmp_path, log.size)
        connection.close()
