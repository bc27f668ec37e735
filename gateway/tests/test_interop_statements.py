"""Other people's code on our statements: DSSE's and in-toto's libraries, and openssl by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from evidence_site import enrolled_site
from interop_tools import run_interop
from node_simulator import SimulatedNode, pair
from raffinate.evidence import dsse
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.tiles import bundles_of, decode_bundle, entries_path
from raffinate_rig.plugin import requires_tool

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "statement.md"
TYPE = "application/vnd.in-toto+json"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """(site folder, {keyid: (public key, its envelopes as logged)}) of a site that was used."""
    folder = tmp_path_factory.mktemp("site")
    site, (node,) = enrolled_site(folder)
    site.licence()
    site.tick(1000)
    made = [node.boot(), node.usage(), node.usage(0), node.gap(1, 3, 9), node.denial()]
    site.submit(node, *made)
    own = site.service._keys
    keys = [
        (node.keyid, node.pair.spki),
        (own.gateway.keyid, own.gateway.spki),
        (own.authority_keyid, own.authority_spki),
    ]
    site.close()
    found = {keyid: (dsse.public_key(spki), []) for keyid, spki in keys}
    for _, _, data in entries_of(folder / "data" / "log"):
        envelope = json.loads(data)
        if envelope["payloadType"] == TYPE:
            found[envelope["signatures"][0]["keyid"]][1].append(data)
    return folder, found


def entries_of(log):
    """(bundle's path, place in it, bytes) of every entry of a published log."""
    size = int((log / "checkpoint").read_text().split("\n")[1])
    for index, width in bundles_of(size):
        path = log / entries_path(index, width)
        for place, data in enumerate(decode_bundle(path.read_bytes(), width)):
            yield path, place, data


def pem(key):
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def changed_payload(data):
    envelope = dsse.decode_envelope(data)
    payload = envelope.payload.replace(b'"seq":', b'"seq":1')
    assert payload != envelope.payload
    return dsse.encode_envelope(payload, TYPE.encode(), envelope.keyid, envelope.signature)


def test_all_kinds_of_signers_are_in_the_log(logged):
    _, found = logged
    assert all(envelopes for _, envelopes in found.values())
    assert len(found) == 3


def test_the_go_libraries_of_dsse_and_in_toto_verify_and_read_every_statement(logged, tmp_path):
    key_file = tmp_path / "key.pem"
    for public, envelopes in logged[1].values():
        key_file.write_bytes(pem(public))
        text = b"\n".join(envelopes).decode()
        done = run_interop("statement", key_file, stdin=text)
        assert done.returncode == 0, done.stderr
        parsed = [json.loads(dsse.decode_envelope(data).payload) for data in envelopes]
        assert done.stdout.splitlines() == [
            f"{TYPE} {statement['predicateType']} {statement['predicate']['seq']}"
            for statement in parsed
        ]
        bad = run_interop("statement", key_file, stdin=changed_payload(envelopes[0]).decode())
        assert (bad.returncode, bad.stdout) == (1, "")
        assert "accepted signatures do not match" in bad.stderr


def test_the_python_libraries_of_dsse_and_in_toto_verify_and_read_every_statement(logged):
    for keyid, (public, envelopes) in logged[1].items():
        key = SSlibKey.from_crypto(public, keyid)
        for data in envelopes:
            envelope = Envelope.from_dict(json.loads(data))
            assert list(envelope.verify([key], 1)) == [keyid]
            message = json_format.Parse(envelope.payload, statement_pb2.Statement())
            statement = Statement.copy_from_pb(message)
            statement.validate()
            predicate = json.loads(envelope.payload)["predicate"]
            assert statement.pb.predicate["seq"] == predicate["seq"]
        with pytest.raises(VerificationError):
            Envelope.from_dict(json.loads(changed_payload(envelopes[0]))).verify([key], 1)


def test_every_predicate_of_a_node_reads_alike_in_go(tmp_path):
    node = SimulatedNode(equipment=("bat-ext", "bat-scrub", "bat-strip", "bat-wash"))
    made = [node.boot(), node.usage(), node.usage(0), node.gap(1, 3, 9), node.denial()]
    node.clock = "U"
    made += [node.usage(), node.denial("STARTED-ANYWAY")]
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(pem(node.pair.private.public_key()))
    done = run_interop("statement", key_file, stdin=b"\n".join(made).decode())
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(made)


def by_hand(folder, entries, number):
    """The page's own commands, in `folder`."""
    (block,) = re.findall(r"## By hand.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    environment = {**os.environ, "entries": str(entries), "number": str(number)}
    command = [requires_tool("sh"), "-eu", "-c", block]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def boot_in(folder):
    """(bundle's path, place in it, envelope) of the node's boot statement."""
    for bundle, place, data in entries_of(folder / "data" / "log"):
        payload = json.loads(dsse.decode_envelope(data).payload)
        if payload.get("predicateType") == "urn:raffinate:boot:v1":
            return bundle, place, data
    raise AssertionError("no boot in the log")


def test_openssl_alone_verifies_a_statement_as_the_page_says(logged, tmp_path):
    requires_tool("openssl")
    bundle, place, data = boot_in(logged[0])
    assert place > 0
    done = by_hand(tmp_path, bundle, place)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "statement.dsse").read_bytes() == data
    lines = done.stdout.splitlines()
    assert lines[0] == "Verified OK"
    keyid = json.loads(data)["signatures"][0]["keyid"]
    assert [line.split("= ")[1] for line in lines[1:]] == [keyid, leaf_hash(data).hex()]


def test_openssl_refuses_a_changed_statement_as_the_page_says(logged, tmp_path):
    requires_tool("openssl")
    _, _, data = boot_in(logged[0])
    envelope = dsse.decode_envelope(data)
    foreign = dsse.sign(envelope.payload, TYPE.encode(), pair(77))
    copy = tmp_path / "entries"
    copy.write_bytes(len(foreign).to_bytes(2, "big") + foreign)
    done = by_hand(tmp_path, copy, 0)
    assert done.returncode != 0
    assert "Verified OK" not in done.stdout
