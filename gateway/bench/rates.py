"""What the benchmarks hold their figures against: raw rates of this machine, CPU of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

CORES = 2
_FSYNC_COUNT = 500
_FSYNC_BYTES = 2048
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class RawVerifier:
    """Processes, one a core, that verify one P-256 signature again and again when told to."""

    def __init__(self, spki: bytes, signature: bytes, message: bytes, cores: int = CORES) -> None:
        parts = [part.hex() for part in (spki, signature, message)]
        self._processes = [
            subprocess.Popen(
                [sys.executable, __file__, *parts],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(cores)
        ]
        for process in self._processes:
            self._line(process)

    def rate(self, seconds: float, cores: int = CORES) -> tuple[float, float]:
        """(verifications a second of all together, verifications a CPU second)."""
        chosen = self._processes[:cores]
        start = time.perf_counter()
        for process in chosen:
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        answers = [self._line(process).split() for process in chosen]
        wall_s = time.perf_counter() - start
        count = sum(int(answer[0]) for answer in answers)
        return count / wall_s, count / sum(float(answer[1]) for answer in answers)

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            process.communicate()

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None  # noqa: S101
        return process.stdout.readline()


def fsync_rate(folder: Path) -> float:
    """Appends of 2 KB with fsync a second."""
    with (folder / "fsync").open("wb", buffering=0) as out:
        start = time.perf_counter()
        for _ in range(_FSYNC_COUNT):
            out.write(bytes(_FSYNC_BYTES))
            os.fsync(out.fileno())
        return _FSYNC_COUNT / (time.perf_counter() - start)


def cpu_s(*pids: int) -> float:
    """CPU seconds that processes used so far; those that ended count nothing."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK_S


def peak_mb(pid: int | str = "self") -> int:
    """The most memory a process had resident, MB; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) // 1000


def _serve(spki: bytes, signature: bytes, message: bytes) -> None:
    key, kind = load_der_public_key(spki), ec.ECDSA(hashes.SHA256())
    assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        end, count, cpu = time.perf_counter() + float(line), 0, time.process_time()
        while time.perf_counter() < end:
            for _ in range(100):
                key.verify(signature, message, kind)
            count += 100
        sys.stdout.write(f"{count} {time.process_time() - cpu}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(*(bytes.fromhex(part) for part in sys.argv[1:]))
