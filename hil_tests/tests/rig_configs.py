"""node.json for tests of the rig, wired as docs/architecture.md computes it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PULSES_PER_L = 8000
RTD = {"r0_ohm": 1000, "rref_ohm": 4300}


def stage_points(place: int) -> list[dict[str, Any]]:
    ezo = {"bus": 0, "mux": [112 + place // 8, place % 8], "temp": "temp"}
    return [
        {"name": "ph", "driver": "ezo-ph", "address": 99} | ezo,
        {"name": "cond", "driver": "ezo-ec", "address": 100, "alpha_pct_k": 1.56} | ezo,
        {"name": "temp", "driver": "max31865", "bus": 0, "cs": 10 + place} | RTD,
        _meter("flow_aq", 20 + 2 * place),
        _meter("flow_org", 21 + 2 * place),
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
    ]


def equipment(name: str, number: int, volume: str | None) -> dict[str, Any]:
    pin = 100 + 4 * number
    return {
        "id": name,
        "descriptor": hashlib.sha256(name.encode()).hexdigest(),
        "run_pin": pin,
        "start_pin": pin + 1,
        "bypass_pin": None,
        "permissive_pin": pin + 3,
        "volume": volume,
        "latching": False,
    }


def node_config(
    node: str = "n01",
    stages: tuple[str, ...] = ("e01", "e02"),
    *,
    broker_port: int = 1883,
    equipment_ids: tuple[str, ...] = (),
    **changes: Any,
) -> dict[str, Any]:
    key = _public_key()
    return {
        "v": 1,
        "site": "ndpr",
        "node": node,
        "log": "demo.example/raffinate/ndpr",
        "broker": {
            "host": "127.0.0.1",
            "port": broker_port,
            "user": None,
            "password": None,
            "keepalive_s": 30,
        },
        "keys": dict.fromkeys(("log", "permit", "gateway", "authority"), key),
        "scan_ms": 1000,
        "frame_scans": 1,
        "statement_s": 60,
        "outbox": {
            "ram_bytes_max": 65536,
            "flash_bytes_max": 524288,
            "group_bytes": 8192,
            "group_ms": 15000,
            "statement_bytes_max": 262144,
        },
        "i2c": [{"bus": 0, "scl": 22, "sda": 21, "hz": 100000}],
        "spi": [{"bus": 0, "sck": 18, "mosi": 23, "miso": 19, "hz": 1000000}],
        "stages": [
            {"id": stage, "points": stage_points(place)} for place, stage in enumerate(stages)
        ],
        "equipment": [
            equipment(name, number, f"{stages[0]}/flow_aq")
            for number, name in enumerate(equipment_ids)
        ],
        "calibration": {},
    } | changes


def _meter(name: str, pin: int) -> dict[str, Any]:
    return {"name": name, "driver": "pulse", "pin": pin, "pulses_per_l": PULSES_PER_L}


def _public_key() -> str:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()
