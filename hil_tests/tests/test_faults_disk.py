"""A disk that fills up under the gateway: a small tmpfs in a mount namespace of its own.

The gateway stops acknowledging, goes on serving and says so; nodes keep their data; with room
again it goes on by itself.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger import judge
from raffinate_rig.plugin import REQUIRE_ALL, requires_tool
from spy import Spy
from system import POINTS, Gateway, NodeSpec, RealNode, Site, until

pytestmark = [pytest.mark.broker, pytest.mark.micropython]

DISK_BYTES = 24 << 20
# `unshare -rm` gives what a small tmpfs needs without being root.
NAMESPACE = ("unshare", "-rm")


@pytest.fixture
def namespace():
    """The words before a command that give it a mount namespace."""
    trial = [*NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    if shutil.which(NAMESPACE[0]):
        done = subprocess.run(trial, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return NAMESPACE
        reason = done.stderr.strip()
    else:
        reason = "unshare is not installed: apt-get install util-linux"
    text = f"no small disk can be made here: {reason}; allow user namespaces, or run as root"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


class SmallDisk:
    """A site whose gateway has its data folder on a tmpfs of its own."""

    def __init__(self, site, namespace):
        self._data = data = site.folder / "data"
        # the log that `keys init` began moves onto the small disk
        kept = site.folder / "data.first"
        data.rename(kept)
        data.mkdir()
        script = (
            f"mount -t tmpfs -o size={DISK_BYTES} tmpfs {data} && "
            f'cp -a {kept}/. {data}/ && exec "$@"'
        )
        self.gateway = Gateway(site, wrap=[*namespace, "sh", "-c", script, "sh"])
        self.gateway.start()
        pid = str(self.gateway.pid)
        site.wrap = ("nsenter", "-t", pid, "-U", "-m", "--preserve-credentials")

    def fill(self):
        """Leave not one byte."""
        with self._ballast().open("wb", buffering=0) as file:
            assert errno_of_writing(file) == errno.ENOSPC

    def free(self):
        self._ballast().unlink()

    def _ballast(self):
        return Path(f"/proc/{self.gateway.pid}/root{self._data}/ballast")


def test_a_full_disk_stops_acks_and_nothing_else(broker, namespace, tmp_path, node_firmware):
    requires_tool("micropython")
    spec = NodeSpec("n01", ("e01", "e02"), "bat-ext")
    site = Site(tmp_path / "plant", broker.port, [spec]).make()
    with Spy(broker) as spy:
        disk = SmallDisk(site, namespace)
        gateway = disk.gateway
        with gateway_ends(gateway), RealNode(site, "n01", node_firmware) as node:
            node.enrol()
            spy.wait_receipts(2)
            disk.fill()
            until(lambda: gateway.health["ingest"]["state"] == "storage-full", "the full disk")
            # what was under way is out
            spy.wait_frames(4)
            acked, receipts = dict(spy.upto), len(spy.receipts)
            spy.wait_frames(10)
            assert spy.upto == acked
            assert len(spy.receipts) == receipts
            assert gateway.get("healthz") == {
                "status": "degraded",
                "reasons": ["ingest: storage-full"],
            }
            detail = gateway.health["ingest"]["detail"]
            assert "free some" in detail
            assert "Nodes keep their data" in detail
            assert gateway.metric("raffinate_ingest_ok") == 0
            assert {sample["point"] for sample in gateway.get("api/v1/latest")} == {
                f"{stage}/{point}" for stage in spec.stages for point in POINTS
            }
            disk.free()
            until(lambda: gateway.get("healthz")["status"] == "ok", "acknowledging again")
            settle(spy)
            node.process.kill()
            until(lambda: not spy.unacked() and not spy.unreceipted(), "the rest settled")
            found = judge(site, spy)
            assert found.failures == {}
            assert found.frames_acked > 15
            assert gateway.running


def errno_of_writing(file):
    try:
        while True:
            file.write(bytes(4096))
    except OSError as error:
        return error.errno


def settle(spy):
    frames, statements = set(spy.unacked()), set(spy.unreceipted())
    until(
        lambda: not frames & set(spy.unacked()) and not statements & set(spy.unreceipted()),
        "what was held is settled",
    )


@contextmanager
def gateway_ends(gateway):
    try:
        yield
    finally:
        gateway.stop()
