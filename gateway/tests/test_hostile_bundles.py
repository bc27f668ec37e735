"""Bundles made to hurt who opens them: each is judged or refused in words, and nothing leaks."""

from __future__ import annotations

import io
import os
import resource
import shutil
import zipfile
import zlib
from hashlib import sha256

import orjson
import pytest

from raffinate.audit.report import as_text
from raffinate.audit.source import FILE_BYTES_MAX, BundleError, open_source
from raffinate.audit.verify import MANIFEST, verify
from raffinate.evidence import dsse
from raffinate.keys import load_gateway_keys
from test_bundle_verify import Audit


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """An honest bundle, its site's gateway keys and the auditor's policy."""
    audit = Audit(tmp_path_factory.mktemp("site"))
    audit.run()
    bundle = audit.export()
    yield bundle, load_gateway_keys(audit.site.keys), audit.policy()
    audit.site.close()


class Hostile:
    """A copy of the bundle that the gateway's own key signs again."""

    def __init__(self, story, folder):
        bundle, self.keys, self.policy = story
        self.folder = shutil.copytree(bundle, folder / "bundle")

    def rewrite(self, edit):
        path = self.folder / MANIFEST
        payload = dsse.decode_envelope(path.read_bytes(), 1 << 25).payload
        path.write_bytes(dsse.sign(edit(payload), dsse.MANIFEST, self.keys.gateway))

    def list(self, path, data):
        item = {"path": path, "size": len(data), "sha256": sha256(data).hexdigest()}

        def edit(payload):
            manifest = orjson.loads(payload)
            manifest["files"].append(item)
            return orjson.dumps(manifest)

        self.rewrite(edit)

    def verify(self):
        return verify(open_source(self.folder), self.policy)


@pytest.fixture
def hostile(story, tmp_path):
    return Hostile(story, tmp_path)


def test_a_manifest_s_paths_do_not_leave_the_bundle(hostile, tmp_path):
    """A device or a pipe could be opened by them, and a file's digest told by the finding."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (hostile.folder / "linked").symlink_to(outside)
    hidden = (
        str(outside / "secret"), "../outside/secret", "log/../../outside/secret", "linked/secret",
        "./log/checkpoint", "log//checkpoint", "", ".", "..", "x" * 5000, "a/" * 3000 + "b", "a\0b",
    )  # fmt: skip
    source = open_source(hostile.folder)
    for path in hidden:
        with pytest.raises(KeyError):
            source.read(path)
    for path in hidden:
        hostile.list(path, b"secret")
    result = hostile.verify()
    assert result.verdict("authentic") == "FAIL"
    assert result.counts["FILE-MISSING"] == len(hidden)


def test_a_folder_behind_a_link_is_not_read(hostile, tmp_path):
    (hostile.folder / "log").rename(tmp_path / "log")
    (hostile.folder / "log").symlink_to(tmp_path / "log")
    result = hostile.verify()
    assert result.verdict("authentic") == "FAIL"
    assert result.counts["FILE-MISSING"] > 1


def test_a_pipe_in_a_file_s_place_is_a_missing_file(hostile):
    (hostile.folder / "log" / "checkpoint").unlink()
    os.mkfifo(hostile.folder / "log" / "checkpoint")
    assert "FILE-MISSING" in hostile.verify().counts


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"null", b"9" * 5000])
def test_numbers_that_are_none_make_no_manifest(hostile, number):
    hostile.rewrite(lambda data: data.replace(b'"size":', b'"size":' + number + b',"was":', 1))
    result = hostile.verify()
    assert result.first("authentic").code == "MANIFEST"
    assert result.verdict("authentic") == "FAIL"


def test_names_do_not_rule_the_terminal(hostile):
    """A name could clear the screen and write PASS, or make the report impossible to print."""
    for name in (b"\x1b[2J\x1b[Hauthentic PASS", b"a\nauthentic PASS", b"\xff", b"\xe2\x80\xae"):
        (hostile.folder / os.fsdecode(name)).write_bytes(b"")
    text = as_text(hostile.verify())
    text.encode()
    assert text.replace("\n", "").isprintable()
    assert "\nauthentic PASS" not in text
    assert "FILE-EXTRA" in text


def pack(folder, **more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", more.pop("method", zipfile.ZIP_DEFLATED)) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(folder).as_posix())
        for name, data in more.items():
            target.writestr(name, data)
    return bytearray(out.getvalue())


def headers(data):
    """Where each file's two headers stand: (mark of the file's own, mark of the directory's)."""
    for mark in (b"PK\3\4", b"PK\1\2"):
        at = data.find(mark)
        while at >= 0:
            yield mark[2] == 3, at
            at = data.find(mark, at + 4)


def judged(path, data, policy):
    path.write_bytes(data)
    return verify(open_source(path), policy)


def set_all(data, own, listed, value):
    for is_own, at in headers(data):
        place = own if is_own else listed
        if place is not None:
            data[at + place : at + place + len(value)] = value


@pytest.mark.parametrize(
    ("own", "listed", "value"),
    [
        (6, 8, b"\1\0"),  # encrypted
        (8, 10, b"\x63\0"),  # an unknown method
        (8, 10, b"\x0c\0"),  # bzip2
        (None, 6, b"\xff\0"),  # a version to come
        (None, 24, b"\1\0\0\0"),  # size
        (None, 42, b"\xff\xff\xff\x7f"),  # offset
        (60, None, b"\xff" * 200),  # junk for deflated bytes
        (30, 46, b"\0"),  # a name that begins with NUL
    ],
)
def test_an_odd_zip_is_refused_in_words(hostile, tmp_path, own, listed, value):
    data = pack(hostile.folder)
    set_all(data, own, listed, value)
    with pytest.raises(BundleError) as error:
        judged(tmp_path / "bundle.zip", data, hostile.policy)
    assert str(error.value).isprintable()


def test_a_name_in_no_encoding_is_refused_in_words(hostile, tmp_path):
    data = pack(hostile.folder)
    set_all(data, 6, 8, b"\0\x08")
    set_all(data, 30, 46, b"\xff")
    with pytest.raises(BundleError):
        judged(tmp_path / "bundle.zip", data, hostile.policy)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_unpacks_piece_by_piece_is_unpacked(hostile, tmp_path, method):
    with pytest.raises(BundleError, match="neither stored nor deflated"):
        judged(tmp_path / "bundle.zip", pack(hostile.folder, method=method), hostile.policy)


def test_a_file_that_unpacks_to_more_than_it_says_takes_no_memory(hostile, tmp_path):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 22)
    bomb = b"".join(packer.compress(piece) for _ in range(100)) + packer.flush()
    (hostile.folder / "log" / "checkpoint").unlink()
    data = pack(hostile.folder, **{"log/checkpoint": b"x" * 10})
    at = data.rfind(b"PK\3\4")
    begin = data.find(b"PK\1\2")
    listed = data.rfind(b"PK\1\2")
    data[listed + 20 : listed + 24] = len(bomb).to_bytes(4, "little")
    data[at + 8 : at + 10] = data[listed + 10 : listed + 12] = b"\x08\0"
    own = 30 + len("log/checkpoint")
    grown = len(bomb) - (begin - at - own)
    data[at + own : begin] = bomb
    end = data.rfind(b"PK\5\6")
    data[end + 16 : end + 20] = (begin + grown).to_bytes(4, "little")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError, match="checkpoint"):
        judged(tmp_path / "bundle.zip", data, hostile.policy)
    used_bytes = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert used_bytes < 2 * FILE_BYTES_MAX


@pytest.mark.parametrize("log", [b"[5]", b"[null]", b'[["a"]]', b"[{}]", b'{"a": 1}', b'"a"', b"5"])
def test_a_bundle_s_own_keys_that_are_none_are_unreadable(hostile, log):
    data = b'{"log": ' + log + b', "keys": {"authority": 5}, "origin": 1}'
    (hostile.folder / "keys.json").write_bytes(data)
    result = verify(open_source(hostile.folder), None)
    assert result.verdict("authentic") == "FAIL"
    assert "MANIFEST" in result.counts
