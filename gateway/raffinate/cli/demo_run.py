"""How the demo is set up, runs and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import click
import httpx

from raffinate.audit.policy import add_digests, format_policy
from raffinate.cli.demo_operator import Commands, Operator
from raffinate.cli.demo_story import BATTERIES, SCENARIOS
from raffinate.cli.demo_witness import DemoWitness
from raffinate.config import load_config
from raffinate.config.node import format_node_config, node_config
from raffinate.config.template import write_template
from raffinate.errors import RaffinateError
from raffinate.keys import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from raffinate.cli.demo_story import Scenario
    from raffinate.config import Config
    from raffinate_rig.actions import Action
    from raffinate_rig.demo import Stage, StageEvent

ORIGIN: Final = "demo.invalid/raffinate/ndpr"
STATEMENT_S: Final = 10
READY_WITHIN_S: Final = 120.0
POLL_S: Final = 0.25
STOP_WITHIN_S: Final = 20.0
_POLICY_BLOCK = re.compile(r"\n# -- demo: policy\n.*?# -- end\n", re.DOTALL)
_INFLUX_BLOCK = re.compile(r"\n# -- demo: influx\n.*?# -- end\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class InfluxTarget:
    """An InfluxDB to log to besides; the token is kept in a file of mode 0600."""

    url: str
    token: str | None = field(repr=False)
    org: str
    bucket: str


class Demo:
    """One run of the demo in `folder`, its page at `port` of 127.0.0.1."""

    def __init__(
        self,
        folder: Path,
        port: int,
        actions: Sequence[Action],
        influx: InfluxTarget | None,
        scenario: str,
    ) -> None:
        self._folder = folder.absolute()
        self._port = port
        self._actions = actions
        self._influx = influx
        self._gateway: subprocess.Popen[bytes] | None = None
        self._scenario: Scenario = SCENARIOS[scenario]
        self._commands = Commands()
        self._operator: Operator | None = None
        self._codes: dict[str, str] = {}
        self._enrolled: set[str] = set()
        self._serves = False
        self._witness = DemoWitness(
            self._folder / "witness", self._folder / "witness.log", _visibly
        )
        self._url = f"http://127.0.0.1:{port}/"

    def run(self, seconds: float | None) -> None:
        """Run until Ctrl-C or for `seconds`; raises RaffinateError with a plain message."""
        from raffinate_rig.demo import StageError  # noqa: PLC0415 - an extra
        from raffinate_rig.deploy import DeployError  # noqa: PLC0415
        from raffinate_rig.plant_runner import PlantStateError  # noqa: PLC0415
        from raffinate_rig.processes import MissingToolError  # noqa: PLC0415

        # A demo that is told to end, ends as by Ctrl-C: nothing of it stays behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        end = None if seconds is None else time.monotonic() + seconds
        stage: Stage | None = None
        try:
            config = self._prepare()
            stage = self._stage(config)
            self._witness.start()
            self._start_gateway()
            stage.start()
            self._watch(stage, len(config.plant.points), end)
        except (StageError, DeployError, MissingToolError, PlantStateError) as error:
            raise RaffinateError(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nending: nodes, gateway, witness, broker, plant")
        finally:
            self._end(stage)
        click.echo(f"ended; history is in {self._folder}")

    def _prepare(self) -> Config:
        """Write what is missing of the plant folder, the keys, licences, node files and policy."""
        self._check_second()
        _check_port(self._port)
        plant = self._folder / "plant.toml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not plant.exists():
                write_template(
                    self._folder,
                    listen_port=self._port,
                    broker_port=_free_port(),
                    statement_s=STATEMENT_S,
                    foreword="Simulated. ",
                )
            _adjust(plant, self._port, self._influx, self._folder / "influx.token")
            self._witness.prepare(plant, _free_port())
            config = load_config(plant)
            if not (config.storage.keys / "public.json").exists():
                _visibly("keys", "init", "--origin", ORIGIN, "--plant", str(plant))
            self._trust(config)
            files = self._write_documents(config)
            _write_nodes(config, self._folder / "nodes")
            _write_policy(config, self._folder / "auditor", files, self._witness.vkey)
            self._operator = Operator(
                self._scenario, list(files), str(plant), self._url, self._commands
            )
        except OSError as error:
            place = error.filename or self._folder
            raise RaffinateError(
                f"{place}: {error.strerror}; choose a folder you can write to with --folder"
            ) from error
        return config

    def _write_documents(self, config: Config) -> dict[str, str]:
        """This start's licences, papers and regimes as files; their digests by path."""
        folder = self._folder / "documents"
        folder.mkdir(exist_ok=True)
        now = datetime.now(UTC).replace(microsecond=0)
        digests = {}
        for name, data in self._scenario.documents(config.plant.equipment, now).items():
            (folder / name).write_bytes(data)
            digests[str(folder / name)] = sha256(data).hexdigest()
        click.echo(
            f"scenario {self._scenario.name}: its licences and papers are in {folder}; the auditor "
            "lists their digests in his policy"
        )
        return digests

    def _trust(self, config: Config) -> None:
        public = load_public(config.storage.keys)
        keys = public["log"]
        if not isinstance(keys, list):
            raise RaffinateError(f"{config.storage.keys / 'public.json'} has no log keys")
        self._witness.trust(str(public["origin"]), keys)

    def _check_second(self) -> None:
        from raffinate_rig.demo import running_demo  # noqa: PLC0415 - an extra

        owner = running_demo(self._folder)
        if owner is not None:
            raise RaffinateError(
                f"a demo (process {owner}) already runs in {self._folder}: end it with Ctrl-C, or "
                "start this one with another --folder and --port"
            )

    def _stage(self, config: Config) -> Stage:
        from raffinate_rig.actions import parse_action  # noqa: PLC0415 - an extra
        from raffinate_rig.demo import Stage  # noqa: PLC0415

        return Stage(
            self._folder,
            batteries=BATTERIES,
            broker_port=config.broker.port,
            actions=[
                *(
                    parse_action(f"{kind} {battery}@{at_s}s")
                    for at_s, kind, battery in self._scenario.actions
                ),
                *self._actions,
            ],
        )

    def _start_gateway(self) -> None:
        log = (self._folder / "gateway.log").open("ab")
        with log:
            self._gateway = subprocess.Popen(
                [sys.executable, "-m", "raffinate", "gateway", "--plant", "plant.toml"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _watch(self, stage: Stage, points: int, end: float | None) -> None:
        ready = False
        give_up = time.monotonic() + READY_WITHIN_S
        while end is None or time.monotonic() < end:
            for event in stage.poll():
                self._tell(event)
            self._mind_gateway()
            self._witness.mind()
            self._serves = self._serves or self._answers()
            self._mind_people()
            if not ready:
                ready = self._is_ready(points)
                if ready:
                    click.echo(f"ready: {self._url}")
                    self._explain()
                elif time.monotonic() > give_up:
                    raise RaffinateError(
                        f"the plant was not on the page within {READY_WITHIN_S:g} s; see "
                        f"{self._folder / 'gateway.log'} and the logs in {self._folder / 'rig'}"
                    )
            time.sleep(POLL_S)

    def _tell(self, event: StageEvent) -> None:
        if event.kind == "enrol-code":
            self._codes[event.source] = event.text
        elif event.kind not in ("ready", "output"):
            click.echo(f"{event.source}: {event.text}")

    def _mind_people(self) -> None:
        """Enrol each key once, as soon as the gateway serves; then what operators do."""
        plant = ("--plant", str(self._folder / "plant.toml"))
        if self._serves:
            for node, code in self._codes.items():
                if node not in self._enrolled:
                    self._enrolled.add(node)
                    self._commands.start("node", "enrol", node, code, *plant)
        if self._operator is not None:
            self._operator.mind(self._serves)
        self._commands.mind()

    def _mind_gateway(self) -> None:
        if self._gateway is not None and self._gateway.poll() is not None:
            log = self._folder / "gateway.log"
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RaffinateError(f"the gateway ended: {' '.join(last)} (log: {log})")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self._url}healthz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _is_ready(self, points: int) -> bool:
        try:
            latest = httpx.get(f"{self._url}api/v1/latest", timeout=2).json()
        except (httpx.HTTPError, ValueError):
            return False
        return isinstance(latest, list) and len(latest) >= points

    def _explain(self) -> None:
        here = self._folder
        click.echo(
            f"{self._scenario.explain}\n"
            f"  witness: its own process and key, in {here}/witness; the policy names it\n"
            f"  try:  raffinate demo --folder {here} --fault sap-loss\n"
            f"  audit: raffinate audit export --frames --plant {here}/plant.toml BUNDLE, then\n"
            f"         raffinate audit verify BUNDLE --policy {here}/auditor/policy.toml\n"
            "  Ctrl-C ends it"
        )

    def _end(self, stage: Stage | None) -> None:
        self._commands.stop()
        if self._gateway is not None and self._gateway.poll() is None:
            self._gateway.terminate()
            try:
                self._gateway.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._gateway.kill()
                self._gateway.wait()
        if stage is not None:
            stage.stop()
        self._witness.stop()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RaffinateError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): end the program "
                "that has it, or choose another with --port"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _adjust(plant: Path, port: int, influx: InfluxTarget | None, token_file: Path) -> None:
    """Give plant.toml this run's ports, policy and InfluxDB; all else in it is the user's."""
    text = _POLICY_BLOCK.sub("", _INFLUX_BLOCK.sub("", plant.read_text("utf-8")))
    if re.search(r"(?m)^\[evidence\]", text) is None:
        # A copy of the auditor's policy, so that page and permits go by what he will say.
        text += '\n# -- demo: policy\n[evidence]\npolicy = "auditor/policy.toml"\n# -- end\n'
    text = re.sub(r"(?m)(^\[listen\][^\[]*?^port = )\d+", rf"\g<1>{port}", text)
    broker = re.search(r"(?m)^\[broker\][^\[]*?^port = (\d+)", text)
    if broker is not None and _is_taken(int(broker[1])):
        text = text[: broker.start(1)] + str(_free_port()) + text[broker.end(1) :]
    if influx is not None:
        token = influx.token or os.environ.get("INFLUX_TOKEN", "")
        token_file.touch(mode=0o600)
        token_file.write_text(token + "\n", "utf-8")
        text += (
            "\n# -- demo: influx\n[influx]\n"
            f"url = {json.dumps(influx.url)}\n"
            'version = "2"\n'
            f"org = {json.dumps(influx.org)}\n"
            f"bucket = {json.dumps(influx.bucket)}\n"
            f"token_file = {json.dumps(token_file.name)}\n"
            "# -- end\n"
        )
    if text != plant.read_text("utf-8"):
        part = plant.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(plant)


def _visibly(*words: str) -> None:
    """Show a command as a user would type it, and run it. Raises RaffinateError."""
    click.echo(f"$ raffinate {' '.join(words)}")
    done = subprocess.run(
        [sys.executable, "-m", "raffinate", *words], capture_output=True, text=True, check=False
    )
    click.echo((done.stdout + done.stderr).strip())
    if done.returncode:
        raise RaffinateError("that failed; the demo cannot go on")


def _write_nodes(config: Config, nodes: Path) -> None:
    """Load each board's node.json, as a person would over its console."""
    public = load_public(config.storage.keys)
    keys = public["keys"]
    if not isinstance(keys, dict):
        raise RaffinateError(f"{config.storage.keys / 'public.json'} has no keys")
    for node in config.plant.nodes:
        data = format_node_config(node_config(config, node, str(public["origin"]), keys))
        file = nodes / node / "node.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_bytes() != data:
            file.write_bytes(data)


def _write_policy(config: Config, auditor: Path, files: Mapping[str, str], vkey: str) -> None:
    """The auditor's folder: his policy, with this start's documents added."""
    auditor.mkdir(exist_ok=True)
    file, digests = auditor / "policy.toml", list(files.values())
    if file.exists():
        text = add_digests(str(file), file.read_text("utf-8"), digests)
    else:
        public = load_public(config.storage.keys)
        serials = [machine.serial for machine in config.plant.equipment.values()]
        text = format_policy(public, digests, serials, witnesses=[vkey])
        (auditor / "public.json").write_text(json.dumps(public, indent=1) + "\n", "utf-8")
    file.write_text(text, "utf-8")
