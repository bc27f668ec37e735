"""A verification that is killed goes on where it was; junk in what an auditor gives is refused."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raffinate.audit.policy import parse_policy
from raffinate.audit.resume import StateFile
from raffinate.audit.verify import Checked
from raffinate.errors import ConfigError
from verify_story import make

VERIFY = [sys.executable, "-m", "raffinate.audit.command"]
STATEMENTS = 20_000
KILLED_WITHIN_S = 60.0
POLL_S = 0.002


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A log of eighty bundles of entries, and its policy."""
    folder = tmp_path_factory.mktemp("resume")
    made = make.make_bundle(folder / "bundle", STATEMENTS, 4)
    (folder / "policy.toml").write_text(made.policy())
    return folder


def words(folder, *more):
    policy = str(folder / "policy.toml")
    return [*VERIFY, str(folder / "bundle"), "--policy", policy, "--processes", "1", *more]


def said(folder, *more):
    done = subprocess.run(words(folder, *more), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def plainly(bundle):
    """What a run that nobody broke off says."""
    return said(bundle)


def test_a_killed_verification_goes_on_and_says_the_same(bundle, plainly, tmp_path):
    state = tmp_path / "state.json"
    process = subprocess.Popen(
        words(bundle, "--resume", str(state)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    end = time.monotonic() + KILLED_WITHIN_S
    while not state.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(POLL_S)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = json.loads(state.read_text())
    assert 0 < kept["entries"] < STATEMENTS
    policy = parse_policy("policy", (bundle / "policy.toml").read_text())
    assert StateFile(state).load(policy.digest).entries == kept["entries"]
    resumed = said(bundle, "--resume", str(state))
    assert resumed == plainly
    assert re.search(r"^authentic +PASS$", resumed[1], re.MULTILINE)


def test_a_forged_state_of_another_log_is_not_believed(bundle, plainly, tmp_path):
    state = tmp_path / "state.json"
    policy = parse_policy("policy", (bundle / "policy.toml").read_text())
    StateFile(state).save(policy.digest, Checked(16_384, bytes(32), frozenset()))
    assert said(bundle, "--resume", str(state)) == plainly


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_state_file_is_a_state_or_nothing(tmp_path, data):
    file = tmp_path / "state.json"
    file.write_bytes(data)
    assert StateFile(file).load("x") == Checked()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("v", "policy", "entries", "root", "bad"),
    _VALUES | st.just(1) | st.just(256) | st.just("ab" * 32) | st.just("x"),
)))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_in_a_state_file_are_a_state_or_nothing(tmp_path, value):
    file = tmp_path / "state.json"
    file.write_text(json.dumps(value))
    found = StateFile(file).load("x")
    assert found == Checked() or (found.entries == value["entries"] and value["policy"] == "x")


@given(st.text(max_size=200))
def test_any_policy_text_is_a_policy_or_the_one_error(text):
    with pytest.raises(ConfigError) as refused:
        parse_policy("p.toml", text)
    assert str(refused.value).startswith("p.toml")


@pytest.fixture(scope="module")
def policy_lines(bundle):
    return (bundle / "policy.toml").read_text().splitlines()


@given(st.data())
@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_an_edited_policy_is_a_policy_or_the_one_error(policy_lines, data):
    lines = list(policy_lines)
    place = data.draw(st.integers(0, len(lines) - 1))
    name = lines[place].partition(" = ")[0]
    junk = data.draw(
        st.sampled_from(
            [
                "1", "-1", "1.5", "true", '""', '"x"', "[]", "[1]", '["x"]', "{}", "nan", "1e999",
                "9" * 30, '"' + "ab" * 32 + '"', "2026-01-01", "[[1]]", "{ a = 1 }", "'''", "",
            ]
        )
    )  # fmt: skip
    lines[place] = f"{name} = {junk}" if " = " in lines[place] else junk
    try:
        parse_policy("p.toml", "\n".join(lines))
    except ConfigError as error:
        assert str(error).startswith("p.toml")  # noqa: PT017 - either outcome is right
