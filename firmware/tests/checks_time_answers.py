"""Checks of which answers set the clock, on any Python."""

from raffinate_node.clock import Clock
from raffinate_node.outbox import Outbox
from raffinate_node.store import Store
from raffinate_node.uplink import ANSWER_MS_MAX, PROMPT_MS_MAX, SLOW_MAX, Uplink
from raffinate_wire.jsonc import parse
from raffinate_wire.resume import format_resume
from upy_hal import Hal

NOON = 1795255200000
KEYID = "ab" * 32
LIMITS = {
    "ram_bytes_max": 4096,
    "flash_bytes_max": 16384,
    "group_bytes": 2048,
    "group_ms": 15000,
    "statement_bytes_max": 16384,
}
BROKER = {"host": "127.0.0.1", "port": 1, "user": None, "password": None, "keepalive_s": 30}


class Evidence:
    """What the uplink asks of the evidence, and how many answers it was given."""

    keyid = KEYID
    status_wanted = False

    def __init__(self):
        self.answers = 0

    def seen(self):
        return 0, bytes(32)

    def on_resume(self, _):
        self.answers += 1


class Asked:
    """An uplink that asks; `answer` comes so many ms after its question."""

    def __init__(self, folder):
        self.hal = Hal(by_hand=True)
        self.clock = Clock(self.hal, None)
        self.evidence = Evidence()
        outbox = Outbox(Store(folder), LIMITS, self.clock, 1)
        names = {"site": "ndpr", "node": "n01", "broker": BROKER}
        self.uplink = Uplink(self.hal, names, None, outbox, self.clock, self.evidence, 1)
        self.uplink.ask()

    def answer(self, after_ms):
        message = self.uplink.next_message()
        nonce = parse(message.data)["nonce"]
        message.on_puback()
        self.hal.now_ms += after_ms
        resume = format_resume(KEYID, 1, nonce, NOON, b"")
        self.uplink.on_message("raffinate/1/ndpr/n01/resume", resume)


def check_a_prompt_answer_sets_the_clock(folder):
    asked = Asked(folder)
    asked.answer(PROMPT_MS_MAX)
    assert asked.clock.time_ms() == NOON + PROMPT_MS_MAX // 2


def check_a_slow_answer_is_asked_for_again_before_it_counts(folder):
    asked = Asked(folder)
    asked.answer(PROMPT_MS_MAX + 1)
    assert asked.clock.time_ms() is None
    assert asked.evidence.answers == 0
    asked.answer(30)
    assert asked.clock.time_ms() == NOON + 15
    assert asked.evidence.answers == 1


def check_where_every_answer_is_slow_the_time_is_taken_in_the_end(folder):
    asked = Asked(folder)
    for _ in range(SLOW_MAX):
        asked.answer(ANSWER_MS_MAX)
        assert asked.clock.time_ms() is None
    asked.answer(ANSWER_MS_MAX)
    assert asked.clock.time_ms() == NOON + ANSWER_MS_MAX // 2


def check_an_answer_that_is_too_old_never_sets_it(folder):
    asked = Asked(folder)
    for _ in range(SLOW_MAX):
        asked.answer(PROMPT_MS_MAX + 1)
    asked.answer(ANSWER_MS_MAX + 1)
    assert asked.clock.time_ms() is None
