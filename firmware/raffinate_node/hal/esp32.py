"""ESP32: pulses by the hardware's pulse counter units."""

import machine
import network

from raffinate_node.hal.board import BoardHal

# The longest glitch that the unit's filter swallows, ns; a meter's pulses are far longer.
FILTER_NS = 10_000
WIFI_ERRORS = {
    network.STAT_BEACON_TIMEOUT: "the network went away",
    network.STAT_NO_AP_FOUND: "no such network in reach",
    network.STAT_WRONG_PASSWORD: "the password is wrong",
    network.STAT_ASSOC_FAIL: "the network refused the node",
    network.STAT_HANDSHAKE_TIMEOUT: "no handshake; the password may be wrong",
    network.STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY: "the network's security is another",
    network.STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD: "the network's security is too weak",
    network.STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD: "the network is too weak",
}


class Hal(BoardHal):
    """An ESP32 board. One pulse counter unit a meter: 8 on the ESP32, 4 on the S3."""

    def __init__(self) -> None:
        super().__init__(network.STAT_CONNECTING, WIFI_ERRORS)
        self._counters = 0

    def counter(self, pin: int) -> "Counter":
        """A pulse counter; raise ValueError where there is none left."""
        unit = self._counters
        self._counters += 1
        try:
            counter = machine.Counter(unit, machine.Pin(pin, machine.Pin.IN), filter_ns=FILTER_NS)
        except AttributeError:
            raise ValueError(
                "this MicroPython has no machine.Counter: load 1.27 or later"
            ) from None
        except (ValueError, OSError):
            raise ValueError(f"no pulse counter is left for pin {pin}: {unit} are in use") from None
        return Counter(counter)


class Counter:
    """A meter's pulses; the hardware's 16 bits are extended by its driver."""

    def __init__(self, counter: machine.Counter) -> None:
        self._counter = counter

    def value(self) -> int:
        """Pulses since start."""
        return self._counter.value()
