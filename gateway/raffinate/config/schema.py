"""The shape of plant.toml and of an equipment descriptor; strict, unknown keys refused."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# protocol.md 1: identifiers
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
PointName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
PointId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}/[a-z][a-z0-9_]{0,31}$")
]
Text = Annotated[str, StringConstraints(max_length=200)]
Band = Annotated[list[float], Field(min_length=2, max_length=2)]
Port = Annotated[int, Field(ge=1, le=65535)]
Pin = Annotated[int, Field(ge=0, le=255)]
Bytes = Annotated[int, Field(ge=1 << 20, le=1 << 50)]


class Table(BaseModel):
    """A TOML table: exact types, no key it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SiteTable(Table):
    """`[site]`."""

    id: Id
    name: Text
    note: Text = ""


class ListenTable(Table):
    """`[listen]`: where API and page are served; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080


class BrokerTable(Table):
    """`[broker]`: the MQTT broker that nodes and gateway share."""

    host: str = "127.0.0.1"
    port: Port = 1883
    user: str | None = None
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30


class StorageTable(Table):
    """`[storage]`: folders (relative to plant.toml) and limits."""

    data: str = "data"
    keys: str = "keys"
    archive_bytes_max: Bytes = 20_000_000_000
    quarantine_bytes_max: Bytes = 100_000_000
    series_bytes_max: Bytes = 20_000_000_000
    disk_free_bytes_min: Annotated[int, Field(ge=0, le=1 << 50)] = 64_000_000
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 90


class InfluxTable(Table):
    """`[influx]`: an InfluxDB to which samples are copied; version 2 serves 1.8, 2.x and 3."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
    version: Literal["1", "2", "3"]
    org: str | None = None
    bucket: str | None = None
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None


class WitnessTable(Table):
    """`[[witnesses]]`: who cosigns the log's checkpoints; `url` "files" for a stick."""

    key: Annotated[str, StringConstraints(max_length=300)]
    url: Annotated[str, StringConstraints(pattern=r"^(files|https?://[^\s?#]+)$", max_length=300)]


class AnchorsTable(Table):
    """`[anchors]`: how often witnesses are asked, how often their word goes into the log."""

    interval_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    log_s: Annotated[int, Field(ge=1, le=86_400)] = 600


class TimestampsTable(Table):
    """`[timestamps]`: an RFC 3161 server, and the certificates its tokens lead to."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[!#-\[\]-~]+$", max_length=120)]
    ca: str
    interval_s: Annotated[int, Field(ge=1, le=604_800)] = 3600


class PointTable(Table):
    """One point of a kit, or a stage's difference from its kit; wiring keys depend on `driver`."""

    driver: str | None = None
    unit: str | None = None
    range: Band | None = None
    normal: Band | None = None
    bus: Annotated[int, Field(ge=0, le=7)] | None = None
    address: Annotated[int, Field(ge=8, le=119)] | None = None
    mux: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    channel: Annotated[int, Field(ge=0, le=3)] | None = None
    cs: Pin | None = None
    pin: Pin | None = None
    temp: PointName | float | None = None
    alpha_pct_k: Annotated[float, Field(ge=0, le=10)] | None = None
    k_per_cm: Annotated[float, Field(ge=0.01, le=10)] | None = None
    r0_ohm: Annotated[float, Field(ge=10, le=10_000)] | None = None
    rref_ohm: Annotated[float, Field(ge=10, le=100_000)] | None = None
    wires: Annotated[int, Field(ge=2, le=4)] | None = None
    pulses_per_l: Annotated[float, Field(ge=0.001, le=1e7)] | None = None
    window_ms: Annotated[int, Field(ge=0, le=60_000)] | None = None
    shunt_ohm: Annotated[float, Field(ge=10, le=186)] | None = None
    delay_ms: Annotated[int, Field(ge=0, le=60_000)] | None = None
    invert: bool | None = None
    low: float | None = None
    high: float | None = None


class StageTable(Table):
    """One stage: its node, its normal bands, and what differs from its section's kit."""

    id: Id
    node: Id
    kit: Id | None = None
    normal: dict[PointName, Band] = {}
    points: dict[PointName, PointTable] = {}


class SectionTable(Table):
    """`[[sections]]` in flow order, each with its stages in flow order."""

    id: Id
    kind: Literal["extraction", "scrub", "strip", "wash", "column", "outfall"]
    name: Text
    kit: Id
    normal: dict[PointName, Band] = {}
    stages: Annotated[list[StageTable], Field(min_length=1, max_length=512)]


class I2cTable(Table):
    """One I2C bus of a node."""

    bus: Annotated[int, Field(ge=0, le=7)]
    scl: Pin
    sda: Pin
    hz: Annotated[int, Field(ge=1000, le=1_000_000)] = 100_000


class SpiTable(Table):
    """One SPI bus of a node."""

    bus: Annotated[int, Field(ge=0, le=7)]
    sck: Pin
    mosi: Pin
    miso: Pin
    hz: Annotated[int, Field(ge=1000, le=5_000_000)] = 1_000_000


class ElementTable(Table):
    """A node's secure element (ATECC608) on one of its I2C buses; its key never leaves it."""

    bus: Annotated[int, Field(ge=0, le=7)] = 0
    address: Annotated[int, Field(ge=8, le=119)] = 96
    slot: Annotated[int, Field(ge=0, le=15)] = 0


class OutboxTable(Table):
    """Limits of a node's outbox."""

    ram_bytes_max: Annotated[int, Field(ge=4096, le=1 << 22)] = 8192
    flash_bytes_max: Annotated[int, Field(ge=0, le=1 << 30)] = 524_288
    group_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 4096
    group_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 15_000
    statement_bytes_max: Annotated[int, Field(ge=16_384, le=1 << 28)] = 262_144


class WifiTable(Table):
    """The Wi-Fi of a board; it stands in its node.json, readable on the board."""

    ssid: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    password: Annotated[str, StringConstraints(min_length=8, max_length=63)] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    hostname: Annotated[str, StringConstraints(max_length=32)] | None = None


class NodeTable(Table):
    """`[nodes.<id>]`: one board."""

    board: Literal["unix", "esp32", "rp2"] = "unix"
    scan_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 1000
    frame_scans: Annotated[int, Field(ge=1, le=256)] = 1
    statement_s: Annotated[int, Field(ge=1, le=3600)] = 60
    outbox: OutboxTable = OutboxTable()
    i2c: Annotated[list[I2cTable], Field(max_length=8)] = []
    spi: Annotated[list[SpiTable], Field(max_length=8)] = []
    wifi: WifiTable | None = None
    element: ElementTable | None = None


class PinsTable(Table):
    """Pins of an equipment on its node; -1 stands for a pin that is not wired."""

    run: Pin | None = None
    start: Annotated[int, Field(ge=-1, le=255)] | None = None
    bypass: Annotated[int, Field(ge=-1, le=255)] | None = None
    permissive: Pin | None = None


class EquipmentTable(Table):
    """`[[equipment]]`: a licensed machine, further described by equipment/<id>.toml."""

    id: Id
    node: Id
    volume: PointId | None = None
    latching: bool = False
    pins: PinsTable = PinsTable()


class CalibrationTable(Table):
    """`[calibration."stage/point"]`: carried into node.json and, by digest, into statements."""

    date: date
    slope_pct: Annotated[float, Field(gt=0, le=200)] | None = None
    offset_mv: Annotated[float, Field(ge=-500, le=500)] | None = None
    cell_k_cm: Annotated[float, Field(gt=0, le=100)] | None = None
    factor: Annotated[float, Field(gt=0, le=100)] | None = None


class EvidenceTable(Table):
    """`[evidence]`: what the gateway states by itself."""

    close_hour_utc: Annotated[int, Field(ge=0, le=23)] | None = None
    policy: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None


class PlantFile(Table):
    """plant.toml."""

    v: Literal[1]
    site: SiteTable
    listen: ListenTable = ListenTable()
    broker: BrokerTable = BrokerTable()
    storage: StorageTable = StorageTable()
    influx: InfluxTable | None = None
    witnesses: Annotated[list[WitnessTable], Field(max_length=16)] = []
    anchors: AnchorsTable = AnchorsTable()
    timestamps: TimestampsTable | None = None
    evidence: EvidenceTable = EvidenceTable()
    kits: Annotated[dict[Id, dict[PointName, PointTable]], Field(min_length=1, max_length=64)]
    nodes: Annotated[dict[Id, NodeTable], Field(min_length=1, max_length=512)]
    sections: Annotated[list[SectionTable], Field(min_length=1, max_length=64)]
    equipment: Annotated[list[EquipmentTable], Field(max_length=512)] = []
    calibration: dict[PointId, CalibrationTable] = {}


class DescriptorFile(Table):
    """equipment/<id>.toml: what the licence names; its exact bytes are hashed into statements."""

    v: Literal[1]
    id: Id
    name: Text
    maker: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    serial: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    stages: Annotated[list[Id], Field(min_length=1, max_length=512)]
    sections: (
        Annotated[
            list[Literal["extraction", "scrub", "strip", "wash", "column"]],
            Field(min_length=1, max_length=5),
        ]
        | None
    ) = None
    volume: str | None = None
