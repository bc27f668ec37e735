"""The pages over a real gateway process: what is entered stands in its log and its registry."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from gateway_process import ORIGIN, Board, GatewayProcess, raffinate
from page_browser import MARKS, chromium, fill_lot, opened
from page_licences import PARTY
from raffinate.cli import main
from raffinate.config.template import write_template
from raffinate.evidence.petition import read_entry
from raffinate_wire.status import format_online

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [*MARKS, pytest.mark.broker]


@pytest.fixture
def gateway(nats_broker, tmp_path: Path) -> Iterator[GatewayProcess]:
    folder = tmp_path / "plant"
    write_template(folder, listen_port=0, broker_port=nats_broker.port)
    words = ["keys", "init", "--origin", ORIGIN, "--plant", str(folder / "plant.toml")]
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output
    with GatewayProcess(folder) as process:
        yield process.start()


def test_a_document_goes_from_the_form_into_the_log(gateway: GatewayProcess) -> None:
    address = gateway.url.rstrip("/")
    with chromium() as browser, opened(browser, address, path="/registry/", refused=409) as page:
        expect(page.locator(".documents")).to_contain_text("No documents yet")
        fill_lot(page, "LOT-18")
        page.get_by_label("End user", exact=True).fill("magnet-works")
        page.get_by_role("button", name="Preview").click()
        check = page.locator(".entry .check")
        expect(check).to_contain_text("party magnet-works is not in the registry")
        text = check.locator("pre").text_content() or ""
        page.get_by_label("Your pseudonym").fill("op-7")
        page.get_by_role("button", name="Send to the log").click()
        said = page.locator("#entry-said")
        expect(said).to_contain_text("Lot LOT-18 version 1: log entry ", timeout=30_000)
        index = int(said.inner_text().rpartition(" ")[2])
        expect(page.locator(".list")).to_contain_text(f"log entry {index}")
        # The same id with other bytes is refused before anything is sent.
        page.get_by_label("Mass (needed)").fill("13")
        page.get_by_role("button", name="Preview").click()
        expect(said).to_contain_text("lot LOT-18 version 1 is there already with other bytes")
        # Upload, and the party that the lot names is there.
        page.get_by_label("Upload or paste a file").check()
        page.get_by_label("Or its text").fill(PARTY.decode())
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Send to the log").click()
        expect(said).to_contain_text("Party magnet-works version 1", timeout=30_000)
        page.get_by_label("Which party may this name be").fill("MAGNET WORKS GmbH")
        page.get_by_role("button", name="Suggest").click()
        expect(page.locator(".parties li")).to_contain_text("party magnet-works")
    entry = read_entry(gateway.folder / "data", index)
    assert (entry.type, entry.body["kind"], entry.body["name"]) == ("document", "lot", "LOT-18")
    assert entry.body["sha256"] == sha256(text.encode()).hexdigest()
    assert entry.body["actor"]["id"] == "op-7"
    assert entry.body["actor"]["auth"].startswith("none: a name typed on the page")
    shown = raffinate("registry", "show", "lot", "LOT-18", "--plant", str(gateway.plant), "--json")
    assert json.loads(shown.stdout)["text"] == text

    machine = next(iter(httpx.get(f"{address}/api/v1/plant").json()["equipment"]))["id"]
    early = {"equipment": machine, "state": "grace", "actor": "op-7"}
    headers = {"Origin": address}
    answer = httpx.post(f"{address}/api/v1/acknowledgements", json=early, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "state")


class Repeating(Board):
    """Says its boot again, as a board does until it has the receipt of it."""

    first = b""

    def say_boot(self) -> None:
        self.first = self.first or self.signer.boot()
        self._publish("statement", self.first)
        self._publish("status", format_online(1, self.signer.keyid, "0" * 32, 0))


LICENCE = """number = "L-1"
issuer = "Authority"
equipment = "{serial}"
stages = ["e01", "e02", "e03", "e04", "e05", "e06"]
from = 2026-01-01T00:00:00Z
to = 2099-01-01T00:00:00Z
grace_s = 60
[conditions]
acknowledge = true
"""


def test_an_acknowledgement_goes_from_the_button_into_the_log(
    gateway: GatewayProcess, nats_broker: Any
) -> None:
    address = gateway.url.rstrip("/")
    machines = httpx.get(f"{address}/api/v1/plant").json()["equipment"]
    machine = next(one for one in machines if one["node"] == "n01")
    with Repeating(nats_broker) as board:
        board.enrol(gateway)
        board.say_boot()
    folder = gateway.folder / "licences"
    folder.mkdir(exist_ok=True)
    (folder / "own.toml").write_text(LICENCE.format(serial=machine["serial"]))
    path = f"/licences/#{machine['id']}"
    with chromium() as browser, opened(browser, address, path=path) as page:
        button = page.get_by_role("button", name="Acknowledge the licence's conditions")
        expect(button).to_be_visible(timeout=60_000)
        page.get_by_label("Your pseudonym").fill("op-7")
        button.click()
        said = page.locator(".said")
        expect(said).to_contain_text("the licence's conditions: log entry ", timeout=30_000)
        index = int(said.inner_text().rpartition(" ")[2])
        expect(page.locator(".acknowledgements")).to_contain_text("by op-7", timeout=30_000)
        expect(button).to_be_hidden(timeout=30_000)
    entry = read_entry(gateway.folder / "data", index)
    assert (entry.type, entry.body["kind"]) == ("document", "acknowledgement")
    assert entry.body["actor"]["id"] == "op-7"
