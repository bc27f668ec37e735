"""plant.toml's witnesses and timestamps: what they become, and what is said when they are wrong."""

import base64
import re

import pytest

from raffinate.config import load_config
from raffinate.config.template import write_template
from raffinate.errors import ConfigError
from raffinate_wire.note import key_id
from tsa_server import make_authority


def witness_key(type_byte=4, name="w.example/1"):
    public = bytes(range(32))
    number = key_id(name, type_byte, public).hex()
    return f"{name}+{number}+{base64.b64encode(bytes([type_byte]) + public).decode()}"


def with_anchors(folder, text):
    write_template(folder)
    plant = folder / "plant.toml"
    plant.write_text(plant.read_text() + text)
    return plant


def test_witnesses_and_timestamps_are_read(tmp_path):
    (tmp_path / "ca.pem").write_bytes(make_authority(tmp_path / "tsa").read_bytes())
    plant = with_anchors(
        tmp_path,
        f'\n[[witnesses]]\nkey = "{witness_key()}"\nurl = "http://127.0.0.1:1/w/"\n'
        f'[[witnesses]]\nkey = "{witness_key(name="stick")}"\nurl = "files"\n'
        '[timestamps]\nurl = "http://tsa.example/"\nca = "ca.pem"\n[anchors]\ninterval_s = 3\n',
    )
    anchors = load_config(plant).anchors
    assert [(item.name, item.url) for item in anchors.witnesses] == [
        ("w.example/1", "http://127.0.0.1:1/w"),
        ("stick", None),
    ]
    assert (anchors.interval_s, anchors.log_s) == (3, 600)
    assert anchors.timestamps.ca == tmp_path / "ca.pem"


def test_without_witnesses_there_are_none(tmp_path):
    anchors = load_config(with_anchors(tmp_path, "")).anchors
    assert (anchors.witnesses, anchors.timestamps) == ((), None)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f'[[witnesses]]\nkey = "{witness_key(1)}"\nurl = "files"', "no verifier key of a witness"),
        (f'[[witnesses]]\nkey = "x{witness_key()}"\nurl = "files"', "no verifier key of a witness"),
        (f'[[witnesses]]\nkey = "{witness_key()}"\nurl = "ftp://x"', "witnesses"),
        (
            f'[[witnesses]]\nkey = "{witness_key()}"\nurl = "files"\n' * 2,
            "a second time",
        ),
        ('[timestamps]\nurl = "http://t/"\nca = "none.pem"', "none.pem"),
        ('[timestamps]\nurl = "http://t/"\nca = "plant.toml"', "no certificates in PEM"),
        ("[anchors]\ninterval_s = 0", "interval_s"),
    ],
)
def test_wrong_anchors_are_named(tmp_path, table, said):
    plant = with_anchors(tmp_path, "\n" + table + "\n")
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(plant)
