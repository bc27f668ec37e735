"""A site for tests: keys, a started log, a plant, the service, and an authority that enrols."""

from __future__ import annotations

from datetime import UTC, datetime

from node_simulator import ORIGIN, SITE, SimulatedNode
from raffinate.evidence.authority import open_authority
from raffinate.evidence.begin import begin
from raffinate.licence.document import format_licence
from raffinate.licence.office import open_evidence
from raffinate.licence.vouching import NOBODY
from raffinate.model import Equipment, Inbound, Node, Plant
from raffinate_wire.status import format_online

START_MS = 1_795_255_200_000
NONCE = "0" * 32


def make_plant(folder, nodes=("n01", "n02", "n03", "n04"), equipment=(("bat-ext", "n01"),)):
    made = {}
    for number, (name, node) in enumerate(equipment):
        descriptor = folder / "equipment" / f"{name}.toml"
        descriptor.parent.mkdir(parents=True, exist_ok=True)
        descriptor.write_text(f'serial = "SN-{number}"\nstages = ["e01"]\n')
        made[name] = Equipment(
            name, name, "maker", "model", f"SN-{number}", node, ("e01",), None, descriptor, {}
        )
    return Plant(
        SITE,
        "Test plant",
        "",
        (),
        {name: Node(name, "unix", (), 1000, 60) for name in nodes},
        made,
        {},
        {},
    )


class Site:
    """Everything under `folder`; `now_ms` is the clock."""

    def __init__(self, folder, **plant):
        self.folder = folder
        self.now_ms = START_MS
        self.keys, self.data = folder / "keys", folder / "data"
        self.licences = folder / "licences"
        self.licences.mkdir(parents=True, exist_ok=True)
        self.plant = make_plant(folder, **plant)
        if not self.data.exists():
            self.data.mkdir()
            begin(self.keys, self.data, ORIGIN, self.now_ms)
        self.service = None
        self.vouching = NOBODY
        self.history = lambda *_: []
        self.open()

    def open(self):
        self.service = open_evidence(
            self.plant,
            self.keys,
            self.data,
            self.licences,
            self.now_ms,
            vouching=lambda: self.vouching,
            history=self.measured,
        )

    def measured(self, *asked):
        """What the series store has, as a test wants it."""
        return self.history(*asked)

    def reopen(self):
        self.service.close()
        self.open()

    def close(self):
        self.service.close()

    def enrol(self, *nodes):
        """The authority's file in the inbox, taken by the next tick."""
        (self.data / "inbox").mkdir(exist_ok=True)
        for node in nodes:
            with open_authority(self.keys) as authority:
                envelope = authority.enrol("node", node.node, node.pair.spki, self.now_ms)
                name = f"enrol-{authority.seq:010d}.dsse"
                (self.data / "inbox" / name).write_bytes(envelope)
        return self.tick()

    def tick(self, ms=0):
        self.now_ms += ms
        return self.service.tick(self.now_ms)

    def message(self, node, data):
        topic = f"raffinate/1/{SITE}/{node.node}/statement"
        return Inbound(topic, data, 0, self.now_ms)

    def submit(self, node, *envelopes):
        return self.service.submit([self.message(node, data) for data in envelopes])

    def status(self, node, seen=None):
        size = node.seen["size"] if seen is None else seen
        payload = format_online(node.boot_number, node.keyid, NONCE, size)
        return self.service.on_status(node.node, payload, self.now_ms)

    def licence(self, name="a.toml", serial="SN-0", start_s=-1000, end_s=86400 * 30, grace_s=20):
        def at(seconds):
            return datetime.fromtimestamp(START_MS / 1000 + seconds, UTC)

        data = format_licence(
            f"L-{name}", "Authority of tests", serial, ("e01",), at(start_s), at(end_s), grace_s
        )
        (self.licences / name).write_bytes(data)
        return data


def enrolled_site(folder, count=1, **plant):
    """A site with `count` enrolled simulated nodes n01, n02, ..."""
    site = Site(folder, **plant)
    names = list(site.plant.nodes)[:count]
    owners = {item.node: item.id for item in site.plant.equipment.values()}
    nodes = [
        SimulatedNode(name, 1000 + number, (owners[name],) if name in owners else ())
        for number, name in enumerate(names)
    ]
    site.enrol(*nodes)
    return site, nodes
