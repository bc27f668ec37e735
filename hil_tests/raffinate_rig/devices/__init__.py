"""Simulated sensors and lines at the level of their registers and commands.

Each follows its maker's public data sheet, keeps device time through an injected clock, refuses
what the part refuses, and remembers a driver's misuse.
"""

from raffinate_rig.devices.ads1115 import Ads1115
from raffinate_rig.devices.atecc608 import Atecc608
from raffinate_rig.devices.base import BusError, Device, I2cDevice
from raffinate_rig.devices.ezo_ec import EzoEc
from raffinate_rig.devices.ezo_ph import EzoPh
from raffinate_rig.devices.lines import DigitalLine, PulseCounter
from raffinate_rig.devices.max31865 import Max31865
from raffinate_rig.devices.tca9548a import Tca9548a

__all__ = [
    "Ads1115",
    "Atecc608",
    "BusError",
    "Device",
    "DigitalLine",
    "EzoEc",
    "EzoPh",
    "I2cDevice",
    "Max31865",
    "PulseCounter",
    "Tca9548a",
]
