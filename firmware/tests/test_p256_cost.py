"""How many modular multiplications P-256 does: its own count is checked against an honest one."""

import importlib.util
from pathlib import Path

import pytest

from raffinate_wire import p256
from raffinate_wire import p256_curve as curve

BENCH = Path(__file__).resolve().parents[1] / "bench" / "p256.py"
D = 0x1F5A3C0E7B9D2468ACE013579BDF02468ACE13579BDF02468ACE13579BDF0247
DIGEST = bytes(range(32))
# Below this a factor is one of the formulas' small constants.
SMALL = 1 << 64


class Counted(int):
    """An integer whose products of two large factors are counted; what it touches is one too."""

    done = 0

    def __mul__(self, other):
        if abs(self) > SMALL and abs(other) > SMALL:
            Counted.done += 1
        return Counted(int(self) * int(other))

    def __add__(self, other):
        return Counted(int(self) + int(other))

    def __sub__(self, other):
        return Counted(int(self) - int(other))

    def __rsub__(self, other):
        return Counted(int(other) - int(self))

    def __mod__(self, other):
        return Counted(int(self) % int(other))

    def __rmod__(self, other):
        return Counted(int(other) % int(self))

    __rmul__ = __mul__
    __radd__ = __add__


@pytest.fixture
def counted(monkeypatch):
    """Counted.done, from 0 on, of arithmetic modulo p."""
    monkeypatch.setattr(curve, "P", Counted(curve.P))
    Counted.done = 0
    return Counted


def jacobian(d):
    return *(Counted(one) for one in p256.public_key(d)), Counted(7 << 200)


def test_a_doubling_has_8_multiplications_and_an_addition_11(counted):
    point, other = jacobian(D), p256.public_key(D + 1)
    counted.done = 0
    curve.double(point)
    assert counted.done == 8
    counted.done = 0
    curve.add(point, (Counted(other[0]), Counted(other[1])))
    assert counted.done == 11


def test_the_count_of_a_signature_and_its_verification_is_right_within_2_percent(counted):
    key = p256.public_key(D)
    for work in (
        lambda: p256.sign(D, DIGEST),
        lambda: p256.verify(key, DIGEST, p256.sign(D, DIGEST)),
    ):
        counted.done, before = 0, p256.MULS[0]
        work()
        told = p256.MULS[0] - before
        # Euclid's inversions have products too, which are no multiplications modulo p
        assert counted.done == pytest.approx(told, rel=0.02)


@pytest.mark.micropython
@pytest.mark.usefixtures("micropython")
def test_the_benchmark_measures_real_micropython():
    spec = importlib.util.spec_from_file_location("bench_p256", BENCH)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    found = {one["operation"]: one for one in bench.measure(2)}
    assert 900 < found["sign"]["multiplications"] < 1100
    low, high = found["verify"]["pico_ms"]
    assert low == round(found["verify"]["multiplications"] * 0.21)
    assert high > low
    assert all(one["slice_pico_ms"][1] <= bench.LATE_MS_MAX for one in found.values())
    assert "sign" in bench.table(list(found.values()))
