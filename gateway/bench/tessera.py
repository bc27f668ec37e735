"""Tessera's POSIX log under its own hammer: the peer of the transparency log's benchmark.

`python tessera.py [--bytes N] [--seconds S] [--json]`. Its conformance server (which checks no
signature) takes entries of `--bytes` over HTTP from its hammer's writers, without readers and
without duplicates; the rate is that of entries integrated under a signed checkpoint. `make peers`
builds both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from raffinate_rig.processes import (
    HOST,
    MissingToolError,
    ProcessError,
    Program,
    find_tool,
    free_port,
    wait_until,
)

NAME = "bench.example/tessera"
CORES = 2
WRITERS = 4096
OPS_MAX = 1_000_000
READY_S = 20.0
WARM_UP_S = 2.0
_BLANK_AND_NUMBER = 6


def main() -> int:
    """Run it; exit status 2 when a program is missing, 1 when it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1800)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        rate = run(arguments.bytes, arguments.seconds)
    except MissingToolError as error:
        sys.stderr.write(f"tessera: {error}\n")
        return 2
    except (ProcessError, TimeoutError) as error:
        sys.stderr.write(f"tessera: {error}\n")
        return 1
    found = {"entry_bytes": arguments.bytes, "entries_per_s": round(rate)}
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write("".join(f"{name:<20} {value}\n" for name, value in found.items()))
    return 0


def run(entry_bytes: int, seconds: float) -> float:
    """Entries a second, from one published checkpoint to another about `seconds` later.

    Raises MissingToolError, ProcessError.
    """
    server, hammer = find_tool("tessera-posix"), find_tool("tessera-hammer")
    with tempfile.TemporaryDirectory() as folder:
        root, port = Path(folder), free_port()
        secret, public = key_pair(NAME)
        (root / "key").write_text(secret)
        serve = [server, "-storage_dir", root / "log", "-private_key", root / "key"]
        serve += ["-listen", f"{HOST}:{port}"]
        write = [hammer, "--log_url", f"http://{HOST}:{port}/", "--log_public_key", public]
        write += ["--max_read_ops=0", "--num_readers_random=0", "--num_readers_full=0"]
        write += [f"--num_writers={WRITERS}", f"--max_write_ops={OPS_MAX}", "--dup_chance=0"]
        # Its leaves are that many digits, a blank and a number.
        write += [f"--leaf_min_size={entry_bytes - _BLANK_AND_NUMBER}", "--show_ui=false"]
        log = Program(serve, root / "server.log", env=_environment())
        try:
            log.wait_ready((root / "log" / "checkpoint").exists, READY_S)
            writers = Program(write, root / "hammer.log", env=_environment())
            try:
                return measure(root / "log" / "checkpoint", seconds, log, writers)
            finally:
                writers.kill()
        finally:
            log.kill()


def measure(checkpoint: Path, seconds: float, *programs: Program) -> float:
    """Entries a second between two checkpoints of a log that grows."""

    def size() -> int:
        for program in programs:
            if not program.running:
                raise ProcessError(f"{program.name} ended: {program.exit_code}\n{program.tail()}")
        return int(checkpoint.read_text().split("\n")[1]) if checkpoint.exists() else 0

    def next_checkpoint(after: int) -> tuple[int, float]:
        wait_until(lambda: size() > after, "Tessera's next checkpoint", READY_S)
        return size(), time.perf_counter()

    next_checkpoint(0)
    time.sleep(WARM_UP_S)
    first, start = next_checkpoint(size())
    time.sleep(seconds)
    last, end = next_checkpoint(size())
    return (last - first) / (end - start)


def key_pair(name: str) -> tuple[str, str]:
    """A new signed-note key, as x/mod writes it: private, and verifier key."""
    key = Ed25519PrivateKey.generate()
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = sha256(name.encode() + b"\n\x01" + public).hexdigest()[:8]
    secret, shown = (b64encode(b"\x01" + data).decode() for data in (seed, public))
    return f"PRIVATE+KEY+{name}+{key_id}+{secret}", f"{name}+{key_id}+{shown}"


def _environment() -> dict[str, str]:
    return {**os.environ, "GOMAXPROCS": str(CORES)}


if __name__ == "__main__":
    sys.exit(main())
