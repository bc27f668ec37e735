"""Every codec: written is read; any bytes give a value or WireError; read is written the same."""

# ruff: noqa: PT017 - a fuzz test allows a value or the one error, and looks at either

import base64
import importlib.util
import json
import struct
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_wire import ack, b64, frame, ids, jsonc, p256_der, permit, proof, resume, status
from raffinate_wire.errors import WireError

TESTS = Path(__file__).resolve().parent
VECTORS = TESTS.parents[1] / "docs" / "formats" / "vectors"
U53 = (1 << 53) - 1


def _load_runner():
    spec = importlib.util.spec_from_file_location("run_vectors", TESTS / "run_vectors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = _load_runner()
CODECS = {
    name: getattr(RUNNER, f"{name}_case")
    for name in ("frame", "ack", "status", "resume", "statement", "permit", "note", "proof")
}
SEEDS = {
    name: [
        case.get("text", "").encode() or base64.b64decode(case.get("base64", ""))
        for case in json.loads((VECTORS / f"{name}.json").read_text())["cases"]
        if "code" not in case
    ]
    for name in CODECS
}

uints = st.integers(0, U53)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
nodes = names.filter(lambda name: name not in ids.RESERVED_NODES)
points = st.builds("{}/{}".format, names, st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True))
codes = st.from_regex(r"[A-Za-z0-9-]{1,48}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def mutations(draw, name):
    """A good vector with bytes changed, left out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS[name])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from("idcx"))
        if kind == "i":
            data[at:at] = draw(st.sampled_from([b" ", b"0", b",", b'"', b"\n", b"\\", b"\xc3\xa9"]))
        elif kind == "d":
            del data[at : at + draw(st.integers(1, 3))]
        elif kind == "c" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 40))]
    return bytes(data)


def _value_or_wire_error(name, data):
    try:
        _, again = CODECS[name](data, {})
    except WireError as error:
        assert error.code
        assert isinstance(error.args[0], str)
        return
    assert again == data


@pytest.mark.parametrize("name", sorted(CODECS))
@given(st.data())
def test_a_changed_message_is_refused_or_canonical(name, data):
    _value_or_wire_error(name, data.draw(mutations(name)))


@pytest.mark.parametrize("name", sorted(CODECS))
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_wire_error(name, data):
    _value_or_wire_error(name, data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-U53, U53) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def _as_python(value):
    if isinstance(value, jsonc.Obj):
        return {name: _as_python(member) for name, member in value.items()}
    return [_as_python(item) for item in value] if isinstance(value, list) else value


@given(json_values)
def test_compact_json_of_another_writer_is_read_as_it_was(value):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    try:
        parsed = jsonc.parse(text, depth_max=32)
    except WireError as error:
        # Python's json escapes what RFC 8785 does, but for these: it is no oracle there.
        assert error.code == "not-canonical"
        assert b"\\u00" in text
        return
    assert _as_python(parsed) == value


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_what_is_read_as_json_is_json(data):
    try:
        parsed = jsonc.parse(data)
    except WireError:
        return
    loaded = json.loads(data)
    if not isinstance(parsed, jsonc.Num):
        assert _as_python(parsed) == loaded or jsonc.Num.__name__ in repr(parsed)
    else:
        assert parsed.mantissa / 10**parsed.decimals == loaded


@given(st.text(max_size=60))
def test_a_text_is_written_as_orjson_writes_it(text):
    assert jsonc.text(text).encode() == orjson.dumps(text)
    assert jsonc.parse(jsonc.text(text).encode()) == text


@given(st.integers(-9999999, 9999999), st.integers(0, 11))
def test_a_number_is_written_exactly_and_once(mantissa, decimals):
    if mantissa and abs(mantissa) * 10**5 < 10**decimals:
        with pytest.raises(WireError, match=r"0\.00001"):
            jsonc.number(mantissa, decimals)
        return
    text = jsonc.number(mantissa, decimals)
    assert float(text) == mantissa / 10**decimals
    parsed = jsonc.parse(text.encode())
    if isinstance(parsed, int):
        parsed = jsonc.Num(parsed, 0)
    assert parsed.mantissa * 10**decimals == mantissa * 10**parsed.decimals
    assert orjson.dumps(orjson.loads(text)).decode() == text


@given(st.binary(max_size=80))
def test_base64_is_pythons_and_returns(data):
    assert b64.encode(data) == base64.b64encode(data).decode()
    assert b64.decode(b64.encode(data)) == data
    assert b64.encode_url(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert b64.decode_url(b64.encode_url(data)) == data


@given(st.text(max_size=20) | st.text("AQw=gbc-_+/", max_size=9))
def test_base64_is_read_in_one_form_only(text):
    for decode, encode in ((b64.decode, b64.encode), (b64.decode_url, b64.encode_url)):
        try:
            data = decode(text)
        except WireError as error:
            assert error.code == "bad-base64"
            continue
        assert encode(data) == text


good_values = st.tuples(
    points,
    st.sampled_from(["pH", "S/m", "l/s", "Cel", ""]),
    st.integers(-9999999, 9999999),
    st.integers(0, 5),
)
bad_values = st.tuples(
    points,
    st.none(),
    st.builds("{}:{}".format, st.sampled_from("FCSM"), codes),
    st.just(0),
)
values = st.lists(good_values | bad_values, max_size=12, unique_by=lambda value: value[0])


def _shortest(value):
    name, unit, mantissa, decimals = value
    if unit is None:
        return value
    while decimals and mantissa % 10 == 0:
        mantissa //= 10
        decimals -= 1
    return name, unit, mantissa, decimals


@given(
    names,
    nodes,
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    uints,
    uints,
    st.binary(min_size=32, max_size=32),
    st.sampled_from("USIR"),
    st.lists(st.tuples(uints, uints, values), min_size=1, max_size=4),
)
def test_frames_return_and_are_orjsons(site, node, key16, boot, seq, prev, clock, scans):
    scans = [(None if clock == "U" else bt, up, values) for bt, up, values in scans]
    data = frame.format_frame(site, node, key16, boot, seq, prev, clock, scans)
    read = frame.parse_frame(data)
    assert (read.site, read.node, read.key16) == (site, node, key16)
    assert (read.boot, read.seq, read.prev, read.clock) == (boot, seq, prev, clock)
    assert read.scans == [(bt, up, [_shortest(value) for value in row]) for bt, up, row in scans]
    in_seconds = [time for bt, up, _ in scans for time in (bt or 0, up)]
    if all(time < 1 << 42 for time in in_seconds):
        # What the gateway's canonical check rests on; above, a double loses the third decimal.
        assert orjson.dumps(orjson.loads(data)) == data


@given(
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    uints,
    st.dictionaries(uints, uints, max_size=16),
    st.lists(st.tuples(uints, uints, codes), max_size=64),
    st.lists(st.tuples(uints, codes), max_size=64),
)
def test_acks_return(key, epoch, boots, rejected, refused):
    rows = sorted(boots.items())
    read = ack.parse_ack(ack.format_ack(key, epoch, rows, rejected, refused))
    assert (read.key, read.epoch, read.boots) == (key, epoch, rows)
    assert (read.rejected, read.refused) == (rejected, refused)


@given(uints, digests, st.binary(min_size=16, max_size=16).map(bytes.hex), uints, st.binary())
def test_statuses_and_resumes_return(boot, keyid, nonce, number, envelope):
    online = status.parse_status(status.format_online(boot, keyid, nonce, number))
    assert (online.online, online.boot, online.keyid) == (True, boot, keyid)
    assert (online.nonce, online.seen_size) == (nonce, number)
    will = status.parse_status(status.format_will(boot, keyid))
    assert (will.online, will.boot, will.keyid, will.nonce) == (False, boot, keyid, None)
    read = resume.parse_resume(resume.format_resume(keyid, boot, nonce, number, envelope))
    assert (read.keyid, read.boot, read.nonce, read.time_ms) == (keyid, boot, nonce, number)
    assert read.envelope == envelope


@given(
    st.integers(1, U53),
    nodes,
    st.text(max_size=40),
    st.lists(names, min_size=1, max_size=8),
    st.integers(0, U53 - permit.LIFE_MS_MAX),
    st.integers(1, permit.LIFE_MS_MAX),
    st.none() | uints,
)
def test_permits_return(serial, node, purpose, stages, start_ms, life_ms, volume):
    key = "ab" * 32
    end_ms = start_ms + life_ms
    data = permit.format_permit(
        serial, "s", node, key, "m1", "L/1", key, purpose, stages, 5, start_ms, end_ms, 0, 9, volume
    )
    read = permit.parse_permit(data)
    assert (read.serial, read.node, read.purpose, read.stages) == (serial, node, purpose, stages)
    assert (read.not_before_ms, read.not_after_ms) == (start_ms, end_ms)
    assert (read.run_ms_limit, read.volume_ml_limit, read.mode) == (9, volume, "start")


@given(uints, st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.none() | st.binary())
def test_proofs_return(index, hashes, extra):
    note = b"any\n\nbytes\n"
    read = proof.parse_proof(proof.format_proof(index, hashes, note, extra))
    assert (read.index, read.hashes, read.extra, read.checkpoint_note) == (
        index,
        hashes,
        extra,
        note,
    )


@given(st.integers(0, (1 << 256) - 1), st.integers(0, (1 << 256) - 1))
def test_signatures_in_der_return(r, s):
    assert p256_der.split_signature(p256_der.format_signature(r, s)) == (r, s)


@given(st.binary(max_size=12) | st.binary(min_size=60, max_size=75))
def test_der_is_read_in_one_form_only(data):
    try:
        r, s = p256_der.split_signature(data)
    except WireError as error:
        assert error.code == "bad-der"
        return
    assert p256_der.format_signature(r, s) == data


def _float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class Float32(float):
    """A board's float: every result is rounded to 32 bits."""

    def __mul__(self, other):
        return Float32(_float32(float(self) * _float32(other)))

    def __truediv__(self, other):
        return Float32(_float32(float(self) / _float32(other)))

    def __add__(self, other):
        return Float32(_float32(float(self) + _float32(other)))

    def __sub__(self, other):
        return Float32(_float32(float(self) - _float32(other)))

    def __abs__(self):
        return Float32(abs(float(self)))


@given(st.floats(-1e6, 1e6, width=32), st.integers(0, 6))
def test_scaling_is_right_with_a_boards_floats(value, decimals):
    mantissa, kept = frame.scaled(Float32(value), decimals)
    text = jsonc.number(mantissa, kept)
    step = 10.0 ** -min(decimals, 6)
    assert abs(float(text) - value) <= 0.51 * step + abs(value) * 8e-7 + 1e-5 * (not mantissa)


@given(st.floats(-1e14, 1e14), st.integers(0, 6))
def test_scaling_with_doubles_keeps_seven_digits(value, decimals):
    mantissa, kept = frame.scaled(value, decimals)
    assert abs(int(jsonc.number(mantissa, 0))) == abs(mantissa)
    written = mantissa / 10**kept
    tolerance = max(0.5000001 / 10**decimals, abs(value) * 5.1e-7, 1e-5 if not mantissa else 0)
    assert abs(written - value) <= tolerance


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e15])
def test_what_is_no_number_is_not_scaled(value):
    with pytest.raises(WireError) as caught:
        frame.scaled(value, 2)
    assert caught.value.code == "bad-number"
