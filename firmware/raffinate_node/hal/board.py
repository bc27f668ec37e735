"""What ESP32 and RP2 boards share: pins, buses, Wi-Fi and watchdog."""

import os
import time

import machine
import network

from raffinate_node import aio
from raffinate_node.hal.common import firmware_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLASH_ROOT = "/raffinate"
# RP2040 cannot count further than 8388 ms.
WATCHDOG_MS = 8000
I2C_TIMEOUT_US = 25_000
JOIN_MS_MAX = 20_000
JOIN_POLL_MS = 100
# A call of network_up() so soon after the last one means that the session was lost again.
AGAIN_MS = 180_000
REJOIN_AFTER = 3
RESTART_RADIO_AFTER = 6
RADIO_FAILURES_MAX = 3
CYW43_NO_POWER_SAVING = 0xA11140
CAUSES = (
    ("PWRON_RESET", "power-on"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep-sleep"),
    ("SOFT_RESET", "soft"),
)


class BoardHal:
    """The hal but for counters; `wifi_errors` names the port's Wi-Fi statuses that are errors."""

    flash_root = FLASH_ROOT

    def __init__(self, connecting: int, wifi_errors: "dict[int, str]") -> None:
        self._connecting = connecting
        self._wifi_errors = wifi_errors
        self._wifi: "Wifi | None" = None
        self._buses: "dict[int, dict[str, Any]]" = {}
        self._spis: "dict[int, Any]" = {}
        self._watchdog: "Any" = None

    def configure(self, config: "Any") -> None:
        """Set up buses and Wi-Fi; raise ValueError where node.json names no network."""
        if config.wifi is None:
            raise ValueError("node.json: wifi: a board needs its network. Add ssid and password.")
        self._wifi = Wifi(config.wifi, self._connecting, self._wifi_errors, self)
        for bus in config.i2c:
            self._buses[bus["bus"]] = bus
        for bus in config.spi:
            self._spis[bus["bus"]] = machine.SPI(
                bus["bus"],
                baudrate=bus["hz"],
                polarity=0,
                phase=1,
                sck=machine.Pin(bus["sck"]),
                mosi=machine.Pin(bus["mosi"]),
                miso=machine.Pin(bus["miso"]),
            )

    def ticks_ms(self) -> int:
        """Milliseconds that only ticks_diff compares; they wrap after 2^30."""
        now: "Any" = time.ticks_ms()
        return now

    def ticks_diff(self, a: int, b: int) -> int:
        """Return a - b in ms."""
        ticks: "Any" = time
        diff: int = ticks.ticks_diff(a, b)
        return diff

    def i2c(self, bus: int) -> "I2c":
        """An I2C bus."""
        return I2c(self._buses[bus])

    def spi(self, bus: int, cs: int) -> "Spi":
        """A device on an SPI bus; `cs` is its chip-select pin."""
        return Spi(self._spis[bus], cs)

    def digital_in(self, pin: int) -> machine.Pin:
        """An input, 1 while a contact joins it to 3.3 V."""
        return machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_DOWN)

    def digital_out(self, pin: int, latching: bool) -> "Output":
        """An output, 0 until set; a latching one is left as it is until then."""
        return Output(pin, latching)

    def random(self, count: int) -> bytes:
        """Bytes fit for keys."""
        return os.urandom(count)

    def unique_id(self) -> bytes:
        """The chip's number."""
        return machine.unique_id()

    def reset_cause(self) -> str:
        """power-on, hard, watchdog, soft, deep-sleep or unknown."""
        cause = machine.reset_cause()
        for name, text in CAUSES:
            if getattr(machine, name, None) == cause:
                return text
        return "unknown"

    def reset(self) -> None:
        """Start anew."""
        machine.reset()

    def watchdog_feed(self) -> None:
        """Feed the watchdog; the first call starts it."""
        if self._watchdog is None:
            self._watchdog = machine.WDT(timeout=WATCHDOG_MS)
        self._watchdog.feed()

    async def network_up(self) -> bool:
        """Join the network if need be; False where that fails, after saying why."""
        if self._wifi is None:
            return False
        return await self._wifi.up()

    def console(self, text: str) -> None:
        """One line on the serial console."""
        print(text)  # noqa: T201 - the console

    def firmware_digest(self) -> str:
        """SHA-256 of what runs, in hex."""
        return firmware_digest()


class I2c:
    """An I2C bus of the board."""

    def __init__(self, bus: "dict[str, Any]") -> None:
        self._bus = bus
        self._open()

    def writeto(self, address: int, data: "Any") -> None:
        """Write one transaction."""
        self._i2c.writeto(address, data)

    def readfrom_into(self, address: int, buffer: "Any") -> None:
        """Fill the buffer by one transaction."""
        self._i2c.readfrom_into(address, buffer)

    def recover(self) -> None:
        """Clock a sensor out of a transaction it believes unfinished, then start the bus anew."""
        scl = machine.Pin(self._bus["scl"], machine.Pin.OPEN_DRAIN, value=1)
        for _ in range(9):
            scl.value(0)
            time.sleep_us(10)
            scl.value(1)
            time.sleep_us(10)
        self._open()

    def _open(self) -> None:
        self._i2c = machine.I2C(
            self._bus["bus"],
            scl=machine.Pin(self._bus["scl"]),
            sda=machine.Pin(self._bus["sda"]),
            freq=self._bus["hz"],
            timeout=I2C_TIMEOUT_US,
        )


class Spi:
    """A device on an SPI bus, selected while its pin is low."""

    def __init__(self, spi: "Any", cs: int) -> None:
        self._spi = spi
        self._cs = machine.Pin(cs, machine.Pin.OUT, value=1)

    def transfer(self, data: bytes) -> bytes:
        """Return what comes back while data goes out."""
        answer = bytearray(len(data))
        self._cs.value(0)
        try:
            self._spi.write_readinto(data, answer)
        finally:
            self._cs.value(1)
        return bytes(answer)


class Output:
    """An output line."""

    def __init__(self, pin: int, latching: bool) -> None:
        self._number = pin
        self._pin: "Any" = None if latching else machine.Pin(pin, machine.Pin.OUT, value=0)

    def set(self, level: int) -> None:
        """Drive the line."""
        if self._pin is None:
            self._pin = machine.Pin(self._number, machine.Pin.OUT, value=1 if level else 0)
        self._pin.value(1 if level else 0)


class Wifi:
    """The station interface; this alone retries, and only when the link asks.

    A radio may not notice that it lost its network (CYW43): sessions that keep being lost make it
    join anew, then restart, and a radio that does not start resets the board.
    """

    def __init__(
        self, wifi: "dict[str, Any]", connecting: int, errors: "dict[int, str]", hal: BoardHal
    ) -> None:
        self._settings = wifi
        self._connecting = connecting
        self._errors = errors
        self._hal = hal
        if wifi["country"]:
            network.country(wifi["country"])
        if wifi["hostname"]:
            network.hostname(wifi["hostname"])
        self._wlan: "Any" = network.WLAN(network.STA_IF)
        self._asked_ms: "int | None" = None
        self._lost = 0
        self._radio_failures = 0

    async def up(self) -> bool:
        """Return whether the network is joined, after joining it if it was not."""
        self._count()
        try:
            self._start()
            if self._wlan.isconnected():
                return True
            if self._wlan.status() != self._connecting:
                self._wlan.connect(self._settings["ssid"], self._settings["password"])
        except OSError as error:
            self._radio_failed(error)
            return False
        self._radio_failures = 0
        return await self._joined()

    def _count(self) -> None:
        now_ms = self._hal.ticks_ms()
        last_ms, self._asked_ms = self._asked_ms, now_ms
        if last_ms is None or self._hal.ticks_diff(now_ms, last_ms) > AGAIN_MS:
            self._lost = 0
        else:
            self._lost += 1

    def _start(self) -> None:
        if self._lost and self._lost % RESTART_RADIO_AFTER == 0:
            self._wlan.active(False)
        elif self._lost and self._lost % REJOIN_AFTER == 0:
            self._wlan.disconnect()
        if not self._wlan.active():
            self._wlan.active(True)
            self._tune()

    def _tune(self) -> None:
        try:
            # The driver's own retries would make connect() raise.
            self._wlan.config(reconnects=0)
        except (ValueError, TypeError):
            # Only ESP32 has the setting.
            self._wlan.config(pm=CYW43_NO_POWER_SAVING)

    async def _joined(self) -> bool:
        waited_ms = 0
        while waited_ms < JOIN_MS_MAX:
            if self._wlan.isconnected():
                return True
            status = self._wlan.status()
            if status in self._errors:
                self._hal.console(f"raffinate error wifi: {self._errors[status]}")
                self._wlan.disconnect()
                return False
            await aio.sleep_ms(JOIN_POLL_MS)
            waited_ms += JOIN_POLL_MS
        self._hal.console("raffinate error wifi: no answer from the network")
        self._wlan.disconnect()
        return False

    def _radio_failed(self, error: OSError) -> None:
        self._radio_failures += 1
        self._hal.console(f"raffinate error wifi: the radio fails: {error!r}")
        if self._radio_failures >= RADIO_FAILURES_MAX:
            self._hal.reset()
