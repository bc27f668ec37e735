"""Other people's code on our published log: x/mod's sumdb, and Tessera's fsck."""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import threading
from base64 import b64decode, b64encode
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interop_tools import run_interop
from raffinate.tlog.note import Ed25519Signer
from raffinate.tlog.tiles import entries_path, tile_path
from raffinate.witness import folder as places
from raffinate.witness.decide import add_checkpoint
from raffinate.witness.protocol import format_request
from raffinate_rig.plugin import requires_tool
from test_sequencer import ORIGIN, SIGNERS, append, create, load

SIZES = (1, 2, 255, 256, 257, 65_535, 65_536, 65_537)
VKEYS = [signer.verifier.vkey() for signer in SIGNERS]
STRANGER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier.vkey()
FSCK_S = 30


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """{size: folder of the log when it had that size}; one log grown through all of them."""
    folder = tmp_path_factory.mktemp("walked")
    connection = create(folder)
    log = load(folder, connection)
    found = {}
    for size in SIZES:
        append(log, connection, [b"entry %d" % number for number in range(log.size, size)])
        found[size] = folder / str(size)
        # Published files are never written again, so a link is as good as a copy.
        shutil.copytree(folder / "log", found[size], copy_function=_link)
    yield found
    connection.close()


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "log.vkey"
    path.write_text(VKEYS[0])
    return path


@pytest.mark.parametrize("size", SIZES)
def test_sumdb_verifies_both_signatures_and_every_leaf(walked, size):
    done = run_interop("log", walked[size], *VKEYS)
    assert done.returncode == 0, done.stderr
    root = (walked[size] / "checkpoint").read_text().split("\n")[2]
    assert done.stdout == f"size {size} root {root} signatures 2\n"


@pytest.mark.parametrize("size", SIZES)
def test_tesseras_fsck_accepts(walked, size, key_file):
    root = b64decode((walked[size] / "checkpoint").read_text().split("\n")[2])
    assert fsck(walked[size], key_file) == (size, root.hex())


@pytest.mark.parametrize(
    "path",
    ["checkpoint", entries_path(0), entries_path(1, 1), tile_path(0, 0), tile_path(1, 0, 1)],
)
def test_a_changed_byte_is_refused_by_both(walked, tmp_path, path, key_file):
    copy = tmp_path / "log"
    shutil.copytree(walked[257], copy)
    data = bytearray((copy / path).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / path).write_bytes(data)
    assert run_interop("log", copy, *VKEYS).returncode == 1
    assert fsck(copy, key_file) is None


@pytest.mark.parametrize("path", ["checkpoint", entries_path(0), tile_path(0, 1, 1)])
def test_a_missing_file_is_refused_by_both(walked, tmp_path, path, key_file):
    copy = tmp_path / "log"
    shutil.copytree(walked[257], copy)
    (copy / path).unlink()
    assert run_interop("log", copy, *VKEYS).returncode == 1
    assert fsck(copy, key_file) is None


def test_junk_after_a_bundle_passes_fsck_and_not_our_checker(walked, tmp_path, key_file):
    copy = tmp_path / "log"
    shutil.copytree(walked[257], copy)
    with (copy / entries_path(1, 1)).open("ab") as bundle:
        bundle.write(b"\0\4junk")
    done = run_interop("log", copy, *VKEYS)
    assert (done.returncode, done.stdout) == (1, "")
    assert "entries, not 1" in done.stderr
    assert fsck(copy, key_file) is not None


def test_a_key_that_did_not_sign_is_refused(walked):
    done = run_interop("log", walked[2], *VKEYS, STRANGER)
    assert (done.returncode, done.stderr) == (1, "interop: 2 of 3 keys signed\n")


def test_a_witnesss_cosignature_is_verified_by_sumdbs_notes_and_fsck_passes_over_it(
    walked, tmp_path, key_file
):
    copy = tmp_path / "log"
    shutil.copytree(walked[257], copy)
    note = (copy / "checkpoint").read_bytes()
    places.init(tmp_path / "witness", "witness.example/w1")
    places.trust(tmp_path / "witness", ORIGIN, [VKEYS[0]])
    witness = places.Folder(tmp_path / "witness")
    answer = add_checkpoint(witness, format_request(0, [], note), 1_795_255_200)
    assert answer.status == 200, answer.body
    (copy / "checkpoint").write_bytes(note + answer.body)
    done = run_interop("log", copy, *VKEYS, witness.verifier.vkey())
    assert (done.returncode, done.stdout[-13:]) == (0, "signatures 3\n"), done.stderr
    assert fsck(copy, key_file) is not None
    cosignature = answer.body.split(b" ")[2].strip()
    for place in (11, -1):  # of the time, of the signature
        data = bytearray(b64decode(cosignature))
        data[place] ^= 1
        bad = answer.body.replace(cosignature, b64encode(data))
        (copy / "checkpoint").write_bytes(note + bad)
        done = run_interop("log", copy, *VKEYS, witness.verifier.vkey())
        assert (done.returncode, done.stdout) == (1, "")
        assert "invalid signature for key witness.example/w1" in done.stderr


def fsck(root, key_file):
    """Tessera's verdict on a folder, over HTTP: (size, root in hex) of its success line, or None.

    Its exit status is 0 even where it fails, and it may hang on a bad tile.
    """
    command = [requires_tool("tessera-fsck"), "-N", "4", "--ui=false"]
    command += ["--public_key", key_file, "--origin", ORIGIN]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, root)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        command += ["--storage_url", f"http://127.0.0.1:{server.server_port}/"]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=FSCK_S)
            said = done.stderr
        except subprocess.TimeoutExpired as error:
            said = error.stderr or b""
        finally:
            server.shutdown()
            thread.join()
    found = re.search(rb"Successfully fsck'd log with size (\d+) and root \S+ \((\w{64})\)", said)
    return (int(found[1]), found[2].decode()) if found else None


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root, *arguments):
        super().__init__(*arguments, directory=root)

    def log_message(self, *_):
        """Nothing: pytest shows what fails."""


def _link(source, target):
    Path(target).hardlink_to(source)
