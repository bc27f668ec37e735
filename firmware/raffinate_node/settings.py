"""node.json as values, made by config.py and kept while the node runs."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PointConfig:
    """A point: name, driver, wire unit, decimals sent, limits (low, high) or None, options."""

    def __init__(
        self,
        name: str,
        driver: str,
        unit: str,
        decimals: int,
        limits: "tuple[float, float] | None",
        options: "dict[str, Any]",
    ) -> None:
        self.name = name
        self.driver = driver
        self.unit = unit
        self.decimals = decimals
        self.limits = limits
        self.options = options


class StageConfig:
    """A stage: `id` and its points in the order of their frame records."""

    def __init__(self, stage_id: str, points: "list[PointConfig]") -> None:
        self.id = stage_id
        self.points = points


class EquipmentConfig:
    """A licensed machine: descriptor digest (hex), pins (None: not wired), volume point or None."""

    id: str
    descriptor: str
    run_pin: int
    start_pin: "int | None"
    bypass_pin: "int | None"
    permissive_pin: int
    volume: "str | None"
    latching: bool


class Config:
    """node.json as values; `keys` are SPKI DER, `digest` and `calibration_digest` lowercase hex.

    `broker` and `outbox` are dicts with the members of node.json; `i2c`, `spi`, `wifi` and
    `element` (None: the key lies in flash) too.
    """

    site: str
    node: str
    log: str
    broker: "dict[str, Any]"
    keys: "dict[str, bytes]"
    scan_ms: int
    frame_scans: int
    statement_s: int
    outbox: "dict[str, Any]"
    i2c: "list[dict[str, Any]]"
    spi: "list[dict[str, Any]]"
    wifi: "dict[str, Any] | None"
    stages: "list[StageConfig]"
    equipment: "list[EquipmentConfig]"
    element: "dict[str, int] | None"
    digest: str
    calibration_digest: str
