"""`raffinate-verify` as its user runs it: state file, pin, period, processes; and `policy new`."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode

import pytest
from click.testing import CliRunner

from raffinate.audit.command import Order, run
from raffinate.audit.policy import parse_policy
from raffinate.audit.resume import StateFile
from raffinate.audit.source import open_source
from raffinate.audit.timestamp import TimestampError, read_timestamp
from raffinate.audit.verify import Checked, verify
from raffinate.cli.audit import audit
from raffinate.errors import ConfigError
from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint
from verify_story import Story, make


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A log of some bundles, and its policy file."""
    folder = tmp_path_factory.mktemp("large")
    story = Story(folder, rounds=400)
    story.finish()
    (folder / "policy.toml").write_text(story.maker.policy())
    return story


def order(story, **more):
    return Order(story.folder, story.folder.parent / "policy.toml", **more)


def test_processes_find_what_one_finds(large, tmp_path):
    one = run(order(large, processes=1, json=tmp_path / "one.json"))
    run(order(large, processes=2, json=tmp_path / "two.json"))
    texts = [json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json")]
    assert texts[0] == texts[1]
    assert one.verdict("authentic") == "PASS"


def test_what_breaks_off_goes_on_and_a_changed_bundle_is_not_believed(large, tmp_path, monkeypatch):
    monkeypatch.setattr("raffinate.audit.verify.SAVE_EVERY_BUNDLES", 1)
    state = StateFile(tmp_path / "state.json")

    class StopError(Exception):
        pass

    def stop(done, _total):
        if done >= 600:
            raise StopError

    policy = large.policy()
    with pytest.raises(StopError):
        verify(open_source(large.folder), policy, stop, memory=state)
    assert state.load(policy.digest).entries == 768
    assert state.load("another policy") == Checked()
    asked = []

    class Seen(StateFile):
        def load(self, digest):
            asked.append(super().load(digest).entries)
            return super().load(digest)

    result = verify(open_source(large.folder), policy, memory=Seen(tmp_path / "state.json"))
    assert asked == [768]
    assert result.verdict("authentic") == "PASS"

    changed = tmp_path / "changed"
    shutil.copytree(large.folder, changed)
    path = changed / "log" / "tile" / "entries" / "000"
    data = bytearray(path.read_bytes())
    place = data.rindex(b'"sig":"') + 30
    data[place] = ord("A") if data[place] != ord("A") else ord("B")
    path.write_bytes(data)
    result = verify(open_source(changed), policy, memory=state)
    assert result.counts["SIGNATURE"] == 1
    assert result.counts["ROOT"] == 1


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"v":1,"policy":"x"}'])
def test_a_state_that_cannot_be_read_counts_as_nothing(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_bytes(text)
    assert StateFile(path).load("x") == Checked()


def test_a_pin_is_a_checkpoint_of_the_policys_log(large, tmp_path):
    seen = tmp_path / "seen"
    shutil.copy(large.folder / "log" / "checkpoint", seen)
    assert run(order(large, pin=seen, processes=1)).counts["BUNDLE-OLD"] == 0
    story = Story(tmp_path / "older")
    story.finish()
    (tmp_path / "older" / "policy.toml").write_text(story.maker.policy())
    assert run(order(story, pin=seen)).counts["BUNDLE-OLD"] == 1
    seen.write_bytes(b"no checkpoint")
    with pytest.raises(ConfigError, match="--pin"):
        run(order(large, pin=seen))
    with pytest.raises(ConfigError, match="--policy"):
        run(Order(large.folder, pin=seen))


def test_a_period_beyond_the_bundle_is_told(large):
    result = run(order(large, end="2030-01-01T00:00:00Z", processes=1))
    assert result.counts["BUNDLE-OLD"] == 1
    with pytest.raises(ConfigError, match="--to yesterday"):
        run(order(large, end="yesterday"))


def test_the_command_prints_and_ends_as_documented(large):
    arguments = ["verify", str(large.folder), "--policy", str(large.folder.parent / "policy.toml")]
    done = CliRunner().invoke(audit, [*arguments, "--processes", "1"])
    assert done.exit_code == 3
    first = done.stdout.lstrip().splitlines()[0]
    assert "last anchor 2026-" in first
    assert first.endswith("unwitnessed suffix 0")
    assert "time of SN-0" in done.stdout


def new(folder, *arguments, **more):
    return CliRunner().invoke(audit, ["policy", "new", str(folder / "p.toml"), *arguments], **more)


def test_policy_new_writes_what_verifies_the_bundle_and_never_overwrites(large, tmp_path):
    maker = large.maker
    arguments = ["--yes", "--authority-key", b64encode(maker.authority.spki).decode()]
    for signer in maker.signers:
        arguments += ["--log-key", signer.verifier.vkey()]
    for path in sorted((large.folder / "licences").iterdir()):
        arguments += ["--licence", str(path)]
    arguments += ["--witness", maker.witness.verifier.vkey(), "--serial", "SN-0"]
    arguments += ["--gap-s-max", "60", "--pin", str(large.folder / "log" / "checkpoint")]
    done = new(tmp_path, *arguments)
    assert done.exit_code == 0, done.output
    found = parse_policy("p.toml", (tmp_path / "p.toml").read_text())
    assert (found.gap_s_max, found.quorum, found.pin[0]) == (60, 1, maker.log.size)
    result = run(Order(large.folder, tmp_path / "p.toml", processes=1))
    assert result.verdict("licence-conformant") == "PASS"
    again = new(tmp_path, *arguments)
    assert isinstance(again.exception, ConfigError)
    assert "there already" in str(again.exception)


def test_policy_new_asks_for_nothing_it_must_know_when_nobody_answers(tmp_path):
    done = new(tmp_path)
    assert isinstance(done.exception, ConfigError)
    assert not (tmp_path / "p.toml").exists()


def openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory):
    """A local time-stamp server: openssl, its own root and an EC signer."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "x.cnf").write_text(
        "[tsa]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=digitalSignature\n"
        "[ts]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
        "certs=ca.pem\nsigner_digest=sha256\ndefault_policy=1.2.3\ndigests=sha256\n"
    )
    (folder / "serial").write_text("01\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(
        "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca",
        folder=folder,
    )  # fmt: skip
    openssl(
        "req", *new_key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=t", folder=folder
    )
    openssl(
        "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "x.cnf", "-extensions", "tsa", "-out", "tsa.pem", folder=folder,
    )  # fmt: skip
    for name in ("ca", "tsa"):
        openssl(
            "x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der", folder=folder
        )
    return folder


def stamp(folder, text):
    (folder / "text").write_bytes(text)
    query = ["ts", "-query", "-data", "text", "-sha256", "-cert", "-out", "q"]
    openssl(*query, folder=folder)
    openssl(
        "ts", "-reply", "-config", "x.cnf", "-section", "t", "-queryfile", "q", "-out", "r",
        folder=folder,
    )  # fmt: skip
    return (folder / "r").read_bytes()


def certificate(folder, name):
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    return load_der_x509_certificate((folder / f"{name}.der").read_bytes())


def test_a_token_of_a_real_server_gives_its_time_and_nothing_else_does(tsa):
    head = Checkpoint(make.ORIGIN, 5, bytes(32))
    token = stamp(tsa, format_checkpoint(head))
    for name in ("ca", "tsa"):
        assert read_timestamp(token, head, [certificate(tsa, name)]) > 1_600_000_000_000
    with pytest.raises(TimestampError, match="none of the policy's"):
        read_timestamp(token, head, [])
    with pytest.raises(TimestampError, match="something else"):
        read_timestamp(token, Checkpoint(make.ORIGIN, 6, bytes(32)), [certificate(tsa, "ca")])


def test_any_changed_byte_of_a_token_gives_its_time_or_the_one_error(tsa):
    head = Checkpoint(make.ORIGIN, 5, bytes(32))
    token = stamp(tsa, format_checkpoint(head))
    trusted = [certificate(tsa, "ca")]
    time_ms = read_timestamp(token, head, trusted)
    for place in range(len(token)):
        changed = bytearray(token)
        changed[place] ^= 0x21
        try:
            assert read_timestamp(bytes(changed), head, trusted) == time_ms
        except TimestampError:
            continue


def test_a_stamped_head_bounds_time_without_a_witness(tsa, tmp_path):
    story = Story(tmp_path)
    log = story.maker.log
    head = Checkpoint(make.ORIGIN, log.size, log.root())
    token = stamp(tsa, format_checkpoint(head))
    digest = make.sha256(token).hexdigest()
    log.write(f"blobs/{digest}", token)
    trusted = (certificate(tsa, "ca"),)
    story.gateway(
        "time-anchor",
        kind="rfc3161",
        source="https://tsa.example",
        size=head.size,
        root=head.root.hex(),
        anchorMs=read_timestamp(token, head, trusted),
        token=digest,
    )
    result = story.judge(timestamps=trusted, witnesses=())
    assert result.counts["ANCHOR"] == 0
    assert result.anchored == head.size
    assert story.judge(finish=False, timestamps=(), witnesses=()).counts["NO-ANCHOR"] == 1
    foreign = (certificate(tsa, "ca"),)
    path = story.folder / "blobs" / digest
    path.write_bytes(token[:-1])
    assert story.judge(finish=False, timestamps=foreign).counts["ANCHOR"] == 1
