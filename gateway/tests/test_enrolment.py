"""Enrolment by code beside a running gateway."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

from evidence_site import START_MS, Site
from node_simulator import SimulatedNode
from raffinate.evidence.enrolment import EnrolmentError, enrol, format_code, parse_code


@pytest.fixture
def running(tmp_path):
    """A site whose gateway holds the lock; `sleep` is one turn of its worker."""
    site = Site(tmp_path)
    with (site.data / "lock").open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield site
    site.close()


def run(site, node, code, wait_s=1.0):
    return enrol(site.keys, site.data, node, code, wait_s, START_MS, sleep=lambda _: site.tick(100))


def test_codes_come_back_in_any_writing():
    keyid = SimulatedNode().keyid
    code = format_code(keyid)
    assert len(code) == 19
    for text in (code, code.lower(), code.replace("-", ""), code.replace("-", " ")):
        assert keyid.startswith(parse_code(text))
    for bad in ("", code[:-1], code + "A", "0000-0000-0000-0001"):
        with pytest.raises(EnrolmentError, match="no enrolment code"):
            parse_code(bad)


def test_a_waiting_key_is_enrolled_by_its_code(running):
    node = SimulatedNode()
    running.submit(node, node.boot())
    found = run(running, "n01", format_code(node.keyid))
    assert (found.keyid, found.index, found.anew) == (node.keyid, 2, True)
    assert running.service.key_state("n01", node.keyid) == "enrolled"
    assert list((running.data / "inbox").iterdir()) == []
    assert list((running.data / "outbox").iterdir()) == []
    again = run(running, "n01", format_code(node.keyid))
    assert (again.index, again.anew) == (2, False)


def test_the_command_waits_for_a_board_that_is_still_starting(running):
    node = SimulatedNode()
    turns = []

    def sleep(_seconds):
        turns.append(1)
        if len(turns) == 3:
            running.submit(node, node.boot())
        running.tick(100)

    code = format_code(node.keyid)
    found = enrol(running.keys, running.data, "n01", code, 1.0, START_MS, sleep=sleep)
    assert found.anew


def test_a_code_of_another_key_enrols_nothing(running):
    node, other = SimulatedNode(), SimulatedNode(number=5)
    running.submit(node, node.boot())
    with pytest.raises(EnrolmentError, match="1 other key"):
        run(running, "n01", format_code(other.keyid))
    with pytest.raises(EnrolmentError, match="no key of that node waits"):
        run(running, "n02", format_code(node.keyid))
    assert running.service._log.size == 2


def test_without_a_gateway_the_command_says_so(tmp_path):
    site = Site(tmp_path)
    node = SimulatedNode()
    site.submit(node, node.boot())
    with pytest.raises(EnrolmentError, match="no gateway runs"):
        run(site, "n01", format_code(node.keyid))
    (site.data / "lock").touch()
    with pytest.raises(EnrolmentError, match="no gateway runs"):
        run(site, "n01", format_code(node.keyid))
    assert not (site.data / "inbox").exists()
    site.close()


def test_a_gateway_that_does_not_answer_takes_it_up_later(running):
    node = SimulatedNode()
    running.submit(node, node.boot())
    code = format_code(node.keyid)
    with pytest.raises(EnrolmentError, match="did not answer"):
        enrol(running.keys, running.data, "n01", code, 0.2, START_MS, sleep=lambda _: None)
    running.reopen()
    running.tick()
    assert running.service.key_state("n01", node.keyid) == "enrolled"


def test_a_file_that_is_not_the_authoritys_is_answered_and_changes_nothing(running):
    node, stranger = SimulatedNode(), SimulatedNode(number=9)
    running.submit(node, node.boot())
    (running.data / "inbox").mkdir()
    (running.data / "inbox" / "a.dsse").write_bytes(stranger.boot())
    (running.data / "inbox" / "b.dsse").write_bytes(b"junk")
    size = running.service._log.size
    running.tick()
    assert running.service._log.size == size
    answers = {path.name: path.read_text() for path in (running.data / "outbox").iterdir()}
    assert "authority key" in answers["a.json"]
    assert '"ok":false' in answers["b.json"]


def test_enrolment_works_against_a_gateway_in_another_thread(running):
    node = SimulatedNode()
    running.submit(node, node.boot())
    stop = threading.Event()

    def work():
        while not stop.wait(0.02):
            running.tick(20)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        code = format_code(node.keyid)
        assert enrol(running.keys, running.data, "n01", code, 20.0, START_MS).anew
    finally:
        stop.set()
        worker.join()


def test_commands_at_the_same_time_keep_the_authoritys_chain_whole(running):
    nodes = [SimulatedNode(name, 300 + i) for i, name in enumerate(running.plant.nodes)]
    for node in nodes:
        running.submit(node, node.boot())
    stop = threading.Event()

    def work():
        while not stop.wait(0.01):
            running.tick(10)

    def command(node, found):
        code = format_code(node.keyid)
        found.append(enrol(running.keys, running.data, node.node, code, 20.0, START_MS))

    found = []
    commands = [threading.Thread(target=command, args=(node, found)) for node in nodes]
    worker = threading.Thread(target=work)
    worker.start()
    for thread in commands:
        thread.start()
    for thread in commands:
        thread.join()
    stop.set()
    worker.join()
    assert sorted(item.index for item in found) == [2, 3, 4, 5]
    assert running.service.findings() == []


def test_what_is_no_file_in_the_inbox_holds_nobody_up(running):
    """A pipe would hold the gateway's one worker for good, a folder end it at each start."""
    inbox = running.data / "inbox"
    inbox.mkdir()
    os.mkfifo(inbox / "a.dsse")
    (inbox / "b.dsse").mkdir()
    (inbox / "c.dsse").write_bytes(b"junk")
    running.tick(100)
    assert sorted(path.name for path in inbox.iterdir()) == ["a.dsse", "b.dsse"]
    assert [path.name for path in (running.data / "outbox").iterdir()] == ["c.json"]
