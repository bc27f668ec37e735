"""Papers, licences and requests about them, for tests of the registry."""

from __future__ import annotations

from hashlib import sha256

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from raffinate.evidence import dsse
from raffinate.evidence.petition import operator
from raffinate.evidence.requests import format_request
from raffinate.evidence.statement import parse_statement
from raffinate.keys import KeyPair, load_gateway_keys, spki_of
from raffinate.tlog.publish import make_folder

PARTY = 'kind = "party"\nid = "{id}"\nnames = ["{name}"]\ncountry = "DE"\n'
LICENCE = """number = "{number}"
issuer = "Authority of tests"
equipment = "SN-0"
stages = ["e01"]
from = 2026-11-01T00:00:00Z
to = 2026-12-01T00:00:00Z
grace_s = 20
"""


def party(name="Magnet Works", party_id="mw", extra=""):
    return (PARTY.format(id=party_id, name=name) + extra).encode()


def issuer():
    """A key of an authority that signs documents."""
    private = ec.generate_private_key(ec.SECP256R1())
    return KeyPair("issuer", private, spki_of(private))


def digest(data):
    return sha256(data).hexdigest()


def item(data, kind="document", **members):
    return {"as": kind, "sha256": digest(data), **members}


def adding(*documents, items=None):
    """(body, documents) of a request that adds these."""
    listed = [item(data, file=f"f{at}.toml") for at, data in enumerate(documents)]
    return {"action": "add", "items": listed if items is None else items}, documents


def request(site, body, documents=(), actor="op-1"):
    keys = load_gateway_keys(site.keys)
    return format_request(keys, "document", operator(actor), body, documents, site.now_ms)


def ask(site, body, documents=(), *, signed=None, name="r", tick=True):
    """Hand a request to the service of an `evidence_site.Site`; its answer."""
    make_folder(site.data / "inbox")
    data = request(site, body, documents) if signed is None else signed
    (site.data / "inbox" / f"{name}.dsse").write_bytes(data)
    if not tick:
        return None
    site.tick(1000)
    return orjson.loads((site.data / "outbox" / f"{name}.json").read_bytes())


def stated(site, kind="document"):
    """(index, statement) of each of a kind in the log, by the gateway."""
    log, found = site.service._log, []
    for index in range(log.size):
        envelope = dsse.decode_envelope(log.entry(index))
        if envelope.payload_type == dsse.STATEMENT:
            statement = parse_statement(envelope.payload)
            if statement.type == kind and statement.node == "gateway":
                found.append((index, statement))
    return found
