"""A node's secure element in plant.toml: what the node is told, and what is said of a wrong one."""

from __future__ import annotations

from base64 import b64encode

import pytest

from raffinate.config import KEY_NAMES, format_node_config, load_config, node_config
from raffinate.config.template import write_template
from raffinate.errors import ConfigError
from raffinate_node.config import read_config

ORIGIN = "demo.invalid/raffinate/ndpr"
KEYS = dict.fromkeys(KEY_NAMES, b64encode(bytes(91)).decode())
BUS = "i2c = [{ bus = 0, scl = 22, sda = 21, hz = %d }]\n"


def plant(folder, lines):
    """A plant whose node n01 has these lines more."""
    if not (folder / "plant.toml").exists():
        write_template(folder)
        (folder / "first").write_text((folder / "plant.toml").read_text())
    text = (folder / "first").read_text()
    assert "[nodes.n01]\n" in text
    (folder / "plant.toml").write_text(text.replace("[nodes.n01]\n", f"[nodes.n01]\n{lines}"))
    return load_config(folder)


def test_an_element_reaches_the_node_and_its_absence_too(tmp_path):
    for lines, expected in (
        ("element = {}\n", {"bus": 0, "address": 96, "slot": 0}),
        ("element = { address = 54, slot = 2 }\n", {"bus": 0, "address": 54, "slot": 2}),
        ("", None),
    ):
        content = node_config(plant(tmp_path, lines), "n01", ORIGIN, KEYS)
        assert content.get("element") == expected
        assert read_config(format_node_config(content)).element == expected


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("element = { bus = 3 }\n", "add that bus to i2c"),
        ("element = {}\n" + BUS % 400_000, "too fast to wake an element"),
        ("element = { slot = 16 }\n", "slot"),
        ("element = { key = 1 }\n", "key"),
    ],
)
def test_a_wrong_element_is_named(tmp_path, lines, told):
    with pytest.raises(ConfigError, match=told):
        plant(tmp_path, lines)
