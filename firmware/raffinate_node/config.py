"""The node's configuration file, node.json: read once at start, never written. See docs/node.md."""

import hashlib
from binascii import hexlify

from raffinate_node import strict_json
from raffinate_node.members import ConfigError, Members
from raffinate_node.points import read_point
from raffinate_node.settings import Config, EquipmentConfig, PointConfig, StageConfig
from raffinate_wire import b64, ids
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
STAGES_MAX = 32
POINTS_MAX = 16
EQUIPMENT_MAX = 4
PIN_MAX = 255
BUSES_MAX = 8
SPKI_BYTES = 91
ELEMENT_ADDRESS = 96
# It is woken by an address of zeros, which has to take 60 us.
ELEMENT_HZ_MAX = 100_000
KEYS = ("log", "permit", "gateway", "authority")
# An EZO reading takes 900 ms; two transactions to each circuit and the frame come on top.
EZO_READING_MS = 900
EZO_BUS_MS = 4
SCAN_SPARE_MS = 40


def load(path: str) -> Config:
    """Read the file; raise ConfigError."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        remedy = "Write one with `raffinate node config NODE` and load it onto the node"
        raise ConfigError("", f"there is no file {path}", remedy) from None
    return read_config(data)


def read_config(data: bytes) -> Config:
    """Return the configuration in the file's bytes; raise ConfigError."""
    try:
        value = strict_json.parse(data)
    except ValueError as error:
        raise ConfigError("", str(error), "Mend the file at that line") from None
    top = Members(value, "")
    config = Config()
    top.integer("v", VERSION, VERSION)
    config.site = _checked(top, "site", ids.check_id)
    config.node = _checked(top, "node", ids.check_node)
    config.log = _checked(top, "log", ids.check_origin)
    config.broker = _broker(top.members("broker"))
    config.keys = _keys(top.members("keys"))
    config.scan_ms = top.integer("scan_ms", 100, 3_600_000, 1000)
    config.frame_scans = top.integer("frame_scans", 1, 256, 1)
    config.statement_s = top.integer("statement_s", 1, 3600, 60)
    config.outbox = _outbox(Members(top.raw("outbox", {}), "outbox"))
    config.i2c = [
        _i2c(Members(item, f"i2c[{at}]")) for at, item in enumerate(top.items("i2c", BUSES_MAX, []))
    ]
    config.spi = [
        _spi(Members(item, f"spi[{at}]")) for at, item in enumerate(top.items("spi", BUSES_MAX, []))
    ]
    config.wifi = _wifi(top.members("wifi")) if top.has("wifi") else top.raw("wifi", None)
    config.stages = _stages(top)
    config.equipment = _all_equipment(top, config)
    config.element = (
        _element(top.members("element"), config) if top.has("element") else top.raw("element", None)
    )
    calibration = _calibration(top, config)
    top.done()
    _check_wiring(config)
    _check_pace(config)
    config.digest = _hex_digest(data)
    config.calibration_digest = _hex_digest(strict_json.canonical(calibration))
    return config


def _broker(members: Members) -> "dict[str, Any]":
    broker = {
        "host": members.text("host"),
        "port": members.integer("port", 1, 65535, 1883),
        "user": members.text("user", None),
        "password": members.text("password", None),
        "keepalive_s": members.integer("keepalive_s", 1, 3600, 30),
    }
    members.done()
    if broker["password"] is not None and broker["user"] is None:
        raise members.error("user", "a password stands here without a user", "Add the user")
    return broker


def _keys(members: Members) -> "dict[str, bytes]":
    keys = {}
    for name in KEYS:
        try:
            keys[name] = b64.decode(members.text(name))
        except WireError as error:
            raise members.error(name, str(error), "Write the public key as base64 DER") from None
        if len(keys[name]) != SPKI_BYTES:
            problem = f"{len(keys[name])} bytes are no P-256 public key"
            raise members.error(name, problem, "Write its SubjectPublicKeyInfo, 91 bytes of DER")
    members.done()
    return keys


def _outbox(members: Members) -> "dict[str, Any]":
    outbox = {
        "ram_bytes_max": members.integer("ram_bytes_max", 4096, 1 << 22, 8192),
        "flash_bytes_max": members.integer("flash_bytes_max", 0, 1 << 30, 524288),
        "group_bytes": members.integer("group_bytes", 1024, 1 << 20, 4096),
        "group_ms": members.integer("group_ms", 100, 3_600_000, 15000),
        "statement_bytes_max": members.integer("statement_bytes_max", 16384, 1 << 28, 262144),
    }
    members.done()
    return outbox


def _i2c(members: Members) -> "dict[str, Any]":
    bus = {
        "bus": members.integer("bus", 0, 7),
        "scl": members.integer("scl", 0, PIN_MAX),
        "sda": members.integer("sda", 0, PIN_MAX),
        "hz": members.integer("hz", 1000, 1_000_000, 100_000),
    }
    members.done()
    return bus


def _spi(members: Members) -> "dict[str, Any]":
    bus = {
        "bus": members.integer("bus", 0, 7),
        "sck": members.integer("sck", 0, PIN_MAX),
        "mosi": members.integer("mosi", 0, PIN_MAX),
        "miso": members.integer("miso", 0, PIN_MAX),
        "hz": members.integer("hz", 1000, 5_000_000, 1_000_000),
    }
    members.done()
    return bus


def _wifi(members: Members) -> "dict[str, Any]":
    wifi = {
        "ssid": members.text("ssid", chars_max=32),
        "password": members.text("password", None, 63),
        "country": members.text("country", None, 2),
        "hostname": members.text("hostname", None, 32),
    }
    members.done()
    return wifi


def _stages(top: Members) -> "list[StageConfig]":
    found = top.items("stages", STAGES_MAX)
    if not found:
        raise top.error("stages", "a node without stages measures nothing", "Add 1 to 32 of them")
    stages: "list[StageConfig]" = []
    for at, item in enumerate(found):
        members = Members(item, f"stages[{at}]")
        stage_id = _checked(members, "id", ids.check_id)
        if any(stage.id == stage_id for stage in stages):
            raise members.error("id", f"{stage_id} appears twice", "Give each stage its own name")
        points: "list[PointConfig]" = []
        for index, point_item in enumerate(members.items("points", POINTS_MAX)):
            place = Members(point_item, f"stages[{at}].points[{index}]")
            point = read_point(place)
            if any(other.name == point.name for other in points):
                raise place.error("name", f"{point.name} appears twice", "Name it otherwise")
            points.append(point)
        members.done()
        _check_temps(points, f"stages[{at}]")
        stages.append(StageConfig(stage_id, points))
    _share(stages)
    return stages


def _check_temps(points: "list[PointConfig]", key: str) -> None:
    for index, point in enumerate(points):
        temp = point.options.get("temp")
        if not isinstance(temp, str):
            continue
        for other in points:
            if other.name == temp and other.unit == "Cel":
                break
        else:
            problem = f"the stage has no temperature {temp}"
            remedy = "Name a point of unit Cel of this stage, or write the liquor's degrees"
            raise ConfigError(f"{key}.points[{index}].temp", problem, remedy)


def _all_equipment(top: Members, config: Config) -> "list[EquipmentConfig]":
    result: "list[EquipmentConfig]" = []
    for at, item in enumerate(top.items("equipment", EQUIPMENT_MAX, [])):
        members = Members(item, f"equipment[{at}]")
        one = EquipmentConfig()
        one.id = _checked(members, "id", ids.check_id)
        one.descriptor = _checked(members, "descriptor", ids.check_keyid)
        one.run_pin = members.integer("run_pin", 0, PIN_MAX)
        one.start_pin = members.integer("start_pin", 0, PIN_MAX, None)
        one.bypass_pin = members.integer("bypass_pin", 0, PIN_MAX, None)
        one.permissive_pin = members.integer("permissive_pin", 0, PIN_MAX)
        one.volume = members.text("volume", None)
        one.latching = members.flag("latching", False)
        members.done()
        if any(other.id == one.id for other in result):
            raise members.error("id", f"{one.id} appears twice", "Give each equipment its own name")
        if one.volume is not None and not _is_flow(config, one.volume):
            remedy = "Name a point with the driver pulse and unit l/s, as <stage>/<point>, or null"
            raise members.error("volume", f"{one.volume} counts no volume", remedy)
        result.append(one)
    return result


def _is_flow(config: Config, point_id: str) -> bool:
    for stage in config.stages:
        for point in stage.points:
            if f"{stage.id}/{point.name}" == point_id:
                return point.driver == "pulse" and point.unit == "l/s"
    return False


def _element(members: Members, config: Config) -> "dict[str, int]":
    element = {
        "bus": members.integer("bus", 0, 7, 0),
        "address": members.integer("address", 8, 119, ELEMENT_ADDRESS),
        "slot": members.integer("slot", 0, 15, 0),
    }
    members.done()
    for bus in config.i2c:
        if bus["bus"] == element["bus"] and bus["hz"] > ELEMENT_HZ_MAX:
            problem = f"a secure element does not wake on a bus of {bus['hz']} Hz"
            raise members.error("bus", problem, f"Write {ELEMENT_HZ_MAX} or less for its hz")
    return element


def _calibration(top: Members, config: Config) -> "dict[str, Any]":
    records = top.raw("calibration", {})
    if not isinstance(records, dict):
        raise top.error("calibration", "an object is expected", "Write {...}")
    known = {f"{stage.id}/{point.name}" for stage in config.stages for point in stage.points}
    for name in records:
        members = Members(records[name], f"calibration.{name}")
        if name not in known:
            raise members.error("", f"there is no point {name}", "Name one of this node's points")
        members.text("date")
        members.number("slope_pct", 0, 200, None)
        members.number("offset_mv", -500, 500, None)
        members.number("cell_k_cm", 0, 100, None)
        members.number("factor", 0, 100, None)
        members.done()
    return records


def _share(stages: "list[StageConfig]") -> None:
    # Equal texts and numbers of the points become one object, of which the heap keeps one.
    known: "dict[Any, Any]" = {}
    for stage in stages:
        for point in stage.points:
            point.name = known.setdefault(point.name, point.name)
            point.unit = known.setdefault(point.unit, point.unit)
            point.limits = known.setdefault(point.limits, point.limits)
            for name in point.options:
                value = point.options[name]
                if isinstance(value, float):
                    point.options[name] = known.setdefault(("float", value), value)


def _check_wiring(config: Config) -> None:
    i2c = [bus["bus"] for bus in config.i2c]
    spi = [bus["bus"] for bus in config.spi]
    taken = _multiplexers(config)
    _check_element(config, i2c, taken)
    for at, stage in enumerate(config.stages):
        for index, point in enumerate(stage.points):
            key = f"stages[{at}].points[{index}]"
            buses = spi if point.driver == "max31865" else i2c
            bus = point.options.get("bus")
            if bus is not None and bus not in buses:
                kind = "spi" if point.driver == "max31865" else "i2c"
                raise ConfigError(
                    f"{key}.bus", f"there is no {kind} bus {bus}", f"Add it to {kind}"
                )
            for place in _places(point):
                if place in taken:
                    problem = f"{taken[place]} is wired to the same place"
                    raise ConfigError(key, problem, "Give each sensor its own address or pin")
                taken[place] = key
    for at, equipment in enumerate(config.equipment):
        place = ("pin", equipment.permissive_pin)
        inputs = (equipment.run_pin, equipment.start_pin, equipment.bypass_pin)
        if place in taken or equipment.permissive_pin in inputs:
            raise ConfigError(
                f"equipment[{at}].permissive_pin",
                "another line is on this pin",
                "Give the output a pin of its own",
            )
        taken[place] = f"equipment[{at}]"


def _check_element(config: Config, i2c: "list[int]", taken: "dict[tuple[Any, ...], str]") -> None:
    if config.element is None:
        return
    bus = config.element["bus"]
    if bus not in i2c:
        raise ConfigError("element.bus", f"there is no i2c bus {bus}", "Add it to i2c")
    place = ("i2c", bus, None, config.element["address"], None)
    if place in taken:
        problem = f"{taken[place]} is wired to the same place"
        raise ConfigError("element.address", problem, "Give each part its own address")
    taken[place] = "element"


def _places(point: PointConfig) -> "list[tuple[Any, ...]]":
    # Where a sensor is wired; no two may share a place.
    options = point.options
    if "pin" in options:
        return [("pin", options["pin"])]
    if "cs" in options:
        return [("spi", options["bus"], options["cs"])]
    return [("i2c", options["bus"], options["mux"], options["address"], options.get("channel"))]


def _multiplexers(config: Config) -> "dict[tuple[Any, ...], str]":
    # The places that multiplexers take: their own addresses, and, on the bus itself, the addresses
    # of the sensors behind them.
    taken: "dict[tuple[Any, ...], str]" = {}
    for at, stage in enumerate(config.stages):
        for index, point in enumerate(stage.points):
            path = point.options.get("mux")
            if path is not None:
                bus = point.options["bus"]
                channel = 0 if point.driver == "ads1115" else None
                for address in (path[0], point.options["address"]):
                    taken[("i2c", bus, None, address, channel)] = f"stages[{at}].points[{index}]"
    return taken


def _check_pace(config: Config) -> None:
    circuits = 0
    for stage in config.stages:
        for point in stage.points:
            if point.driver in ("ezo-ph", "ezo-ec"):
                circuits += 1
    needed_ms = EZO_READING_MS + circuits * EZO_BUS_MS + SCAN_SPARE_MS
    if circuits and config.scan_ms < needed_ms:
        problem = f"{config.scan_ms} ms are too short for {circuits} EZO circuits"
        raise ConfigError("scan_ms", problem, f"Write {needed_ms} or more")


def _checked(members: Members, name: str, check: "Any") -> "Any":
    text = members.text(name)
    try:
        return check(text)
    except WireError as error:
        raise members.error(name, str(error), "Write it as docs/node.md says") from None


def _hex_digest(data: bytes) -> str:
    return hexlify(hashlib.sha256(data).digest()).decode()
