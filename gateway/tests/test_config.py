"""plant.toml: what it becomes, and what is said of every way to get it wrong."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.config import KEY_NAMES, format_node_config, load_config, node_config
from raffinate.config.template import write_template
from raffinate.errors import ConfigError, RaffinateError
from raffinate.toml_lines import key_lines, line_of
from raffinate_node.config import read_config

ORIGIN = "demo.invalid/raffinate/ndpr"
KEYS = dict.fromkeys(KEY_NAMES, "a2V5")


@pytest.fixture
def folder(tmp_path):
    write_template(tmp_path)
    return tmp_path


def edited(folder, before, after, name="plant.toml", count=1):
    file = folder / name
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, count))
    return file


def test_the_template_is_the_reference_cascade(folder):
    plant = load_config(folder).plant
    assert [(s.id, len(s.stages)) for s in plant.sections] == [
        ("extraction", 6),
        ("scrub", 6),
        ("strip", 4),
        ("outfall", 1),
    ]
    assert {node.id: len(node.stages) for node in plant.nodes.values()} == {
        "n01": 4,
        "n02": 4,
        "n03": 4,
        "n04": 5,
    }
    assert [point.name for point in plant.stages["e01"].points] == [
        "ph",
        "cond",
        "temp",
        "flow_aq",
        "flow_org",
        "level",
    ]
    machines = {machine.id: machine for machine in plant.equipment.values()}
    assert {name: machine.node for name, machine in machines.items()} == {
        "bat-ext": "n01",
        "bat-scrub": "n03",
        "bat-strip": "n04",
    }
    assert machines["bat-strip"].stages == ("t01", "t02", "t03", "t04")
    assert all(point.normal for point in plant.points.values())
    assert {point.name: point.unit for point in plant.stages["o01"].points} == {
        "ph": "pH",
        "cond": "S/m",
        "rad": "1/s",
    }


def test_a_counter_of_events_needs_no_pulses_a_litre_and_meters_no_machine(folder):
    config = load_config(folder)
    keys = dict.fromkeys(KEY_NAMES, b64encode(bytes(91)).decode())
    content = node_config(config, "n04", ORIGIN, keys)
    points = {point["name"]: point for point in content["stages"][-1]["points"]}
    assert points["rad"] == {
        "name": "rad", "driver": "pulse", "unit": "1/s", "pin": 28, "range": [0.0, 5000.0]
    }  # fmt: skip
    board = read_config(format_node_config(content))
    assert [(point.unit, point.decimals) for point in board.stages[-1].points] == [
        ("pH", 4),
        ("S/m", 4),
        ("1/s", 3),
    ]


def test_default_wiring_follows_a_stage_s_place_on_its_node(folder):
    plant = load_config(folder).plant
    assert plant.points["e04/ph"].driver == {
        "driver": "ezo-ph",
        "bus": 0,
        "address": 99,
        "mux": [112, 3],
        "temp": "temp",
    }
    assert plant.points["e04/temp"].driver["cs"] == 13
    assert plant.points["e04/flow_aq"].driver["pin"] == 26
    assert plant.points["e04/flow_org"].driver["pin"] == 27
    level = plant.points["e04/level"].driver
    assert (level["address"], level["channel"]) == (72, 3)
    assert plant.equipment["bat-ext"].pins == {
        "run": 100,
        "start": 101,
        "bypass": None,
        "permissive": 103,
    }


def test_node_json_is_what_the_board_expects(folder):
    config = load_config(folder)
    content = node_config(config, "n01", ORIGIN, KEYS, broker_port=1999)
    assert list(content) == [
        "v", "site", "node", "log", "broker", "keys", "scan_ms", "frame_scans", "statement_s",
        "outbox", "i2c", "spi", "stages", "equipment", "calibration",
    ]  # fmt: skip
    assert content["broker"]["port"] == 1999
    assert [stage["id"] for stage in content["stages"]] == ["e01", "e02", "e03", "e04"]
    [machine] = content["equipment"]
    descriptor = (folder / "equipment" / "bat-ext.toml").read_bytes()
    assert machine["descriptor"] == hashlib.sha256(descriptor).hexdigest()
    assert (machine["run_pin"], machine["bypass_pin"], machine["latching"]) == (100, None, False)
    assert json.loads(format_node_config(content)) == content
    with pytest.raises(ConfigError, match="no node 'n09'; its nodes are n01, n02"):
        node_config(config, "n09", ORIGIN, KEYS)
    with pytest.raises(ConfigError, match="public keys log, permit are missing"):
        node_config(config, "n01", ORIGIN, {"gateway": "x", "authority": "x"})


def test_the_board_s_own_parser_takes_node_json(folder):
    config = load_config(folder)
    keys = dict.fromkeys(KEY_NAMES, b64encode(bytes(91)).decode())
    for node in config.plant.nodes.values():
        data = format_node_config(node_config(config, node.id, ORIGIN, keys))
        board = read_config(data)
        assert [stage.id for stage in board.stages] == list(node.stages)
        assert board.digest == hashlib.sha256(data).hexdigest()


def test_a_board_with_pins_and_wifi_of_its_own(folder):
    pins = "\n".join(
        f'  {{ id = "{stage}", node = "n04", points = {{ temp = {{ cs = {k} }}, '
        f"flow_aq = {{ pin = {20 + k} }}, flow_org = {{ pin = {30 + k} }} }} }},"
        for k, stage in enumerate(["t01", "t02", "t03", "t04"])
    )
    text = (folder / "plant.toml").read_text()
    start = text.index('  { id = "t01"')
    text = text[:start] + pins + text[text.index("\n]", start) :]
    text = text.replace('"o01", node = "n04"', '"o01", node = "n03"')
    text = text.replace(
        "[nodes.n04]",
        '[nodes.n04]\nboard = "rp2"\nwifi = { ssid = "plant", password = "long enough" }\n'
        "i2c = [{ bus = 0, scl = 1, sda = 0 }]\n"
        "spi = [{ bus = 0, sck = 2, mosi = 3, miso = 4 }]",
    )
    before, after = text.split('volume = "t01/flow_aq"')
    text = f'{before}volume = "t01/flow_aq"\n' + after.replace(
        "pins = { bypass = -1 }", "pins = { run = 10, permissive = 11 }"
    )
    (folder / "plant.toml").write_text(text)
    config = load_config(folder)
    keys = dict.fromkeys(KEY_NAMES, b64encode(bytes(91)).decode())
    board = read_config(format_node_config(node_config(config, "n04", ORIGIN, keys)))
    assert board.wifi["ssid"] == "plant"
    assert board.equipment[0].start_pin is None


WRONG = [
    ('id = "ndpr" ', 'id = "Nd Pr" ', "site.id is 'Nd Pr'; write 1 to 32 of a-z"),
    ("port = 8080", 'port = "8080"', "listen.port must be a whole number without quotes"),
    ("port = 8080", "port = 99999", "listen.port is 99999"),
    ('host = "127.0.0.1"\nport = 8080', 'host = "0.0.0.0"\nport = 8080', "need TLS and users"),
    ('host = "127.0.0.1"\nport = 1883', 'host = "10.0.0.5"\nport = 1883', "broker.host is '10.0"),
    ("port = 8080", "prot = 8080", "listen.prot is no key here; did you mean port?"),
    ("v = 1", "v = 2", "v is 2; write 1"),
    ("[nodes.n02]\nstatement_s = 60\n", "", "sections[0].stages[4].node is 'n02'; add [nodes.n02]"),
    ("[nodes.n02]\n", "[nodes.n02]\n[nodes.n09]\n", "nodes.n09 serves no stage"),
    ('"ezo-ph"', '"ezoph"', "driver is 'ezoph'; write one of ezo-ph, ezo-ec"),
    ('unit = "pH"', 'unit = "mV"', "unit is 'mV'; ezo-ph measures in pH"),
    (", pulses_per_l = 8000.0 }", " }", "pulses_per_l is missing; pulse needs it"),
    ('"1/s", range', '"1/s", pulses_per_l = 1.0, range', "no meaning for events in 1/s; remove it"),
    ('"1/s"', '"1/h"', "rad.unit is '1/h'; pulse measures in l/s, 1/s"),
    ('kind = "outfall"', 'kind = "sewer"', "kind is 'sewer'; write 'extraction'"),
    ('volume = "t01/flow_aq"', 'volume = "o01/rad"', "counts events; volume comes from a flow"),
    ("alpha_pct_k = 1.56", "cs = 3", "cs has no meaning for ezo-ec"),
    ("ph = [1.75, 1.95]", "ph = [1.95, 1.75]", "normal.ph is [1.95, 1.75]; write [low, high]"),
    ("ph = [1.75, 1.95]", "ph = [1.75]", "normal.ph is [1.75]"),
    ("ph = [1.75, 1.95]", "ph = [1.75, 19.5]", "is outside the range [-1.0, 14.0]"),
    ("ph = [1.75, 1.95]", "hp = [1.75, 1.95]", "normal.hp is no point of this stage"),
    ('id = "t02"', 'id = "t01"', "is 't01' a second time; names are unique"),
    ('id = "scrub"', 'id = "extraction"', "sections[1].id is 'extraction' a second time"),
    ('kit = "mixer-settler"', 'kit = "columns"', "kit is 'columns'; kits are mixer-settler"),
    ('volume = "e01/flow_aq"', 'volume = "e01/ph"', "volume is no pulse counter"),
    ('volume = "e01/flow_aq"', 'volume = "t01/flow_aq"', "is measured by n04, not by n01"),
    ('volume = "e01/flow_aq"', 'volume = "e99/x"', "which is no point of this plant"),
    ("pins = { bypass = -1 }", "pins = { run = 20 }", "pins.run is 20, where e01/flow_aq is"),
    ('temp = "temp" }', 'temp = "tmp" }', "is compensated by 'tmp', which this stage does not"),
    ('"e02", node', '"e02", points = { ph = { mux = [112, 0] } }, node', "where e01/ph is"),
    ('board = "unix"', 'board = "esp32"', "needs its own pins named"),
    ('node = "n01", normal = { ph = [1.75', 'node = "gateway", normal = { ph = [1.75', "'gateway'"),
    ("v = 1", "v = 1\nv = 1", "not valid TOML"),
    ('kind = "scrub"', 'kind = "scrubb"', "sections[1].kind is 'scrubb'; write 'extraction'"),
    ("scan_ms = 1000", "scan_ms = 900", "nodes.n01.scan_ms is 900; 8 EZO circuits need 972"),
    ("alpha_pct_k = 1.56", "alpha_pct_k = 1.56, bus = 1", "nodes.n01.i2c has no bus 1"),
    ('# password_file = "broker.password"', 'password = "x"', "broker.user is missing beside"),
    ("warn_percent = 90", "warn_percent = 190", "storage.warn_percent is 190"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "message"), WRONG)
def test_every_mistake_is_named_with_its_file_line_and_key(folder, before, after, message):
    file = edited(folder, before, after)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    text = str(caught.value)
    assert message in text
    assert str(file) in text
    if "not valid TOML" not in message:
        assert re.search(re.escape(str(file)) + r" line \d+: ", text)


def test_the_line_is_the_key_s_own(folder):
    edited(folder, "ph = [1.75, 1.95]", "hp = [1.75, 1.95]")
    number = (folder / "plant.toml").read_text().split("hp = ")[0].count("\n") + 1
    with pytest.raises(ConfigError, match=f"plant.toml line {number}: sections"):
        load_config(folder)


def test_all_mistakes_are_named_at_once(folder):
    edited(folder, "port = 8080", 'port = "x"')
    edited(folder, "warn_percent = 90", "warn_percent = 0")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert str(caught.value).count("plant.toml line") == 2


@pytest.mark.parametrize(
    ("influx", "message"),
    [
        ('version = "2"\nbucket = "b"\ntoken = "t"', "influx.org is missing"),
        ('version = "3"\nbucket = "b"', "influx.token is missing; version 3 needs it"),
        ('version = "1"\nbucket = "b"', "influx.bucket is none of version 1's keys"),
        ('version = "1"', "influx.database is missing"),
        ('version = "4"', "influx.version is '4'"),
        (
            'version = "2"\norg = "o"\nbucket = "b"\ntoken_env = "NOPE"',
            "variable NOPE, which is not",
        ),
        (
            'version = "2"\norg = "o"\nbucket = "b"\ntoken_file = "no"',
            "influx.token_file cannot be",
        ),
        ('version = "2"\ntoken = "a"\ntoken_env = "B"', "are both given; keep one"),
    ],
)
def test_influx_says_what_its_version_needs(folder, influx, message):
    edited(folder, "[kits.", f'[influx]\nurl = "http://127.0.0.1:8086"\n{influx}\n[kits.')
    with pytest.raises(ConfigError) as caught:
        load_config(folder, environ={})
    assert message in str(caught.value)


def test_secrets_come_from_file_or_environment_and_are_never_shown(folder):
    (folder / "influx.token").write_text("s3cret\n")
    text = 'url = "http://127.0.0.1:8086/"\nversion = "2"\norg = "o"\nbucket = "b"\n'
    edited(folder, "[kits.", f'[influx]\n{text}token_file = "influx.token"\n[kits.')
    edited(folder, '# password_file = "broker.password"', 'user = "u"\npassword_env = "BROKER"')
    config = load_config(folder, environ={"BROKER": "hush"})
    assert (config.influx.token, config.influx.url) == ("s3cret", "http://127.0.0.1:8086")
    assert config.broker.password == "hush"  # noqa: S105 - a test's own
    assert "s3cret" not in repr(config)
    assert "hush" not in repr(config)


def test_a_descriptor_s_mistakes_are_named(folder):
    edited(folder, 'serial = "DW-MS6-0001"', "serial = 1", "equipment/bat-ext.toml")
    with pytest.raises(ConfigError, match=r"bat-ext.toml line \d+: serial must be text in quotes"):
        load_config(folder)


def test_a_missing_descriptor_is_named(folder):
    (folder / "equipment" / "bat-ext.toml").unlink()
    with pytest.raises(ConfigError, match="does not exist; write its descriptor there"):
        load_config(folder)


def test_a_descriptor_must_be_of_its_machine(folder):
    edited(folder, 'id = "bat-ext"', 'id = "bat-x"', "equipment/bat-ext.toml")
    edited(folder, '"e06"', '"e99"', "equipment/bat-ext.toml")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert "says 'bat-x'" in str(caught.value)
    assert "unknown stage 'e99'" in str(caught.value)


def test_a_descriptors_sections_are_those_of_its_stages(folder):
    edited(folder, '["extraction"]', '["extraction", "scrub"]', "equipment/bat-ext.toml")
    with pytest.raises(ConfigError, match=r"its stages are in \['extraction'\]: mend one"):
        load_config(folder)
    edited(folder, '["extraction", "scrub"]', '["outfall"]', "equipment/bat-ext.toml")
    with pytest.raises(ConfigError, match=r"bat-ext.toml line \d+: sections"):
        load_config(folder)


def test_calibration_goes_to_its_node(folder):
    text = '[calibration."e01/ph"]\ndate = 2026-11-01\nslope_pct = 98.5\n\n[[sections]]'
    edited(folder, "[[sections]]", text)
    config = load_config(folder)
    expected = {"e01/ph": {"date": "2026-11-01", "slope_pct": 98.5}}
    assert node_config(config, "n01", ORIGIN, KEYS)["calibration"] == expected
    assert node_config(config, "n02", ORIGIN, KEYS)["calibration"] == {}


def test_without_a_file_the_way_to_one_is_named(tmp_path):
    with pytest.raises(ConfigError, match="raffinate init"):
        load_config(tmp_path / "plant.toml")


def test_text_that_is_no_utf8_names_its_line(folder):
    file = folder / "plant.toml"
    file.write_bytes(file.read_bytes() + b"\n# \xff\n")
    with pytest.raises(ConfigError, match=r"line \d+: not UTF-8"):
        load_config(folder)


def test_init_never_overwrites(folder):
    with pytest.raises(RaffinateError, match="nothing written"):
        write_template(folder)


def test_lines_of_every_form_of_toml():
    text = """# comment
a = 1
"b c".d = "x # [no] header"
[t."u v"]
k = '''
many
lines'''
l = [ # list
  { x = 1, y = [1, 2] },
  "two",
]
[[s]]
n = 1
[[s.q]]
m = 2
[[s]]
n = 3
"""
    lines = key_lines(text)
    assert tomllib.loads(text)["s"][0]["q"][0]["m"] == 2
    assert lines["a",] == 2
    assert lines["b c", "d"] == 3
    assert lines["t", "u v"] == 4
    assert lines["t", "u v", "k"] == 5
    assert lines["t", "u v", "l", 0, "y", 1] == 9
    assert lines["t", "u v", "l", 1] == 10
    assert lines["s", 0, "n"] == 13
    assert lines["s", 0, "q", 0, "m"] == 15
    assert lines["s", 1, "n"] == 17
    assert line_of(lines, ("s", 1, "missing")) == 16
    assert line_of(lines, ("nothing",)) is None


values = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(value, prefix=()):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*prefix, key)
        if isinstance(inner, (dict, list)):
            yield from paths(inner, (*prefix, key))


@given(st.dictionaries(st.text(min_size=1, max_size=6), values, max_size=5))
def test_every_key_of_any_document_has_a_line(content):
    tomli_w = pytest.importorskip("tomli_w")
    text = tomli_w.dumps(content)
    lines = key_lines(text)
    for path in paths(tomllib.loads(text)):
        assert path in lines
