"""A node's hal for link and outbox tests: real ticks or a clock that the test sets by hand."""

import os
import time


class Hal:
    """Ticks of a chosen period, from the host or moved by hand; console lines are kept."""

    def __init__(self, flash_root="", by_hand=False, period=1 << 30):
        self.flash_root = flash_root
        self.by_hand = by_hand
        self.period = period
        self.now_ms = 0
        self.lines = []
        self.feeds = 0
        self.quiet = False

    def ticks_ms(self):
        if not self.by_hand:
            self.now_ms = (
                time.ticks_ms() if hasattr(time, "ticks_ms") else int(time.monotonic() * 1000)
            )
        return self.now_ms % self.period

    def ticks_diff(self, a, b):
        half = self.period // 2
        return (a - b + half) % self.period - half

    def random(self, n):
        return os.urandom(n)

    async def network_up(self):
        return True

    def console(self, text):
        self.lines.append(text)
        if not self.quiet:
            print(text)

    def watchdog_feed(self):
        self.feeds += 1
