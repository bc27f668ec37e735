"""The witness's persistence: a fault or a kill at every step never lets two heads differ."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raffinate.tlog.checkpoint import parse_checkpoint
from raffinate.tlog.note import parse_note
from raffinate.witness.decide import CLOCK_BACK_S_MAX, add_checkpoint
from raffinate.witness.folder import Folder
from raffinate.witness.protocol import parse_request
from witness_site import TestLog, make_witness

NOW_S = 1_795_255_201
STEPS = ("open", "write", "fsync", "rename")


class CrashError(BaseException):
    """The process ends here: nothing above may handle it."""


class Faults:
    """The n-th call of a persistence step of `os` fails, before or after it took effect."""

    def __init__(self, monkeypatch):
        self.count, self.at, self.after, self.error = 0, -1, False, None
        for name in STEPS:
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name)))

    def arm(self, at, after, error):
        self.count, self.at, self.after, self.error = 0, at, after, error

    def _wrap(self, real):
        def step(*words, **named):
            self.count += 1
            if self.count == self.at and not self.after:
                raise self.error
            result = real(*words, **named)
            if self.count == self.at:
                raise self.error
            return result

        return step


class Released:
    """Every cosignature that left the witness; fails as soon as two contradict."""

    def __init__(self):
        self.roots, self.size, self.time_s = {}, 0, 0

    def take(self, folder, data, answer):
        if answer.status != 200:
            return
        note = parse_note(parse_request(data).note + answer.body)
        head = parse_checkpoint(note.text)
        assert self.roots.setdefault(head.size, head.root) == head.root, "a fork was cosigned"
        assert head.size >= self.size, "the witness went back"
        time_s = folder.verifier.time_s(note)
        assert time_s >= self.time_s
        self.size, self.time_s = head.size, time_s


def ask(released, folder, data, now_s=NOW_S):
    answer = add_checkpoint(folder, data, now_s)
    released.take(folder, data, answer)
    return answer.status


def count_steps(tmp_path, monkeypatch, log):
    folder = make_witness(tmp_path / "counted", log)
    released = Released()
    ask(released, folder, log.request(0, 3))
    with monkeypatch.context() as patch:
        faults = Faults(patch)
        assert ask(released, folder, log.request(3, 6)) == 200
    return faults.count


@pytest.mark.parametrize("after", [False, True], ids=["not-persisted", "but-persisted"])
@pytest.mark.parametrize("error", [OSError(28, "full"), OSError(5, "broken"), CrashError()])
def test_fault_at_every_step_never_cosigns_two_heads(tmp_path, monkeypatch, after, error):
    log, fork, late_fork = TestLog(), TestLog(fork=2), TestLog(fork=4)
    steps = count_steps(tmp_path, monkeypatch, log)
    assert steps >= 5
    failed = 0
    for step in range(1, steps + 1):
        root = tmp_path / str(step)
        folder, released = make_witness(root, log), Released()
        assert ask(released, folder, log.request(0, 3)) == 200
        with monkeypatch.context() as patch:
            Faults(patch).arm(step, after, error)
            try:
                failed += ask(released, folder, log.request(3, 6)) == 503
            except CrashError:
                failed += 1
        again = Folder(root)
        held = again.head(log.origin).checkpoint.size
        assert held in (3, 6)
        # A fork within what was cosigned never wins; one behind it may, if the head of 6 was not
        # persisted, and then the true one has lost for good.
        assert 200 not in {ask(released, again, fork.request(old, 6)) for old in (3, 6)}
        won = ask(released, again, late_fork.request(3, 6)) == 200
        assert won == (held == 3)
        assert (ask(released, again, log.request(6, 8)) == 200) != won
    assert failed == steps


def test_kill_at_random_instants_never_goes_back(tmp_path):
    log = TestLog()
    root = tmp_path / "w"
    make_witness(root, log)
    script = tmp_path / "child.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import time\nfrom pathlib import Path\nfrom witness_site import TestLog\n"
        "from raffinate.witness.decide import add_checkpoint\n"
        "from raffinate.witness.folder import Folder\n"
        "log, folder = TestLog(), Folder(Path(sys.argv[1]))\n"
        "head = folder.head(log.origin)\nsize = head.checkpoint.size if head else 0\n"
        "while True:\n"
        "    answer = add_checkpoint(folder, log.request(size, size + 1), int(time.time()))\n"
        "    size += 1\n"
        "    print(answer.status, size, flush=True)\n"
    )
    told = 0
    for number in range(3):
        child = subprocess.Popen(
            [sys.executable, str(script), str(root)], stdout=subprocess.PIPE, text=True
        )
        child.stdout.readline()
        time.sleep(0.02 * number)
        os.kill(child.pid, signal.SIGKILL)
        lines = child.communicate()[0].splitlines()
        assert all(line.startswith("200 ") for line in lines)
        told = max([told, *(int(line.split()[1]) for line in lines)])
        head = Folder(root).head(log.origin).checkpoint
        assert head.size >= told
        assert head.root == log.tree(head.size).root()
    fork = TestLog(fork=told - 1)
    released = Released()
    for old in {told, head.size}:
        assert ask(released, Folder(root), fork.request(old, head.size), int(time.time())) != 200


def test_time_never_goes_back_and_a_clock_far_back_stops_the_witness(tmp_path):
    log, released = TestLog(), Released()
    folder = make_witness(tmp_path / "w", log)
    assert ask(released, folder, log.request(0, 3), NOW_S) == 200
    assert ask(released, folder, log.request(3, 4), NOW_S - CLOCK_BACK_S_MAX) == 200
    assert released.time_s == NOW_S
    answer = add_checkpoint(folder, log.request(4, 5), NOW_S - CLOCK_BACK_S_MAX - 1)
    assert (answer.status, b"set it" in answer.body) == (503, True)


@pytest.mark.parametrize("data", [b"", b"x", b"demo\n1\n"])
def test_a_broken_head_is_never_taken_for_none(tmp_path, data):
    log = TestLog()
    folder = make_witness(tmp_path / "w", log)
    assert add_checkpoint(folder, log.request(0, 3), NOW_S).status == 200
    (head,) = (tmp_path / "w" / "heads").iterdir()
    head.write_bytes(data)
    for old in (0, 3):
        answer = add_checkpoint(folder, log.request(old, 4), NOW_S)
        assert answer.status == 503
        assert b"restore it" in answer.body


def test_a_head_of_another_log_or_witness_is_refused(tmp_path):
    log, other = TestLog(), TestLog(origin="other.invalid/raffinate/x")
    folder = make_witness(tmp_path / "w", log, other)
    for item in (log, other):
        assert add_checkpoint(folder, item.request(0, 3), NOW_S).status == 200
    one, two = (tmp_path / "w" / "heads").iterdir()
    one.write_bytes(two.read_bytes())
    answers = [add_checkpoint(folder, item.request(3, 4), NOW_S).status for item in (log, other)]
    assert sorted(answers) == [200, 503]
