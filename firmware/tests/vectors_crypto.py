"""Vectors of P-256 and of Merkle trees: published ones, and ones computed by other means."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from vector_tools import (
    Case,
    N,
    Signer,
    bad,
    consistency_proof,
    good,
    leaf_hash,
    sha256,
    tree_root,
)

Files = dict[str, tuple[str, list[Case]]]
P = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
RFC6979_KEY = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
# RFC 6979, A.2.5, with SHA-256: message, r, s as published.
RFC6979 = [
    (
        "sample",
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    (
        "test",
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
]
# The Certificate Transparency project's reference tree: entries, and the roots of its prefixes.
CT_ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def files() -> Files:
    """The cases of every file, by its name."""
    return {
        "p256-sign": ("RFC 6979 signatures, s at most n/2; A.2.5 and more", _sign()),
        "p256-verify": ("DER signatures of a message's SHA-256", _verify()),
        "p256-key": ("SubjectPublicKeyInfo of P-256 keys", _keys()),
        "tree": ("RFC 6962 roots; entries in hex", _trees()),
        "consistency": ("RFC 6962 consistency proofs", _consistency()),
    }


def _sign() -> list[Case]:
    cases = [_signed(f"RFC 6979 A.2.5 {m}", RFC6979_KEY, m, r, s) for m, r, s in RFC6979]
    for secret, message in [
        (1, "smallest key"),
        (N - 1, "largest key"),
        (N >> 1, "half"),
        (1 << 255, "one bit"),
        (0x1F2E3D4C5B6A, ""),
    ]:
        key = ec.derive_private_key(secret, ec.SECP256R1())
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(key.sign(message.encode(), algorithm))
        cases.append(_signed(f"{message or 'empty'} message", secret, message, r, s))
    return cases


def _signed(name: str, secret: int, message: str, r: int, s: int) -> Case:
    point = ec.derive_private_key(secret, ec.SECP256R1()).public_key().public_numbers()
    numbers = {"x": point.x, "y": point.y, "r": r, "s": min(s, N - s)}
    value = {key: f"{number:064x}" for key, number in numbers.items()}
    return {"name": name, "d": f"{secret:064x}", "message": message, "value": value}


def _verify() -> list[Case]:
    signer = Signer(RFC6979_KEY)
    r, s = RFC6979[0][1], N - RFC6979[0][2]
    der = encode_dss_signature(r, s)
    rest = der[2:]
    r_der, s_der = rest[: 2 + rest[1]], rest[2 + rest[1] :]
    padded = bytes([0x02, len(s_der) - 1, 0]) + s_der[2:]
    rows: list[tuple[str, bytes, str | None]] = [
        ("good", der, None),
        ("other r", encode_dss_signature(r ^ 1, s), "bad-signature"),
        ("other s", encode_dss_signature(r, s ^ 1), "bad-signature"),
        ("high s", encode_dss_signature(r, N - s), "high-s"),
        ("r 0", encode_dss_signature(0, s), "bad-signature"),
        ("s 0", encode_dss_signature(r, 0), "bad-signature"),
        ("r n", encode_dss_signature(N, s), "bad-signature"),
        ("s n", encode_dss_signature(r, N), "bad-signature"),
        ("r plus n", encode_dss_signature(r + N, s), "bad-signature"),
        ("s plus n", encode_dss_signature(r, s + N), "bad-signature"),
        ("r negative", _sequence(b"\x02\x20" + r.to_bytes(32, "big") + s_der), "bad-der"),
        ("r padded", _sequence(r_der + padded), "bad-der"),
        ("long length", b"\x30\x81" + der[1:], "bad-der"),
        ("indefinite length", b"\x30\x80" + rest + b"\x00\x00", "bad-der"),
        ("bytes after", der + b"\x00", "bad-der"),
        ("bytes inside", _sequence(rest + b"\x05\x00"), "bad-der"),
        ("cut", der[:-1], "bad-der"),
        ("one integer", _sequence(r_der), "bad-der"),
        ("no integer", b"\x30\x00", "bad-der"),
        ("empty", b"", "bad-der"),
        ("empty integers", b"\x30\x06\x02\x00\x02\x02\x00\x01", "bad-der"),
        ("wrong tag", b"\x31" + der[1:], "bad-der"),
        ("bit string for r", _sequence(b"\x03" + r_der[1:] + s_der), "bad-der"),
        ("raw", r.to_bytes(32, "big") + s.to_bytes(32, "big"), "bad-der"),
        ("r n plus 1", encode_dss_signature(N + 1, s), "bad-signature"),
        ("s n plus 1", encode_dss_signature(r, N + 1), "bad-signature"),
        ("s n minus 1", encode_dss_signature(r, N - 1), "high-s"),
        ("s just above n/2", encode_dss_signature(r, (N + 1) // 2), "high-s"),
        ("r p", encode_dss_signature(P, s), "bad-signature"),
        ("n minus r", encode_dss_signature(N - r, s), "bad-signature"),
        ("r and s swapped", encode_dss_signature(s, N - r), "bad-signature"),
        ("r and s 0", encode_dss_signature(0, 0), "bad-signature"),
        ("r and s 1", encode_dss_signature(1, 1), "bad-signature"),
        ("r plus 2^256", encode_dss_signature(r + (1 << 256), s), "bad-signature"),
        ("r of 34 bytes", encode_dss_signature(r + (1 << 264), s), "bad-der"),
        (
            "s negative",
            _sequence(r_der + b"\x02\x20" + ((1 << 256) - s).to_bytes(32, "big")),
            "bad-der",
        ),
        (
            "r minus n",
            _sequence(b"\x02\x20" + ((1 << 256) + r - N).to_bytes(32, "big") + s_der),
            "bad-der",
        ),
        ("zero before r", _sequence(bytes([2, r_der[1] + 1, 0]) + r_der[2:] + s_der), "bad-der"),
        ("length one more", bytes([0x30, der[1] + 1]) + rest, "bad-der"),
        ("length one less", bytes([0x30, der[1] - 1]) + rest, "bad-der"),
        ("length of two bytes", b"\x30\x82\x00" + der[1:], "bad-der"),
        ("long length of r", _sequence(b"\x02\x81" + r_der[1:] + s_der), "bad-der"),
        ("long length of s", _sequence(r_der + b"\x02\x81" + s_der[1:]), "bad-der"),
        ("r takes in s", _sequence(bytes([2, len(rest) - 2]) + rest[2:]), "bad-der"),
        ("constructed integer", _sequence(b"\x22" + r_der[1:] + s_der), "bad-der"),
        ("sequence in a sequence", _sequence(der), "bad-der"),
        ("three integers", _sequence(rest + b"\x02\x01\x00"), "bad-der"),
        ("byte before", b"\x00" + der, "bad-der"),
        ("a second signature after", der + der, "bad-der"),
    ]
    cases = [_verified(name, signer.spki, "sample", sig, code) for name, sig, code in rows]
    cases.append(_verified("other message", signer.spki, "Sample", der, "bad-signature"))
    cases.append(_verified("other key", Signer(2).spki, "sample", der, "bad-signature"))
    # x of the nonce's point lies between n and p: r is x - n, and only the second comparison fits.
    spki, sig = _large_x("x above n")
    cases.append(_verified("x above n", spki, "x above n", sig, None))
    # The key is chosen so that u1 G + u2 Q is the point at infinity.
    e = int.from_bytes(sha256(b"infinity"), "big")
    at_infinity = Signer(-e * pow(5, -1, N) % N)
    sig = encode_dss_signature(5, 7)
    cases.append(_verified("sum at infinity", at_infinity.spki, "infinity", sig, "bad-signature"))
    return cases


def _verified(name: str, spki: bytes, message: str, sig: bytes, code: str | None) -> Case:
    case: Case = {"name": name, "spki": spki.hex(), "message": message, "sig": sig.hex()}
    return {**case, "code": code} if code else case


def _sequence(body: bytes) -> bytes:
    return bytes([0x30, len(body)]) + body


def _large_x(message: str) -> tuple[bytes, bytes]:
    x = N
    while True:
        x += 1
        square = (x * x * x - 3 * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            break
    r, s = x - N, 3
    e = int.from_bytes(sha256(message.encode()), "big")
    generator = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()
    inverse = pow(r, -1, N)
    q = _sum(
        _times(s * inverse % N, (x, y)),
        _times(-e * inverse % N, (generator.x, generator.y)),
    )
    head = Signer(1).spki[:27]
    spki = head + q[0].to_bytes(32, "big") + q[1].to_bytes(32, "big")
    return spki, encode_dss_signature(r, s)


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    # The textbook's affine addition; neither is infinity, nor the other's opposite.
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _times(scalar: int, point: tuple[int, int]) -> tuple[int, int]:
    total = point
    for bit in bin(scalar)[3:]:
        total = _sum(total, total)
        if bit == "1":
            total = _sum(total, point)
    return total


def _keys() -> list[Case]:
    spki = Signer(RFC6979_KEY).spki
    point = ec.derive_private_key(RFC6979_KEY, ec.SECP256R1()).public_key().public_numbers()
    shown: Case = {"x": f"{point.x:064x}", "y": f"{point.y:064x}", "keyid": sha256(spki).hex()}
    head, y = spki[:27], spki[59:]
    compressed = b"\x30\x39" + spki[2:23] + b"\x03\x22\x00\x03" + spki[27:59]
    rows = [
        ("off the curve", head + spki[27:59] + (point.y ^ 1).to_bytes(32, "big")),
        ("x above p", head + (point.x + P).to_bytes(33, "big")[-32:] + y),
        ("x is p", head + P.to_bytes(32, "big") + y),
        ("infinity", head + bytes(64)),
        ("compressed", compressed),
        (
            "P-384's name",
            spki.replace(b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2b\x81\x04\x00\x22\x00\x00\x00"),
        ),
        ("hybrid form", spki[:26] + b"\x06" + spki[27:]),
        ("bytes after", spki + b"\x00"),
        ("cut", spki[:-1]),
        ("point alone", spki[26:]),
        ("empty", b""),
    ]
    return [good("RFC 6979's key", spki, shown)] + [bad(name, der, "bad-key") for name, der in rows]


def _trees() -> list[Case]:
    cases: list[Case] = [
        {"name": f"reference of {size}", "entries": CT_ENTRIES[:size], "value": {"root": root}}
        for size, root in enumerate(CT_ROOTS)
    ]
    for size in (9, 15, 16, 17, 33, 70):
        entries = [f"{index:04x}" for index in range(size)]
        root = tree_root([leaf_hash(bytes.fromhex(entry)) for entry in entries]).hex()
        cases.append({"name": f"numbers to {size}", "entries": entries, "value": {"root": root}})
    return cases


def _consistency() -> list[Case]:
    leaves = [leaf_hash(b"%d" % index) for index in range(17)]
    cases = [
        _extends(leaves, old, new)
        for new in (1, 2, 3, 6, 7, 8, 13, 17)
        for old in range(1, new + 1)
    ]
    cases.append(
        _changed(
            "from nothing", _extends(leaves, 3, 7), oldSize=0, oldRoot=sha256(b"").hex(), proof=[]
        )
    )
    base = _extends(leaves, 6, 13)
    proof = [str(node) for node in _list(base["proof"])]
    other = sha256(b"other").hex()
    rows: list[tuple[str, Case]] = [
        ("hash left out", {"proof": proof[:-1]}),
        ("hash added", {"proof": [*proof, other]}),
        ("hash changed", {"proof": [proof[0], other, *proof[2:]]}),
        ("hashes swapped", {"proof": [proof[1], proof[0], *proof[2:]]}),
        ("no proof", {"proof": []}),
        ("other old root", {"oldRoot": other}),
        ("other new root", {"newRoot": other}),
        ("other old size", {"oldSize": 5}),
        ("other new size", {"newSize": 33}),
        ("shrinks", {"oldSize": 13, "newSize": 6}),
        ("equal sizes, other roots", {"oldSize": 13, "proof": []}),
        ("equal sizes with proof", {"oldSize": 13, "oldRoot": base["newRoot"]}),
        ("from nothing with another root", {"oldSize": 0, "oldRoot": other, "proof": []}),
        ("from nothing with proof", {"oldSize": 0, "oldRoot": sha256(b"").hex()}),
        ("short hash", {"proof": ["00", *proof[1:]]}),
        ("64 hashes", {"proof": [other] * 64}),
    ]
    for name, changes in rows:
        cases.append({**base, **changes, "name": name, "code": "bad-proof"})
    return cases


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _changed(name: str, case: Case, **changes: object) -> Case:
    return {**case, **changes, "name": name}


def _extends(leaves: list[bytes], old: int, new: int) -> Case:
    proof = consistency_proof(old, leaves[:new])
    return {
        "name": f"{old} to {new}",
        "oldSize": old,
        "newSize": new,
        "oldRoot": tree_root(leaves[:old]).hex(),
        "newRoot": tree_root(leaves[:new]).hex(),
        "proof": [node.hex() for node in proof],
    }
