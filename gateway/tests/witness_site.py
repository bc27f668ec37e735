"""A log whose every head can be asked for, forked ones too, and a witness's folder for tests."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint
from raffinate.tlog.hashing import EMPTY_ROOT, leaf_hash
from raffinate.tlog.note import Ed25519Signer, sign_note
from raffinate.tlog.proof import consistency
from raffinate.tlog.tree import Tree
from raffinate.witness import folder as places
from raffinate.witness.protocol import format_request

ORIGIN = "demo.invalid/raffinate/ndpr"
NAME = "witness.invalid/w1"


class TestLog:
    """Leaves are numbered; from `fork` on they are others."""

    __test__ = False

    def __init__(self, origin=ORIGIN, seed=1, fork=None):
        key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.signer = Ed25519Signer(origin, key)
        self.origin = origin
        self.fork = fork

    def tree(self, size):
        leaves = [leaf_hash(b"%d" % self._entry(index)) for index in range(size)]
        return Tree(lambda _: b"").extend(leaves).tree if leaves else None

    def note(self, size):
        tree = self.tree(size)
        root = tree.root() if tree else EMPTY_ROOT
        return sign_note(format_checkpoint(Checkpoint(self.origin, size, root)), [self.signer])

    def proof(self, old, new):
        return consistency(self.tree(new).node, old, new) if new else []

    def request(self, old, new):
        return format_request(old, self.proof(old, new), self.note(new))

    def _entry(self, index):
        return index + 1000 if self.fork is not None and index >= self.fork else index


def make_witness(root, *logs):
    places.init(root, NAME)
    for log in logs:
        places.trust(root, log.origin, [log.signer.verifier.vkey()])
    return places.Folder(root)


class WitnessProcess:
    """`raffinate witness serve` on a free port."""

    def __init__(self, root, words=()):
        self.root = root
        self.words = words or (sys.executable, "-m", "raffinate")

    def __enter__(self):
        self.process = subprocess.Popen(
            [*self.words, "witness", "serve", str(self.root), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self.process.stdout.readline()
        self.url = re.search(r"http://\S+", line)[0]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def post(self, data, path="add-checkpoint"):
        return httpx.post(self.url + path, content=data, timeout=30)
