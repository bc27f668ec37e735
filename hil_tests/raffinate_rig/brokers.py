"""Real MQTT brokers under test: nats-server (MQTT on JetStream) and mosquitto."""

from __future__ import annotations

import getpass
import json
import socket
from typing import TYPE_CHECKING, ClassVar, Self

from raffinate_rig.processes import HOST, Program, check_port_free, find_tool, free_port

if TYPE_CHECKING:
    from pathlib import Path

READY_S = 30.0
# MQTT 3.1.1, clean session, client id "probe", keepalive 10 s
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe"
CONNACK_OK = b"\x20\x02\x00\x00"


class Broker:
    """One broker process on 127.0.0.1 with a store of its own; `kill` is kill -9.

    After `kill` or `stop`, `start` runs it again on the same port and store.
    """

    KIND: ClassVar[str] = ""
    # Whether sessions, queued and retained messages outlive a kill -9.
    KEEPS_AT_KILL: ClassVar[bool] = False

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.host = HOST
        self._program: Program | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._program is not None and self._program.running

    @property
    def pid(self) -> int | None:
        """The process id of the running broker."""
        return self._program.pid if self._program is not None and self.running else None

    def start(self) -> None:
        """Start and wait until MQTT clients are taken; raises MissingToolError, ProcessError."""
        if self.running:
            return
        check_port_free(self.port, self.KIND)
        arguments = self._arguments()
        self._program = Program(arguments, self.folder / "broker.log")
        self._program.wait_ready(lambda: mqtt_answers(self.port), READY_S)

    def kill(self) -> None:
        """End it at once, as a power cut of its machine would (but the page cache lives)."""
        if self._program is not None:
            self._program.kill()

    def stop(self) -> None:
        """End it in order."""
        if self._program is not None:
            self._program.stop()

    def log_text(self) -> str:
        """The last lines of its log."""
        return self._program.tail() if self._program is not None else ""

    def _arguments(self) -> list[str | Path]:
        raise NotImplementedError


class NatsBroker(Broker):
    """nats-server with MQTT on JetStream; `sync_always` makes each write durable on its own."""

    KIND: ClassVar[str] = "nats-server"
    KEEPS_AT_KILL: ClassVar[bool] = True

    def __init__(self, folder: Path, port: int | None = None, *, sync_always: bool = False) -> None:
        super().__init__(folder, port)
        self.sync_always = sync_always
        self._client_port = free_port()

    def _arguments(self) -> list[str | Path]:
        program = find_tool("nats-server")
        config = self.folder / "nats-server.conf"
        text = nats_config(
            store=self.folder / "jetstream",
            port=self.port,
            client_port=self._client_port,
            sync_always=self.sync_always,
        )
        config.write_text(text, encoding="utf-8")
        return [program, "-c", config]


class MosquittoBroker(Broker):
    """mosquitto with persistence. It may lose sessions and retained messages at kill -9."""

    KIND: ClassVar[str] = "mosquitto"

    def _arguments(self) -> list[str | Path]:
        program = find_tool("mosquitto")
        store = self.folder / "store"
        store.mkdir(exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(mosquitto_config(store=store, port=self.port), encoding="utf-8")
        return [program, "-c", config]


BROKERS: dict[str, type[Broker]] = {broker.KIND: broker for broker in (NatsBroker, MosquittoBroker)}


def nats_config(*, store: Path, port: int, client_port: int, sync_always: bool = False) -> str:
    """nats-server's configuration; unacknowledged messages come back after 5 s."""
    sync = 'sync_interval: "always"' if sync_always else 'sync_interval: "2s"'
    return f"""\
server_name: "raffinate"
listen: "{HOST}:{client_port}"
jetstream {{
  store_dir: {json.dumps(str(store))}
  max_memory_store: 64MB
  max_file_store: 4GB
  {sync}
}}
mqtt {{
  listen: "{HOST}:{port}"
  ack_wait: "5s"
  max_ack_pending: 1000
}}
"""


def mosquitto_config(*, store: Path, port: int) -> str:
    """Mosquitto's configuration: bounded but large queues, saved each minute."""
    # started by root it would become another user, who cannot write here
    return f"""\
user {getpass.getuser()}
listener {port} {HOST}
allow_anonymous true
persistence true
persistence_location {store}/
autosave_interval 60
max_queued_messages 1000000
max_inflight_messages 100
log_dest stdout
"""


def mqtt_answers(port: int) -> bool:
    """Whether an MQTT client is accepted at `port` of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=2.0) as connection:
            connection.sendall(CONNECT)
            return connection.recv(4) == CONNACK_OK
    except OSError:
        return False
