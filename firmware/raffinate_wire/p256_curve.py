"""Arithmetic of the curve P-256 (FIPS 186-5, SP 800-186) in slices, on Python integers.

Points under way are Jacobian (X, Y, Z), x = X/Z^2, y = Y/Z^3, infinity Z = 0. `*_steps` are
generators that yield about every SLICE_MULS modular multiplications. Not constant-time.
"""

from raffinate_wire.p256_base import BASE_PACKED, BASE_TEETH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

    Jacobian = tuple[int, int, int]
    Affine = tuple[int, int]

P = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

# Modular multiplications done since start, to price work in.
MULS = [0]
# A slice takes about 20 ms on a Pico W (0.3 ms a multiplication).
SLICE_MULS = 64
KEY_TEETH = 4

_INFINITY = (1, 1, 0)
_NAF_BITS = 4


class Table:
    """A point's comb table, for multiplying it often: sums of its multiples by 2^(spacing * tooth).

    `packed` holds 2^teeth - 1 affine points of 64 bytes; it may be stored and given back.
    """

    def __init__(self, packed: bytes, teeth: int) -> None:
        self.packed = packed
        self.teeth = teeth
        self.spacing = (255 + teeth) // teeth

    def entry(self, index: int) -> "Affine":
        """Return the point of a column whose bits are `index`, 1 to 2^teeth - 1."""
        at = 64 * index - 64
        packed = self.packed
        x = int.from_bytes(packed[at : at + 32], "big")
        return x, int.from_bytes(packed[at + 32 : at + 64], "big")


class CombLane:
    """One scalar multiplication by a comb table, column by column."""

    def __init__(self, table: Table, scalar: int) -> None:
        self.columns = table.spacing
        self._table = table
        self._scalar = scalar.to_bytes(32, "big")

    def addend(self, column: int) -> "Affine | None":
        """Return the point to add after doubling for this column."""
        index = 0
        bit = column
        for tooth in range(self._table.teeth):
            if bit < 256 and self._scalar[31 - (bit >> 3)] >> (bit & 7) & 1:
                index |= 1 << tooth
            bit += self.columns
        return self._table.entry(index) if index else None


class NafLane:
    """One scalar multiplication by a window of odd multiples (signed digits)."""

    def __init__(self, odd_multiples: "list[Affine]", scalar: int) -> None:
        self._points = odd_multiples
        self._digits = _naf(scalar)
        self.columns = len(self._digits)

    def addend(self, column: int) -> "Affine | None":
        """Return the point to add after doubling for this column."""
        digit = self._digits[column] - 8
        if not digit:
            return None
        x, y = self._points[abs(digit) >> 1]
        return x, y if digit > 0 else P - y


def on_curve(x: int, y: int) -> bool:
    """Whether 0 <= x, y < p and the point satisfies the curve's equation."""
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x - 3) * x - B) % P == 0


def sum_steps(lanes: "list[Any]") -> "Generator[None, None, Jacobian]":
    """Return the sum of all lanes' products, doubling once a column for all of them."""
    point: "Jacobian" = _INFINITY
    pause_at = MULS[0] + SLICE_MULS
    for column in range(max([lane.columns for lane in lanes]) - 1, -1, -1):
        point = double(point)
        for lane in lanes:
            if column < lane.columns:
                addend = lane.addend(column)
                if addend:
                    point = add(point, addend)
        if MULS[0] >= pause_at:
            yield
            pause_at = MULS[0] + SLICE_MULS
    return point


def affine_steps(points: "list[Jacobian]") -> "Generator[None, None, list[Affine]]":
    """Return finite points in affine form, by one inversion for all (Montgomery's trick)."""
    products = []
    product = 1
    for _, _, z in points:
        products.append(product)
        product = product * z % P
    inverse = yield from invert_steps(product, P)
    result = []
    for at in range(len(points) - 1, -1, -1):
        x, y, z = points[at]
        z_inverse = inverse * products[at] % P
        inverse = inverse * z % P
        square = z_inverse * z_inverse % P
        result.append((x * square % P, y * square % P * z_inverse % P))
    MULS[0] += 7 * len(points)
    result.reverse()
    return result


def invert_steps(value: int, modulus: int) -> "Generator[None, None, int]":
    """Return the inverse of 0 < value < modulus by Euclid's algorithm: faster here than a power."""
    low, high = value, modulus
    factor, other = 1, 0
    rounds = 0
    while low > 1:
        quotient = high // low
        high, low = low, high - quotient * low
        other, factor = factor, other - quotient * factor
        rounds += 1
        if rounds & 63 == 0:
            yield
    return factor % modulus


def odd_multiples_steps(point: "Affine") -> "Generator[None, None, list[Affine]]":
    """Return P, 3P, 5P, 7P for a NafLane."""
    twice = (yield from affine_steps([double((point[0], point[1], 1))]))[0]
    multiple: "Jacobian" = (point[0], point[1], 1)
    multiples = []
    for _ in range((1 << _NAF_BITS - 2) - 1):
        multiple = add(multiple, twice)
        multiples.append(multiple)
    return [point] + (yield from affine_steps(multiples))


def table_steps(point: "Affine", teeth: int = KEY_TEETH) -> "Generator[None, None, Table]":
    """Return the comb table of a finite point."""
    spacing = (255 + teeth) // teeth
    power: "Jacobian" = (point[0], point[1], 1)
    powers = [power]
    for _ in range(teeth - 1):
        for count in range(spacing):
            power = double(power)
            if count & 7 == 7:
                yield
        powers.append(power)
    tops = yield from affine_steps(powers)
    sums: "list[Jacobian]" = []
    for tooth in range(teeth):
        top = tops[tooth]
        sums.append((top[0], top[1], 1))
        for index in range((1 << tooth) - 1):
            sums.append(add(sums[index], top))
        yield
    entries = yield from affine_steps(sums)
    return Table(
        b"".join([x.to_bytes(32, "big") + y.to_bytes(32, "big") for x, y in entries]), teeth
    )


def double(point: "Jacobian") -> "Jacobian":
    """Return 2 * point (dbl-2001-b of the Explicit-Formulas Database, a = -3)."""
    x, y, z = point
    if not z:
        return point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    MULS[0] += 8
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def add(point: "Jacobian", addend: "Affine") -> "Jacobian":
    """Return point + addend, right also for equal and opposite points (madd)."""
    x, y, z = point
    x2, y2 = addend
    if not z:
        return x2, y2, 1
    square = z * z % P
    h = (x2 * square - x) % P
    r = (y2 * (z * square % P) - y) % P
    if not h:
        return _INFINITY if r else double(point)
    h_square = h * h % P
    h_cube = h * h_square % P
    v = x * h_square % P
    x3 = (r * r - h_cube - 2 * v) % P
    MULS[0] += 11
    return x3, (r * (v - x3) - y * h_cube) % P, z * h % P


def _naf(scalar: int) -> bytearray:
    # Digits of width 4, lowest first, each stored as digit + 8: odd, below 8 in magnitude, or 0.
    digits = bytearray()
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & 15
            if digit > 7:
                digit -= 16
            scalar -= digit
        digits.append(digit + 8)
        scalar >>= 1
    return digits


BASE = Table(BASE_PACKED, BASE_TEETH)
