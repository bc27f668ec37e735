"""Atlas Scientific EZO circuits in I2C mode: ASCII commands, processing delays, answer codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.base import Device

if TYPE_CHECKING:
    from collections.abc import Callable

CODE_OK = 1
CODE_SYNTAX_ERROR = 2
CODE_NOT_READY = 254
CODE_NO_DATA = 255
COMMAND_BYTES_MAX = 40
DELAY_MS = 300
# The data sheet's delays are what a driver must wait; the chip itself is a little quicker.
DELAY_SHARE = 0.95
NOMINAL_TEMP_C = 25.0


class SyntaxRefusedError(Exception):
    """The command is not one the circuit knows (answer code 2)."""


class Ezo(Device):
    """The command machine common to EZO circuits.

    A command starts processing; a read before its delay is over answers 254, the first read after
    it the code, text and NUL, and every later one 255 until there is a new command.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset(
        {"no-answer", "bus-stuck", "open", "short", "wrong-code", "garbage", "never-ready"}
    )
    READING_MS: ClassVar[int] = DELAY_MS
    KIND: ClassVar[str] = ""
    FIRMWARE: ClassVar[str] = ""

    def __init__(self, now_ms: Callable[[], float], name: str) -> None:
        super().__init__(now_ms, name)
        self.compensation_c = NOMINAL_TEMP_C
        self._restart_reason = "P"
        self._answer: tuple[int, str] | None = None
        self._ready_ms = 0.0

    def power_cycle(self) -> None:
        """Forget the compensation temperature and any answer; calibration stays."""
        self.compensation_c = NOMINAL_TEMP_C
        self._restart_reason = "P"
        self._answer = None

    def write(self, data: bytes) -> None:
        """Start one ASCII command; one sent while another is being processed is lost."""
        self.check_answers()
        now = self.now_ms()
        if self._answer is not None and now < self._ready_ms:
            self.misuse(f"command {data!r} while another is being processed")
            return
        text = data.rstrip(b"\x00\r").decode("ascii", "replace")
        try:
            answer, delay_ms = self._run(text)
            self._answer = (CODE_OK, answer)
        except (SyntaxRefusedError, ValueError):
            self._answer = (CODE_SYNTAX_ERROR, "")
            delay_ms = DELAY_MS
        if "wrong-code" in self.faults:
            self._answer = (CODE_SYNTAX_ERROR, "")
        self._ready_ms = now + delay_ms * DELAY_SHARE

    def read(self, count: int) -> bytes:
        """The code, the text and NULs, cut or filled to `count` bytes."""
        self.check_answers()
        if "never-ready" in self.faults:
            return _padded(CODE_NOT_READY, "", count)
        if self._answer is None:
            return _padded(CODE_NO_DATA, "", count)
        if self.now_ms() < self._ready_ms:
            self.misuse("read before the processing delay was over")
            return _padded(CODE_NOT_READY, "", count)
        code, text = self._answer
        self._answer = None
        if "garbage" in self.faults and code == CODE_OK:
            text = "\x15~9.?" + text[:1] + "\x7f"
        return _padded(code, text, count)

    def _run(self, text: str) -> tuple[str, int]:
        if len(text) > COMMAND_BYTES_MAX:
            raise SyntaxRefusedError
        name, *arguments = text.split(",")
        name = name.upper()
        if name in ("R", "RT"):
            if name == "RT":
                self._set_compensation(_only(arguments))
            elif arguments:
                raise SyntaxRefusedError
            return self._reading(), self._reading_ms(name)
        if name == "T":
            argument = _only(arguments)
            if argument == "?":
                return f"?T,{self.compensation_c:g}", DELAY_MS
            self._set_compensation(argument)
            return "", DELAY_MS
        if name == "I":
            return f"?I,{self.KIND},{self.FIRMWARE}", DELAY_MS
        if name == "STATUS":
            return f"?Status,{self._restart_reason},5.038", DELAY_MS
        return self._own(name, [argument.lower() for argument in arguments])

    def _set_compensation(self, text: str) -> None:
        value = float(text)
        if not (math.isfinite(value) and -126.0 <= value <= 1254.0):
            raise SyntaxRefusedError
        self.compensation_c = value

    def _reading_ms(self, name: str) -> int:
        del name
        return self.READING_MS

    def _reading(self) -> str:
        raise NotImplementedError

    def _own(self, name: str, arguments: list[str]) -> tuple[str, int]:
        raise NotImplementedError


def _only(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise SyntaxRefusedError
    return arguments[0]


def _padded(code: int, text: str, count: int) -> bytes:
    whole = bytes([code]) + text.encode("latin-1") + b"\x00"
    return whole[:count].ljust(count, b"\x00")
