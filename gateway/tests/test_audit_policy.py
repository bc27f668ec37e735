"""The auditor's policy file."""

from __future__ import annotations

import pytest

from node_simulator import ORIGIN
from raffinate.audit.policy import add_digests, format_policy, parse_policy
from raffinate.errors import ConfigError
from raffinate.keys import load_public, make_keys

DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy") / "keys"
    make_keys(folder, ORIGIN)
    return format_policy(load_public(folder), [DIGEST], ["SN-0", "SN-1"], 60, 120)


def test_a_written_policy_is_read(text):
    found = parse_policy("p.toml", text)
    assert (found.origin, found.serials, found.licences) == (
        ORIGIN,
        ("SN-0", "SN-1"),
        frozenset({DIGEST}),
    )
    assert (found.gap_s_max, found.anchor_lag_s_max, found.pin) == (60, 120, None)
    pinned = parse_policy("p.toml", text + '[pin]\nsize = 5\nroot = "' + "A" * 43 + '="\n')
    assert pinned.pin == (5, bytes(32))


def test_digests_are_added_once_and_comments_stay(text):
    other = "cd" * 32
    found = add_digests("p.toml", text, [other, DIGEST, other])
    assert parse_policy("p.toml", found).licences == {DIGEST, other}
    assert [line for line in found.split("\n") if line.startswith("#")] == [
        line for line in text.split("\n") if line.startswith("#")
    ]
    assert add_digests("p.toml", found, [other]) == found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v = 1", "v = 2", "v must be 1"),
        ("[log]", "[logs]", "unknown key logs"),
        ("origin =", "name =", "log.name"),
        ("[authority]", "[authority]\nmore = 1", "authority.more"),
        (DIGEST, DIGEST.upper(), "64 lowercase"),
        ("gap_s_max = 60", 'gap_s_max = "1 h"', "gap_s_max"),
        ('serials = ["SN-0", "SN-1"]', "serials = [1]", "serials"),
        ("key = ", 'key = "x"\n#', "authority.key"),
        ("v = 1", "v = 1 1", "not TOML"),
        ("[limits]", "[pin]\nsize = 1\n[limits]", "pin"),
    ],
)
def test_a_bad_policy_names_file_and_key(text, old, new, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_policy("p.toml", text.replace(old, new, 1))
    assert "p.toml" in str(caught.value)


def test_a_log_key_with_a_foreign_id_is_refused(text):
    line = next(line for line in text.split("\n") if line.startswith('  "demo.example'))
    name, key_id, key = line.split("+", 2)
    with pytest.raises(ConfigError, match=r"log\.keys"):
        parse_policy("p.toml", text.replace(line, f"{name}+{key_id[::-1]}+{key}"))
