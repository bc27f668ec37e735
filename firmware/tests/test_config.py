"""node.json: what is taken, and that every refusal names its key and what to do."""

import copy
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_world import node_json, read
from raffinate_node import config, strict_json
from raffinate_node.members import ConfigError
from raffinate_wire import jsonc

DOCS = Path(__file__).resolve().parents[2] / "docs"
EQUIPMENT = {
    "id": "bat-ext",
    "descriptor": "ab" * 32,
    "run_pin": 100,
    "start_pin": 101,
    "bypass_pin": None,
    "permissive_pin": 103,
    "volume": "e01/flow_aq",
    "latching": False,
}


def changed(path, value):
    """The good file with one member replaced (or removed, for ...)."""
    content = node_json(equipment=[dict(EQUIPMENT)])
    *way, last = path
    place = content
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


def test_a_whole_file():
    found = read(node_json(equipment=[EQUIPMENT]))
    assert (found.site, found.node, found.scan_ms) == ("ndpr", "n01", 1000)
    assert found.broker["port"] == 1883
    assert found.keys["permit"] == bytes(91)
    assert [stage.id for stage in found.stages] == ["e01", "e02"]
    ph, cond, *_, level = found.stages[1].points
    assert ph.options["mux"] == (112, 1)
    assert cond.options["alpha_pct_k"] == pytest.approx(1.56)
    assert (level.unit, level.options["channel"]) == ("/", 1)
    assert found.equipment[0].volume == "e01/flow_aq"
    assert found.equipment[0].bypass_pin is None


def test_the_documented_file_is_taken():
    text = (DOCS / "node.md").read_text(encoding="utf-8")
    block = text.split("```json\n", 1)[1].split("```", 1)[0]
    found = config.read_config(block.encode())
    assert found.stages
    assert found.equipment


def test_digests():
    content = node_json()
    data = json.dumps(content, indent=2).encode()
    found = config.read_config(data)
    assert found.digest == hashlib.sha256(data).hexdigest()
    calibration = b'{"e01/ph":{"date":"2026-11-01","offset_mv":3,"slope_pct":98.5}}'
    assert found.calibration_digest == hashlib.sha256(calibration).hexdigest()


@pytest.mark.parametrize(
    ("path", "value", "key", "remedy"),
    [
        (("v",), 2, "v", "from 1 to 1"),
        (("site",), "Plant", "site", "docs/node.md"),
        (("element",), {"bus": 4}, "element.bus", "Add it to i2c"),
        (("element",), {"address": 112}, "element.address", "its own address"),
        (("element",), {"slot": 16}, "element.slot", "0 to 15"),
        (("element",), {"key": "x"}, "element.key", "address, bus, slot"),
        (("node",), "gateway", "node", "docs/node.md"),
        (("log",), "raffinate/ndpr", "log", "docs/node.md"),
        (("broker", "port"), 0, "broker.port", "1 to 65535"),
        (("broker", "host"), ..., "broker.host", "Add it"),
        (("broker", "tls"), True, "broker.tls", "There are host"),
        (("broker", "password"), "x", "broker.user", "Add the user"),
        (("keys", "log"), "AAAA", "keys.log", "91 bytes"),
        (("keys", "permit"), "?", "keys.permit", "base64 DER"),
        (("scan_ms",), 900, "scan_ms", "Write 956 or more"),
        (("scan_ms",), 1e22, "scan_ms", "exponent"),
        (("frame_scans",), 300, "frame_scans", "1 to 256"),
        (("outbox", "ram_bytes_max"), 1, "outbox.ram_bytes_max", "4096"),
        (("stages",), [], "stages", "Add 1 to 32"),
        (("stages", 1, "id"), "e01", "stages[1].id", "own name"),
        (("stages", 0, "points", 0, "driver"), "ezo", "stages[0].points[0].driver", "ezo-ph"),
        (("stages", 0, "points", 1, "name"), "ph", "stages[0].points[1].name", "otherwise"),
        (("stages", 0, "points", 0, "temp"), "tmp", "stages[0].points[0].temp", "unit Cel"),
        (("stages", 0, "points", 0, "mux"), [112], "stages[0].points[0].mux", "channel"),
        (("stages", 0, "points", 0, "mux"), [112, 8], "stages[0].points[0].mux", "channel"),
        (("stages", 1, "points", 0, "mux"), [112, 0], "stages[1].points[0]", "own address"),
        (("stages", 1, "points", 0, "mux"), None, "stages[1].points[0]", "own address"),
        (("stages", 1, "points", 3, "pin"), 20, "stages[1].points[3]", "own address or pin"),
        (("stages", 0, "points", 1, "alpha_pct_k"), ..., "stages[0].points[1].alpha_pct_k", "Add"),
        (("stages", 0, "points", 5, "shunt_ohm"), 250, "stages[0].points[5].shunt_ohm", "186"),
        (("stages", 0, "points", 5, "high"), 0, "stages[0].points[5].high", "4 and 20 mA"),
        (("stages", 0, "points", 5, "unit"), "m m", "stages[0].points[5].unit", "SenML"),
        (("stages", 0, "points", 2, "range"), [50, 5], "stages[0].points[2].range", "Swap"),
        (("i2c",), [], "stages[0].points[0].bus", "Add it to i2c"),
        (("equipment", 0, "volume"), "e01/ph", "equipment[0].volume", "driver pulse"),
        (
            ("stages", 1, "points", 3, "unit"),
            "1/h",
            "stages[1].points[3].unit",
            "Write l/s, or 1/s",
        ),
        (
            ("stages", 1, "points", 3, "unit"),
            "1/s",
            "stages[1].points[3].pulses_per_l",
            "There are",
        ),
        (("equipment", 0, "permissive_pin"), 20, "equipment[0].permissive_pin", "pin of its own"),
        (("equipment", 0, "permissive_pin"), 100, "equipment[0].permissive_pin", "pin of its own"),
        (("equipment", 0, "descriptor"), "ab", "equipment[0].descriptor", "docs/node.md"),
        (("calibration", "e09/ph"), {"date": "x"}, "calibration.e09/ph", "points"),
        (("wifi",), {"ssid": "a" * 33}, "wifi.ssid", "1 to 32"),
        (("scan",), 1000, "scan", "There are broker"),
    ],
)
def test_a_refusal_names_key_and_remedy(path, value, key, remedy):
    with pytest.raises(ConfigError) as refused:
        read(changed(path, value))
    text = str(refused.value)
    assert text.startswith(f"node.json: {'line' if remedy == 'exponent' else key}")
    assert remedy in text
    assert "\n" not in text


def counting(content, volume=None):
    """The file with a counter of events in place of e02's aqueous flow."""
    point = content["stages"][1]["points"][3]
    del point["pulses_per_l"]
    point["unit"] = "1/s"
    content["equipment"][0]["volume"] = volume
    return content


def test_a_counter_of_events_counts_each_pulse():
    point = read(counting(changed(("scan_ms",), 1000))).stages[1].points[3]
    assert (point.unit, point.decimals, point.options["pulses_per_l"]) == ("1/s", 3, 1.0)


def test_events_are_no_volume():
    with pytest.raises(ConfigError, match=r"equipment\[0\].volume: e02/flow_aq counts no volume"):
        read(counting(changed(("scan_ms",), 1000), "e02/flow_aq"))


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError, match="raffinate node config NODE"):
        config.load(str(tmp_path / "node.json"))


def test_a_syntax_error_names_its_line():
    text = json.dumps(node_json(), indent=1).replace('"scan_ms": 1000', '"scan_ms": 1000,')
    line = text[: text.index(",,")].count("\n") + 1
    with pytest.raises(ConfigError, match=rf"line {line}: "):
        config.read_config(text.encode())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_the_one_error(data):
    with pytest.raises(ConfigError):
        config.read_config(data)


@settings(deadline=None)
@given(st.data())
def test_any_member_spoilt_gives_the_one_error_or_a_configuration(data):
    content = copy.deepcopy(node_json(1, equipment=[dict(EQUIPMENT)]))
    place = content
    while True:
        step = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        if not isinstance(place[step], (dict, list)) or not place[step] or data.draw(st.booleans()):
            break
        place = place[step]
    place[step] = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
    )
    try:
        stages = read(content).stages
    except ConfigError as error:
        text = str(error)
    else:
        text = f"node.json has {len(stages)} stage"
    assert text.startswith("node.json")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.decimals(-1000, 1000, places=3).map(float),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc/é", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 2]))
def test_json_reads_as_the_standard_library_reads_it(value, indent):
    text = json.dumps(value, indent=indent)
    if "e" in text and any(isinstance(leaf, float) and abs(leaf) < 1e-3 for leaf in leaves(value)):
        return
    assert plain(strict_json.parse(text.encode())) == value


@settings(deadline=None)
@given(VALUES)
def test_canonical_text_reads_back_and_does_not_depend_on_layout(value):
    compact = strict_json.canonical(strict_json.parse(json.dumps(value).encode()))
    spread = strict_json.canonical(strict_json.parse(json.dumps(value, indent=3).encode()))
    assert compact == spread
    assert strict_json.canonical(strict_json.parse(compact)) == compact


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def plain(value):
    if isinstance(value, jsonc.Num):
        return value.mantissa / 10**value.decimals
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
