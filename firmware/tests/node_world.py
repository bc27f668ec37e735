"""A node's sensors on CPython: the rig's devices behind the hal's own interface, time by hand."""

import base64
import json

from raffinate_node import config as node_config
from raffinate_node.frames import FrameWriter, frame_bytes
from raffinate_node.instruments import Instruments
from raffinate_node.sampler import Sampler
from raffinate_rig.devices import BusError
from raffinate_rig.devices.base import ETIMEDOUT
from raffinate_rig.wiring import wire
from raffinate_wire.frame import parse_frame

KEY16 = "ab" * 8
# What one transaction costs on a 100 kHz bus.
TRANSACTION_MS = 1


class Reading:
    """What a stage's sensors see (raffinate_rig.wiring.StageReading)."""

    def __init__(self, **values):
        self.ph = 1.85
        self.ph_temp_c = self.temp_c = 30.0
        self.cond_ms_cm_t = 104.0
        self.flow_aq_l_h = 20.0
        self.flow_org_l_h = 50.0
        self.level_frac = 0.45
        self.running = 1
        self.__dict__.update(values)


def node_json(stage_count=2, **changes):
    """A node.json as a dict, wired as docs/architecture.md computes it."""
    content = {
        "v": 1,
        "site": "ndpr",
        "node": "n01",
        "log": "demo.example/raffinate/ndpr",
        "broker": {
            "host": "127.0.0.1",
            "port": 1883,
            "user": None,
            "password": None,
            "keepalive_s": 30,
        },
        "keys": {
            name: base64.b64encode(bytes(91)).decode()
            for name in ("log", "permit", "gateway", "authority")
        },
        "scan_ms": 1000,
        "frame_scans": 1,
        "statement_s": 60,
        "outbox": {
            "ram_bytes_max": 16384,
            "flash_bytes_max": 524288,
            "group_bytes": 8192,
            "group_ms": 15000,
            "statement_bytes_max": 262144,
        },
        "i2c": [{"bus": 0, "scl": 22, "sda": 21, "hz": 100000}],
        "spi": [{"bus": 0, "sck": 18, "mosi": 23, "miso": 19, "hz": 1000000}],
        "stages": [stage_json(place) for place in range(stage_count)],
        "equipment": [],
        "calibration": {"e01/ph": {"date": "2026-11-01", "slope_pct": 98.5, "offset_mv": 3.0}},
    }
    return {**content, **changes}


def stage_json(place):
    """The six sensors of a mixer-settler stage."""
    mux = [112 + place // 8, place % 8]
    ezo = {"bus": 0, "mux": mux, "temp": "temp"}
    return {
        "id": f"e{place + 1:02d}",
        "points": [
            {"name": "ph", "driver": "ezo-ph", "address": 99, **ezo},
            {"name": "cond", "driver": "ezo-ec", "address": 100, "alpha_pct_k": 1.56, **ezo},
            {
                "name": "temp",
                "driver": "max31865",
                "bus": 0,
                "cs": 10 + place,
                "r0_ohm": 1000,
                "rref_ohm": 4300,
            },
            {"name": "flow_aq", "driver": "pulse", "pin": 20 + 2 * place, "pulses_per_l": 8000},
            {"name": "flow_org", "driver": "pulse", "pin": 21 + 2 * place, "pulses_per_l": 8000},
            {
                "name": "level",
                "driver": "ads1115",
                "bus": 0,
                "address": 72 + place // 4,
                "channel": place % 4,
                "shunt_ohm": 150,
                "unit": "/",
                "low": 0.0,
                "high": 1.0,
            },
        ],
    }


def read(content):
    """The settings of a node.json given as a dict."""
    return node_config.read_config(json.dumps(content).encode())


class World:
    """Device time, the board's devices, and the hal that reaches them; it is a clock too."""

    def __init__(self, content):
        self.now = 10_000
        self.utc_ms = None
        self.console = []
        self.board = wire(content, lambda: float(self.now))
        self.transactions = 0
        self.recoveries = 0

    def up_ms(self):
        return self.now

    def time_ms(self):
        return None if self.utc_ms is None else self.utc_ms + self.now

    def state(self):
        return "U" if self.utc_ms is None else "S"

    async def sleep_ms(self, ms):
        self.now += ms

    def say(self, text):
        self.console.append(text)

    def see(self, stage, **values):
        """Set what a stage's sensors see."""
        for setter in self.board.setters[stage]:
            setter(Reading(**values))

    def misuses(self):
        return [line for device in self.board.devices() for line in device.misuses]

    def call(self, function, *args):
        self.now += TRANSACTION_MS
        self.transactions += 1
        try:
            return function(*args)
        except BusError as error:
            raise OSError(error.errno) from None

    def i2c(self, bus):
        return _I2c(self, bus)

    def spi(self, bus, cs):
        return _Spi(self, self.board.spi[(bus, cs)])

    def counter(self, pin):
        return _Value(self, self.board.counters[pin].value)

    def digital_in(self, pin):
        return _Value(self, self.board.lines[pin].level)


class _I2c:
    def __init__(self, world, bus):
        self._world = world
        self._bus = bus

    def _at(self, address):
        if self._bus in self._world.board.stuck_buses:
            raise BusError(ETIMEDOUT, "held low")
        return self._world.board.at(self._bus, address)

    def writeto(self, address, data):
        self._world.call(lambda: self._at(address).write(bytes(data)))

    def readfrom_into(self, address, buffer):
        buffer[:] = self._world.call(lambda: self._at(address).read(len(buffer)))

    def recover(self):
        self._world.recoveries += 1


class _Spi:
    def __init__(self, world, device):
        self._world = world
        self._device = device

    def transfer(self, data):
        return self._world.call(self._device.transfer, bytes(data))


class _Value:
    def __init__(self, world, function):
        self._world = world
        self._function = function

    def value(self):
        return self._world.call(self._function)


class Node:
    """Instruments, sampler and frames on a world; `frames` holds what was written, parsed."""

    def __init__(self, content):
        self.settings = read(content)
        self.world = World(content)
        self.datas = []
        self.frames = []
        self.starts = []
        self.instruments = Instruments(self.settings, self.world, self.world.up_ms)
        self.writer = FrameWriter(
            self.settings, KEY16, 7, frame_bytes(self.settings), self._on_frame
        )
        self.sampler = Sampler(
            self.world,
            self.instruments.stages,
            self.settings.scan_ms,
            self.instruments.begin_scan,
            self.starts.append,
            self.writer.on_scan,
            self.world.say,
            self.world.sleep_ms,
            lambda: None,
        )
        for stage in self.settings.stages:
            self.world.see(stage.id)

    def _on_frame(self, boot, seq, data, digest):
        data = bytes(data)
        assert boot == 7
        assert seq == len(self.datas)
        self.datas.append((data, digest))
        self.frames.append(parse_frame(data))

    def scan(self, count=1):
        """Make scans, each starting on the next whole second; the last one's values by name."""
        for _ in range(count):
            self.world.now += -self.world.now % self.settings.scan_ms
            run(self.sampler.scan())
        return self.values()

    def values(self):
        """The last frame's last scan: name to number, or to the NE 107 text."""
        _, _, values = self.frames[-1].scans[-1]
        return {
            name: mantissa if unit is None else mantissa / 10**decimals
            for name, unit, mantissa, decimals in values
        }


def run(coroutine):
    """Run a coroutine whose waits all move the world's time by hand."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("something waits for real time")
