"""One thread an outsider: asks at its interval while there is something new, backs off, gives up.

A thread that finds a contradiction asks no more until the gateway starts again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from raffinate.anchors.sources import (
    ContradictionError,
    RetryError,
    TimestampSource,
    WitnessSource,
    witness_key,
)
from raffinate.errors import RaffinateError
from raffinate.evidence.anchoring import COSIGNATURE, SourceState, Trouble, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from raffinate.anchors.published import PublishedLog
    from raffinate.anchors.sources import ReadToken, Source
    from raffinate.config import Anchors
    from raffinate.tlog.cosignature import CosignatureVerifier

BACKOFF_S_MAX = 900
WORDS_MAX = 64
STOP_S_MAX = 1.0

log = logging.getLogger("raffinate.anchors")


class Asker:
    """Asks one source from a thread of its own. `known`: size it vouched for last."""

    def __init__(
        self,
        source: Source,
        published: PublishedLog,
        known: int,
        give: Callable[[Word], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.source = source
        self.state = SourceState("ok" if known else "waiting")
        self.wanted = 0
        self._published = published
        self._known = known
        self._give = give
        self._now_ms = now_ms
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"anchor {source.name}", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """End; an exchange under way is left to its time limit."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S_MAX)

    def step(self) -> float | None:
        """Ask once if something is wanted; seconds until the next step, None for never."""
        source = self.source
        if self.wanted <= self._known:
            return source.interval_s if self._failures == 0 else self._pause_s()
        try:
            word = source.ask(self._published, self._known, self._now_ms())
        except ContradictionError as error:
            log.error("%s: %s: %s", source.name, error.code, error)  # noqa: TRY400 - no defect
            self.state = SourceState("refused", f"{error.code}: {error}")
            self._give(Trouble(source.name, error.code, str(error)))
            return None
        except (RetryError, RaffinateError, OSError) as error:
            if self._failures == 0:
                log.warning("%s: %s", source.name, error)
            self._failures += 1
            self.state = SourceState("failing", f"{error}; asked again")
            return self._pause_s()
        self._failures = 0
        self._known = word.size
        remark = source.remark()
        if remark is not None and remark != self.state.problem:
            log.warning("%s: %s", source.name, remark)
        self.state = SourceState("ok", remark)
        self._give(word)
        return source.interval_s

    def _pause_s(self) -> float:
        longest = max(BACKOFF_S_MAX, self.source.interval_s)
        return float(min(longest, self.source.interval_s << min(self._failures - 1, 16)))

    def _run(self) -> None:
        pause_s: float | None = 0.0
        while pause_s is not None and not self._stop.wait(pause_s):
            pause_s = self.step()


class OutsideAskers:
    """All outsiders of plant.toml; see `raffinate.evidence.anchoring.Askers`."""

    def __init__(
        self,
        sources: Sequence[Source],
        sticks: Mapping[str, CosignatureVerifier],
        log_s: int,
        published: PublishedLog,
        now_ms: Callable[[], int],
    ) -> None:
        self.log_s = log_s
        self._published = published
        self._now_ms = now_ms
        self._words: deque[Word] = deque(maxlen=WORDS_MAX)
        self._lock = threading.Lock()
        self._keys = dict(sticks)
        self._sticks = set(sticks)
        self._askers: list[Asker] = []
        self._sources = list(sources)
        for source in sources:
            if isinstance(source, WitnessSource):
                self._keys[source.name] = source.key

    def begin(self, known: Mapping[str, int]) -> None:
        """Begin to ask; `known` is the size that each source vouched for last."""
        self._askers = [
            Asker(source, self._published, known.get(source.name, 0), self._give, self._now_ms)
            for source in self._sources
        ]
        for asker in self._askers:
            asker.start()

    def stop(self) -> None:
        """End every thread."""
        for asker in self._askers:
            asker.stop()

    def kinds(self) -> dict[str, str]:
        """Kind of each source by name."""
        found = {source.name: source.kind for source in self._sources}
        return {**dict.fromkeys(sorted(self._sticks), COSIGNATURE), **found}

    def witness(self, source: str) -> CosignatureVerifier | None:
        """A witness's key."""
        return self._keys.get(source)

    def take(self) -> list[Word]:
        """What came since the last call."""
        with self._lock:
            words = list(self._words)
            self._words.clear()
        return words

    def want(self, size: int) -> None:
        """Heads of this size and more are worth asking for."""
        for asker in self._askers:
            asker.wanted = size

    def states(self) -> dict[str, SourceState]:
        """How asking each source goes."""
        found = {asker.source.name: asker.state for asker in self._askers}
        return {**dict.fromkeys(self._sticks, SourceState("files")), **found}

    def _give(self, word: Word) -> None:
        with self._lock:
            self._words.append(word)


def open_askers(
    anchors: Anchors, published: PublishedLog, now_ms: Callable[[], int], read: ReadToken
) -> OutsideAskers:
    """The outsiders that plant.toml names, not asked yet. Raises ConfigError.

    `read(token, checkpoint, certificates)` is how the verifier reads a token's time, ms.
    """
    sources: list[Source] = [
        WitnessSource(witness, anchors.interval_s)
        for witness in anchors.witnesses
        if witness.url is not None
    ]
    if anchors.timestamps is not None:
        sources.append(TimestampSource(anchors.timestamps, read))
    sticks = {
        witness.name: witness_key(witness) for witness in anchors.witnesses if witness.url is None
    }
    return OutsideAskers(sources, sticks, anchors.log_s, published, now_ms)
