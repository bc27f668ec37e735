"""The witness's protocol, against the real process: every status of C2SP tlog-witness."""

import os
import signal
import socket
from types import SimpleNamespace

import httpx
import pytest

from raffinate.cli import main
from raffinate.tlog.cosignature import parse_cosignatures, parse_witness_key
from raffinate.tlog.note import parse_note
from raffinate.witness.protocol import REQUEST_BYTES_MAX, SIZE_TYPE
from witness_site import NAME, TestLog, WitnessProcess, make_witness


@pytest.fixture(scope="module")
def log():
    return TestLog()


@pytest.fixture
def witness(tmp_path, log):
    make_witness(tmp_path / "w", log)
    with WitnessProcess(tmp_path / "w") as running:
        yield running


@pytest.fixture
def raffinate(capfd):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    return run


def cosigned(witness, log, answer, size):
    assert answer.status_code == 200, answer.text
    note = parse_note(log.note(size) + answer.content)
    key = parse_witness_key((witness.root / "witness.vkey").read_text().strip())
    assert key.name == NAME
    return key.time_s(note)


def test_heads_that_follow_each_other_are_cosigned_and_all_others_refused(witness, log):
    post, request = witness.post, log.request
    cosigned(witness, log, post(request(0, 3)), 3)
    first = cosigned(witness, log, post(request(3, 3)), 3)
    assert cosigned(witness, log, post(request(3, 9)), 9) >= first

    stale = post(request(3, 9))
    assert (stale.status_code, stale.content) == (409, b"9\n")
    assert stale.headers["content-type"] == SIZE_TYPE
    back = post(request(3, 5))
    assert (back.status_code, back.headers["content-type"]) == (409, SIZE_TYPE)
    assert post(request(0, 9)).content == b"9\n"

    fork = TestLog(fork=7)
    same_size = post(fork.request(9, 9))
    assert same_size.status_code == 422
    grown = post(fork.request(9, 12))
    assert grown.status_code == 422
    assert len(list((witness.root / "refused").iterdir())) == 2

    assert post(request(0, 4).replace(b"old 0", b"old 9")).status_code == 400
    assert post(TestLog(origin="other.invalid/raffinate/x").request(0, 3)).status_code == 404
    assert post(TestLog(seed=2).request(9, 10)).status_code == 403
    assert cosigned(witness, log, post(request(9, 12)), 12) >= first


@pytest.mark.parametrize(
    "break_it",
    [
        lambda _: b"",
        lambda data: data.replace(b"old 0", b"old 00"),
        lambda data: data.replace(b"old 0", b"old +0"),
        lambda data: data.replace(b"old 0", b"Old 0"),
        lambda data: data.replace(b"old 0", b"old 9"),
        lambda data: data.replace(b"old 0\n", b"old 0\nAAAA\n"),
        lambda data: data.replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n" * 64),
        lambda data: data.replace(b"\n3\n", b"\n03\n"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data[:-1],
        lambda data: data + b"\xff",
        lambda data: data + b"x" * REQUEST_BYTES_MAX,
    ],
)
def test_malformed_requests_are_400(witness_of_module, log, break_it):
    answer = witness_of_module.post(break_it(log.request(0, 3)))
    assert answer.status_code == 400
    assert answer.text.strip()


@pytest.fixture(scope="module")
def witness_of_module(tmp_path_factory, log):
    root = tmp_path_factory.mktemp("witness") / "w"
    make_witness(root, log)
    with WitnessProcess(root) as running:
        yield running


def test_proof_lines_with_old_0_are_not_accepted(witness_of_module, log):
    data = log.request(0, 3).replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n")
    assert witness_of_module.post(data).status_code == 422


def test_only_the_one_address_is_served(witness_of_module):
    assert witness_of_module.post(b"", "").status_code == 404
    assert httpx.get(witness_of_module.url + "add-checkpoint").status_code == 405


def test_a_head_survives_the_process_and_kill(tmp_path, log):
    make_witness(tmp_path / "w", log)
    with WitnessProcess(tmp_path / "w") as running:
        cosigned(running, log, running.post(log.request(0, 5)), 5)
        os.kill(running.process.pid, signal.SIGKILL)
    with WitnessProcess(tmp_path / "w") as running:
        assert running.post(log.request(0, 6)).content == b"5\n"
        cosigned(running, log, running.post(log.request(5, 6)), 6)


def test_other_addresses_are_refused_as_the_gateway_refuses_them(raffinate, tmp_path, log):
    make_witness(tmp_path / "w", log)
    done = raffinate("witness", "serve", tmp_path / "w", "--host", "0.0.0.0", "--port", 0)  # noqa: S104
    assert done.returncode == 2
    assert "other machines need TLS and users, which this version does not have" in done.stderr


def test_a_taken_port_is_told(raffinate, tmp_path, log):
    make_witness(tmp_path / "w", log)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = raffinate("witness", "serve", tmp_path / "w", "--port", port)
    assert done.returncode == 1
    assert "choose another --port" in done.stderr


def test_ends_in_order_when_told(tmp_path, log):
    make_witness(tmp_path / "w", log)
    with WitnessProcess(tmp_path / "w") as running:
        running.process.terminate()
        assert running.process.wait(30) == 0


def test_init_trust_and_a_stick(raffinate, tmp_path, log):
    root, request = tmp_path / "w", tmp_path / "head.request"
    made = raffinate("witness", "init", root, "--name", NAME)
    assert made.returncode == 0
    key = parse_witness_key(made.stdout.strip())
    vkey = log.signer.verifier.vkey()
    done = raffinate("witness", "trust", root, "--origin", log.origin, "--key", vkey)
    assert done.returncode == 0, done.stderr

    request.write_bytes(log.request(0, 4))
    done = raffinate("witness", "cosign", root, request)
    assert done.returncode == 0, done.stderr
    answer = parse_note((tmp_path / "head.request.cosigned").read_bytes())
    assert key.time_s(answer) > 0

    request.write_bytes(log.request(0, 6))
    done = raffinate("witness", "cosign", root, request)
    assert done.returncode == 1
    assert "--old 4" in done.stdout

    request.write_bytes(TestLog(fork=1).request(4, 6))
    done = raffinate("witness", "cosign", root, request)
    assert done.returncode == 1
    assert "422" in done.stdout


def test_a_second_init_and_other_keys_change_nothing(raffinate, tmp_path, log):
    root = tmp_path / "w"
    make_witness(root, log)
    before = (root / "witness.key").read_bytes()
    assert raffinate("witness", "init", root, "--name", NAME).returncode == 1
    other = TestLog(seed=9).signer.verifier.vkey()
    done = raffinate("witness", "trust", root, "--origin", log.origin, "--key", other)
    assert done.returncode == 2
    assert "trusted already, with other keys" in done.stderr
    assert (root / "witness.key").read_bytes() == before


def test_answer_has_one_line_of_the_witness_only(witness, log):
    answer = witness.post(log.request(0, 2))
    text = parse_note(log.note(2)).text
    (line,) = parse_cosignatures(text, answer.content)
    assert line.name == NAME
