"""Roster, activities and closes by the commands, beside a real gateway, judged by the verifier."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from gateway_process import ORIGIN, Board, GatewayProcess, until
from node_simulator import pair
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify as judge
from raffinate.cli import main
from raffinate.config.template import write_template
from raffinate.evidence.codes import format_code
from raffinate.evidence.ordering import read_roster
from raffinate.evidence.petition import operator, read_entry
from raffinate.evidence.requests import format_request
from raffinate.keyfile import PASSPHRASE
from raffinate.keys import load_gateway_keys
from raffinate.tlog.publish import replace_file

pytestmark = pytest.mark.broker
SECRET = "correct horse battery"  # noqa: S105 - of this test
HARMLESS = {
    "UNTRUSTED-ROOT",
    "KEY-REPLACED",
    "KEY-ROTATED",
    "REVOCATION",
    "FRAMES-ABSENT",
    "NO-ANCHOR",
    "DESCRIPTOR-ABSENT",
}


def run(*words, code=0):
    """A command in this process; its standard output."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == code, (words, done.output, done.exception)
    return done.output


@pytest.fixture
def gateway(nats_broker, tmp_path, monkeypatch):
    """A plant whose authority's key is on a stick and encrypted; its gateway runs."""
    folder, stick = tmp_path / "plant", tmp_path / "stick"
    write_template(folder, listen_port=0, broker_port=nats_broker.port)
    monkeypatch.setenv(PASSPHRASE, SECRET)
    plant = ("--plant", folder / "plant.toml")
    run("keys", "authority", "init", stick, "--origin", ORIGIN)
    run("keys", "init", *plant, "--authority", stick / "authority.json")
    sign(stick, folder / "keys" / "begin.request.json", tmp_path / "begin.signed")
    words = ("--authority", stick / "authority.json", "--signed", tmp_path / "begin.signed")
    run("keys", "init", *plant, *words)
    with GatewayProcess(folder) as process:
        process.start()
        process.stick, process.words = stick, plant
        yield process


def sign(stick, request, signed):
    said = run("keys", "authority", "sign", request, signed, "--folder", stick, "--yes")
    assert signed.exists()
    return said


def order(gateway, name, *words):
    """A request here, signed on the stick, handed in here; the gateway's answer."""
    request = gateway.folder / f"{name}.request"
    signed = gateway.folder / f"{name}.signed"
    run("keys", *words, "--request", request, *gateway.words)
    described = sign(gateway.stick, request, signed)
    answer = json.loads(run("keys", "submit", signed, "--json", *gateway.words))
    return answer, described


def verify(gateway, name):
    """Codes of the findings of a bundle made now, without a policy."""
    bundle = gateway.folder / name
    out = run("audit", "export", bundle, *gateway.words)
    assert "stated in the log as entry" in out
    return {finding.code for finding in judge(open_source(bundle), None).findings}


def test_a_plants_life_with_its_authority_on_a_stick(nats_broker, gateway, tmp_path):
    with Board(nats_broker, "n01") as board, Board(nats_broker, "n01") as second:
        board.say_boot()
        shown = format_code(board.signer.keyid)
        answer, described = order(gateway, "enrol", "enrol", "n01", shown)
        assert shown in described
        assert answer["keyid"] == board.signer.keyid
        said = run(
            "activity", "add", "--equipment", "bat-ext", "--kind", "commissioning",
            "--from", "2026-11-01T00:00:00Z", "--who", "A. Person", "--what", "first start",
            "--work-order", gateway.plant, "--as", "op-7", "--json", *gateway.words,
        )  # fmt: skip
        index = json.loads(said)["index"]
        run("activity", "disclose", index, tmp_path / "shown", *gateway.words)
        assert len(list((tmp_path / "shown").iterdir())) == 2
        for role in ("gateway", "permit"):
            order(gateway, role, "rotate", role)
        said = run("audit", "close", "--hour-meter", "bat-ext=12", "--json", *gateway.words)
        assert json.loads(said)["from"] == 0
        second.signer.pair = pair(99_001, "n01")
        second.signer.keyid = second.signer.pair.keyid
        second.say_boot()
        shown = format_code(second.signer.keyid)
        _, described = order(
            gateway, "next", "enrol", "n01", shown, "--replaces", board.signer.keyid[:16]
        )
        assert "replaces key" in described
        order(
            gateway,
            "lost",
            "revoke",
            board.signer.keyid[:16],
            "--last-seq",
            "1",
            "--reason",
            "lost",
        )
        listed = json.loads(run("keys", "list", "--json", *gateway.words))["keys"]
        assert {row["state"] for row in listed if row["keyid"] == board.signer.keyid} == {"revoked"}
        assert [row["role"] for row in listed if row["state"] == "rotated"] == ["gateway", "permit"]
        assert verify(gateway, "bundle") <= HARMLESS


def test_commands_say_what_they_need(tmp_path):
    write_template(tmp_path / "plant", listen_port=0, broker_port=1)
    plant = ("--plant", tmp_path / "plant" / "plant.toml")
    run("keys", "init", "--origin", ORIGIN, *plant)
    for words, said in (
        (("keys", "rotate", "gateway"), "no gateway runs"),
        (("keys", "retire", "00000000", "--reason", "x"), "no gateway runs"),
        (("audit", "close"), "no gateway runs"),
        (("audit", "close", "--hour-meter", "bat-ext=1h"), "EQUIPMENT=MINUTES"),
        (
            ("activity", "add", "--equipment", "x", "--kind", "repair", "--from", "z"),
            "no equipment",
        ),
    ):
        done = CliRunner().invoke(main, [*words, *map(str, plant)])
        assert done.exit_code in (1, 2)
        assert said in done.output


def test_requests_in_the_inbox_of_a_killed_gateway_are_stated_once(gateway):
    """kill -9 while a request lies in the inbox, or is being taken: once, and answered."""
    keys, data = gateway.folder / "keys", gateway.folder / "data"
    wanted = []
    for turn in range(2):
        body = {"manifest": f"{turn:064x}", "fromMs": None, "toMs": None}
        now_ms = time.time_ns() // 1_000_000
        request = format_request(
            load_gateway_keys(keys), "export", operator("op"), body, (), now_ms
        )
        name = f"request-{turn}"
        replace_file(data / "inbox" / f"{name}.dsse", request)
        time.sleep(0.5 * turn)
        gateway.kill()
        replace_file(data / "inbox" / f"{name}-again.dsse", request)
        gateway.start()
        for answer in (name, f"{name}-again"):
            until((data / "outbox" / f"{answer}.json").exists, f"the answer {answer}")
        said = [
            json.loads((data / "outbox" / f"{answer}.json").read_bytes())["index"]
            for answer in (name, f"{name}-again")
        ]
        assert said[0] == said[1]
        wanted.append(said[0])
    found = [
        (index, read_entry(data, index).body["object"])
        for index in range(read_roster(data).size)
        if read_entry(data, index).type == "admin"
        and read_entry(data, index).body["action"] == "export"
    ]
    assert found == [(index, f"{turn:064x}") for turn, index in enumerate(wanted)]
