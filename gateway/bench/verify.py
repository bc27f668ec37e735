"""Benchmark: verification of a large bundle beside the raw P-256 rate, in one run.

`python verify.py [--statements N] [--processes N] [--json]`. A bundle with real signatures is made
(make_bundle.py); the raw rate is that of as many processes, each verifying statements' signatures
and nothing else, measured before and after. Goal: 0.85 of the raw rate, peak memory below 300 MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from make_bundle import make_bundle

GOAL, MEMORY_MB_MAX = 0.85, 300
_RAW_COUNT = 10_000
_PAYLOAD_BYTES = 1400


def main() -> int:
    """Run it; exit status 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), arguments.statements, arguments.processes)
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:<34} {value}\n")
    good = found["of_the_raw_rate"] >= GOAL and found["peak_memory_mb"] < MEMORY_MB_MAX
    return 0 if good else 1


def run(folder: Path, statements: int, processes: int) -> dict[str, float]:
    """Make the bundle, verify it by the command, measure."""
    made = make_bundle(folder / "bundle", statements)
    (folder / "policy.toml").write_text(made.policy())
    before = raw_rate(processes)
    command = [sys.executable, "-m", "raffinate.audit.command", str(folder / "bundle")]
    command += ["--policy", str(folder / "policy.toml"), "--processes", str(processes)]
    command += ["--json", str(folder / "result.json")]
    usage, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    took_s = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    after = raw_rate(processes)
    result = json.loads((folder / "result.json").read_text())
    if result["verdicts"]["authentic"] != "PASS" or result["entries"] != made.log.size:
        raise SystemExit(f"the bundle did not verify: {result['counts']}")
    raw, raw_cpu_s = ((one + two) / 2 for one, two in zip(before, after, strict=True))
    rate = result["entries"] / took_s
    cpu_s = used.ru_utime + used.ru_stime - usage.ru_utime - usage.ru_stime
    return {
        "entries": result["entries"],
        "raw_p256_per_s": round(raw),
        "verified_per_s": round(rate),
        "of_the_raw_rate": round(rate / raw, 3),
        "raw_cpu_us": round(1e6 * raw_cpu_s, 1),
        "cpu_us_an_entry": round(1e6 * cpu_s / result["entries"], 1),
        # the same by processor time, for a machine that does other things too
        "of_the_raw_rate_by_cpu": round(raw_cpu_s * result["entries"] / cpu_s, 3),
        # each of the processes has at most this; they share nothing that grows
        "peak_memory_mb": round(used.ru_maxrss / 1024 * (processes + 1)),
        "seconds": round(took_s, 1),
    }


def raw_rate(processes: int) -> tuple[float, float]:
    """Verifications a second of so many processes together, and a core's seconds for one."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.map(_verify_many, [_RAW_COUNT] * processes)
    return sum(rate for rate, _ in found), sum(cpu_s for _, cpu_s in found) / processes


def _verify_many(count: int) -> tuple[float, float]:
    private = ec.derive_private_key(4711, ec.SECP256R1())
    algorithm, data = ec.ECDSA(hashes.SHA256()), bytes(_PAYLOAD_BYTES)
    signature, public = private.sign(data, algorithm), private.public_key()
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        public.verify(signature, data, algorithm)
    return count / (time.perf_counter() - start), (time.process_time() - cpu) / count


if __name__ == "__main__":
    sys.exit(main())
