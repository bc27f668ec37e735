"""`raffinate registry` and `raffinate licence` beside a real gateway: in, listed, held, killed."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from base64 import b64decode

import pytest
from click.testing import CliRunner

from gateway_process import ORIGIN, GatewayProcess
from raffinate.cli import main
from raffinate.config import load_config
from raffinate.config.template import write_template
from raffinate.errors import RejectedError
from raffinate.evidence import dsse, salted
from raffinate.evidence.ordering import read_roster
from raffinate.evidence.statement import parse_statement
from raffinate.keyfile import PASSPHRASE
from raffinate_rig.brokers import NatsBroker
from raffinate_rig.plugin import requires_tool
from registry_papers import digest, party

LICENCE = """number = "EX 2026/117"
issuer = "Authority of tests"
equipment = "{serial}"
stages = ["e01"]
from = 2026-11-01T00:00:00Z
to = 2030-11-01T00:00:00Z
grace_s = 20
"""


def run(*words, status=0):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    return done


def documents(data):
    """The bodies of `document` and `licence` statements in the published log."""
    roster, found = read_roster(data), []
    for index in range(roster.size):
        try:
            statement = parse_statement(dsse.decode_envelope(roster.entry(index)).payload)
        except RejectedError:
            continue
        if statement.type in ("document", "licence"):
            found.append(statement)
    return found


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    requires_tool("nats-server")
    folder = tmp_path_factory.mktemp("registry") / "plant"
    with NatsBroker(folder.parent / "nats") as broker:
        write_template(folder, listen_port=0, broker_port=broker.port)
        run("keys", "init", "--origin", ORIGIN, "--plant", folder / "plant.toml")
        with GatewayProcess(folder) as process:
            process.start()
            yield process


def give(plant, *words, status=0):
    return run(*words, "--plant", plant.plant, status=status)


def said_of(plant, name):
    return [s.body for s in documents(plant.folder / "data") if s.body.get("name") == name]


@pytest.mark.broker
def test_a_set_goes_in_is_listed_shown_and_resolved(plant, tmp_path):
    serial = next(iter(load_config(plant.plant).plant.equipment.values())).serial
    (tmp_path / "mw.toml").write_bytes(party("Magnet Works GmbH", "mw", 'aliases = ["磁铁制造"]\n'))
    (tmp_path / "l.toml").write_text(LICENCE.format(serial=serial))
    (tmp_path / "lot.json").write_text(
        json.dumps(
            {
                "kind": "lot",
                "id": "LOT-9",
                "element": "Nd",
                "purity_percent": 99.95,
                "mass": 12.5,
                "unit": "kg",
                "produced": "2026-11-02",
                "destination": "DE",
                "end_user": "mw",
                "consignee": "nobody",
                "end_use": "magnets",
            }
        )
    )
    files = [tmp_path / name for name in ("mw.toml", "l.toml", "lot.json")]
    (tmp_path / "issuer.key").unlink(missing_ok=True)
    run("licence", "issuer", tmp_path / "issuer.key", "--plain")
    run("licence", "sign", files[1], "--key", tmp_path / "issuer.key")
    dry = give(plant, "registry", "import", *files, "--dry-run")
    assert "nothing was taken" in dry.output
    assert "party nobody is not in the registry" in dry.output
    assert not said_of(plant, "mw")
    done = give(plant, "registry", "import", *files)
    assert "licence EX 2026/117 version 1: log entry" in done.output
    assert "JSON; kept as TOML" in done.output
    assert "1 signature(s) kept" in done.output
    again = give(plant, "registry", "import", *files)
    assert again.output.count("which it had before") == 3
    assert len(said_of(plant, "mw")) == 1

    rows = json.loads(give(plant, "registry", "list", "--json").output)
    shown = {(row["kind"], row["name"]): row for row in rows}
    assert shown["party", "mw"]["title"] == "Magnet Works GmbH"
    assert shown["licence", "EX 2026/117"]["signed"]
    assert "Magnet Works GmbH" in give(plant, "registry", "list", "party").output
    text = give(plant, "registry", "show", "party", "mw").output
    assert digest(files[0].read_bytes()) in text
    assert text.endswith(files[0].read_text())
    lot = json.loads(give(plant, "registry", "show", "lot", "LOT-9", "--json").output)
    assert lot["members"]["purity_percent"] == "99.95"
    missing = give(plant, "registry", "show", "party", "zz", status=1)
    # others of this kind are there in any order of the tests
    assert re.search(r"of this kind: (.*, )?mw\b", missing.output)
    found = give(plant, "registry", "resolve", "MAGNET WORKS LTD.")
    assert found.output.startswith("100  mw  Magnet Works GmbH  (party)")
    found = give(plant, "registry", "resolve", "磁铁制造有限公司")
    assert found.output.startswith("100  mw  磁铁制造")
    assert "no party" in give(plant, "registry", "resolve", "Quite Else").output


@pytest.mark.broker
def test_nothing_of_a_set_with_one_bad_file_goes_in(plant, tmp_path):
    good, bad, copy = (tmp_path / name for name in ("good.toml", "bad.toml", "copy.toml"))
    good.write_bytes(party("Good", "good"))
    bad.write_bytes(party("Bad", "bad", "colour = 1\n"))
    done = give(plant, "registry", "import", good, bad, status=2)
    assert "bad.toml line 5: colour is no key here" in done.output
    assert "nothing is done with any of the 2 files" in done.output
    copy.write_bytes(party("Good", "good", "# twice\n"))
    done = give(plant, "registry", "import", good, copy, status=2)
    assert "party good version 1 is in" in done.output
    assert not said_of(plant, "good")
    give(plant, "registry", "import", good)
    done = give(plant, "registry", "import", copy, status=2)
    assert "is there already with other bytes" in done.output
    done = give(plant, "licence", "import", good, status=1)
    assert "is a party, no licence" in done.output
    assert len(said_of(plant, "good")) == 1


@pytest.mark.broker
def test_a_gateway_killed_between_request_and_answer_takes_the_set_once(plant, tmp_path):
    files = [tmp_path / "one.toml", tmp_path / "two.toml"]
    files[0].write_bytes(party("One", "one"))
    files[1].write_bytes(party("Two", "two"))
    plant.process.send_signal(signal.SIGSTOP)
    done = give(plant, "registry", "import", *files, "--wait", "0", status=1)
    assert "did not answer within 0 s" in done.output
    plant.kill()
    refused = give(plant, "registry", "import", *files, status=1)
    assert "no gateway runs" in refused.output
    plant.start()
    give(plant, "registry", "import", *files)
    assert [len(said_of(plant, name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.broker
def test_holds_deletion_attachments_and_their_disclosure(plant, tmp_path):
    paper, file = tmp_path / "del.toml", tmp_path / "contract.pdf"
    paper.write_bytes(party("Delete me", "del"))
    file.write_bytes(b"%PDF secret words")
    give(plant, "registry", "import", paper)
    dry = give(plant, "registry", "delete", "party", "del", "--dry-run").output
    assert dry.startswith("it stays: ")
    assert "keeps it 5 years, until 203" in dry
    assert "in force: log" in give(
        plant, "registry", "hold", "add", "case-1", "--reason", "inquiry", "--file", file
    ).output.replace("is in force", "in force")
    assert "case-1: in force" in give(plant, "registry", "hold", "list").output
    done = give(plant, "registry", "delete", "party", "del", status=1)
    assert "in force is the hold case-1" in done.output
    dry = give(plant, "registry", "delete", "party", "del", "--dry-run").output
    assert "the hold case-1" in dry
    give(plant, "registry", "hold", "release", "case-1")
    assert "case-1: released by entry" in give(plant, "registry", "hold", "list").output

    done = give(plant, "registry", "attach", "C-88", file, "--json")
    row = json.loads(done.output)
    (said,) = said_of(plant, "C-88")
    assert said["sha256"] == row["sha256"]
    give(plant, "registry", "disclose", "attachment", "C-88", tmp_path / "out")
    (written,) = (tmp_path / "out").iterdir()
    assert digest(written.read_bytes()) == row["sha256"]
    assert salted.open_salted(written.read_bytes()) == ("contract.pdf", b"%PDF secret words")
    give(plant, "registry", "disclose", "hold", "case-1", tmp_path / "why")
    assert b"inquiry" in b"".join(path.read_bytes() for path in (tmp_path / "why").iterdir())


def test_licences_are_checked_and_signed_without_a_plant(tmp_path, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, "a long passphrase")
    key, file = tmp_path / "issuer.key", tmp_path / "a.toml"
    made = run("licence", "issuer", key)
    assert "(encrypted)" in made.output
    assert b"ENCRYPTED" in key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "never written over" in run("licence", "issuer", key, status=1).output
    file.write_text(LICENCE.format(serial="SN-1"))
    assert "not signed" in run("licence", "check", file).output
    run("licence", "sign", file, "--key", key)
    signed = tmp_path / f"{digest(file.read_bytes())}.dsse"
    envelope = dsse.decode_envelope(signed.read_bytes(), 1 << 20)
    assert (envelope.payload_type, envelope.payload) == (dsse.LICENCE, file.read_bytes())
    dsse.verify(envelope, dsse.public_key(_spki(made.output)))
    checked = json.loads(run("licence", "check", file, "--json").output)
    assert checked[0]["signedBy"] == envelope.keyid
    assert "there already" in run("licence", "sign", file, "--key", key, status=1).output
    monkeypatch.setenv(PASSPHRASE, "another passphrase")
    signed.unlink()
    assert "passphrase is wrong" in run("licence", "sign", file, "--key", key, status=2).output
    paper = tmp_path / "p.toml"
    paper.write_bytes(party())
    monkeypatch.setenv(PASSPHRASE, "a long passphrase")
    run("licence", "sign", paper, "--key", key, "--out", tmp_path)
    signed = tmp_path / f"{digest(party())}.dsse"
    assert dsse.decode_envelope(signed.read_bytes()).payload_type == dsse.DOCUMENT
    paper.write_bytes(party("Other"))
    signed.rename(tmp_path / "p.toml.dsse")
    assert "signs other bytes" in run("licence", "check", paper, status=2).output


def test_licences_that_cannot_stand_together_are_refused_together(tmp_path):
    one, two, three = (tmp_path / f"{name}.toml" for name in ("one", "two", "three"))
    one.write_text(LICENCE.format(serial="SN-1"))
    two.write_text(LICENCE.format(serial="SN-2"))
    done = run("licence", "check", one, two, status=2)
    assert "EX 2026/117 version 1 is in" in done.output
    three.write_text(f'{LICENCE.format(serial="SN-1")}version = 2\nreplaces = "{"0" * 64}"\n')
    assert "replaces" in run("licence", "check", one, three, status=2).output
    two.write_text(LICENCE.format(serial="SN-1").replace("2030", "2025"))
    assert "not after `from`" in run("licence", "check", two, status=2).output
    assert "cannot be read" in run("licence", "check", tmp_path / "none.toml", status=2).output


def test_json_is_converted_and_then_counts_as_toml(tmp_path):
    file, target = tmp_path / "p.json", tmp_path / "p.toml"
    file.write_text('{"kind": "party", "id": "mw", "names": ["MW"], "country": "DE"}')
    assert "party mw version 1" in run("registry", "convert", file, target).output
    assert target.read_text() == 'kind = "party"\nid = "mw"\nnames = ["MW"]\ncountry = "DE"\n'
    run("licence", "issuer", tmp_path / "k", "--plain")
    done = run("licence", "sign", file, "--key", tmp_path / "k", status=1)
    assert "registry convert" in done.output


def _spki(output):
    return b64decode(output.strip().splitlines()[-1])


def test_a_pipe_in_place_of_a_file_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    assert "it is a pipe" in run("licence", "check", tmp_path / "pipe.toml", status=2).output


_RULING = "a\n\x1b[2J\u202e"
_NAMED = "a\\n\\x1b[2J\\u202e"


@pytest.mark.parametrize("name", [_RULING, "a\n\udcff\x1b[2J"])
@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (".toml", "colour = 1\n"),
        (".toml", None),
        (".json", "{"),
        (".json", '{"kind": "party", "id": "mw", "name": "Magnet Works"}'),
    ],
)
def test_a_files_name_does_not_rule_the_terminal(tmp_path, name, ending, text):
    write_template(tmp_path / "plant", listen_port=0)
    file = tmp_path / f"{name}{ending}"
    if text is not None:
        file.write_text(text)
    private = tmp_path / "issuer.pem"
    run("licence", "issuer", private, "--plain")
    plant = ("--dry-run", "--plant", tmp_path / "plant" / "plant.toml")
    for words in (
        ("registry", "import", file, *plant),
        ("licence", "import", file, *plant),
        ("licence", "check", file),
        ("licence", "check", "--json", file),
        ("licence", "sign", "--key", private, file),
        ("regime", "check", file),
        ("regime", "show", "--file", file),
    ):
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code in (0, 1, 2), (words, done.output)
        assert not {"\x1b", "\u202e", "\udcff"} & set(done.output), done.output
        assert not any(line.startswith(name[2:]) for line in done.output.splitlines())


def test_a_name_that_would_rule_the_terminal_is_spelt_out(tmp_path):
    (tmp_path / f"{_RULING}.toml").write_bytes(party())
    done = run("licence", "check", tmp_path / f"{_RULING}.toml")
    assert f"{_NAMED}.toml: party mw version 1" in done.output
    broken = tmp_path / f"{_RULING}{_RULING}.toml"
    broken.write_text("colour = 1")
    assert f"{_NAMED}{_NAMED}.toml" in run("regime", "check", broken, status=2).output
    (tmp_path / f"{_RULING}.toml.dsse").write_bytes(b"junk")
    done = run("licence", "check", tmp_path / f"{_RULING}.toml", status=2)
    assert f"{_NAMED}.toml.dsse: no signature" in done.output
