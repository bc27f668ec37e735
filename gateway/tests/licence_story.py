"""Plants under licences with conditions, and documents stated in their log: for the verifier."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from hostile_story import Framed, Plant
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify
from raffinate.evidence import dsse
from verify_story import make

STEP_MS = make.STEP_MS
DATES = "from = 2026-01-01T00:00:00Z\nto = 2040-01-01T00:00:00Z\ngrace_s = 0\n"
REGIME = """v = 1
id = "test"
title = "Rules of a test"
issuer = "Ministry of tests"
utc_offset = "+00:00"
as_of = 2026-01-01
review_by = {review}
[sources.gazette]
title = "Gazette"
kind = "primary"
[[instruments]]
number = "1"
title = "Licence for separation equipment"
kind = "rule"
evidence = "announced"
effect = "licence"
valid_from = 2026-01-02
sources = ["gazette"]
"""
EXPIRED, CURRENT = (REGIME.format(review=day) for day in ("2026-06-01", "2030-01-01"))
RESTS = 'rests_on = ["test/1"]\n'
APPROVAL = """kind = "approval"
id = "A-7"
what = "start"
by = "Authority"
from = 2026-01-01
"""
NEEDS_APPROVAL = '[[requires]]\ndocument = "approval"\n'
QUOTA = '[[quotas]]\nquantity = "{}"\nlimit = {}\nperiod = "{}"\n'


def digest_of(data):
    return sha256(data).hexdigest()


def licence_text(number="L-0", serial="SN-0", dates=DATES, stages='["e01"]', terms=""):
    """A licence file's text; `terms` are the parts that set conditions."""
    return (
        f'number = "{number}"\nissuer = "Authority"\nequipment = "{serial}"\n'
        f"stages = {stages}\n{dates}{terms}"
    )


def time_text(time_ms):
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Documented:
    """Mixed into a plant: licences and documents, stated and trusted."""

    def license(self, terms="", *, trusted=True, permit=True, dates=DATES, **more):
        """A version that replaces the licence of the first machine's node, and a permit of it."""
        old = self.maker.licences["n01"]
        self.version = getattr(self, "version", 1) + 1
        head = f'version = {self.version}\nreplaces = "{old}"\n'
        data = licence_text(dates=dates + head, terms=terms, **more).encode()
        digest = digest_of(data)
        self.log.write(f"licences/{digest}.toml", data)
        if trusted:
            self.trust(licences=self.trusted.licences | {digest})
        self.maker.time_ms += 1
        self.gateway("licence", licence="L-0", sha256=digest, replaces=old)
        self.maker.licences["n01"] = digest
        self.maker.subjects["n01"][1] = ("licences/L-0.toml", digest)
        if permit:
            self.permit()
        return digest

    def permit(self):
        self.maker.permits(self.number * STEP_MS)
        self.see()

    def see(self):
        self.maker.see()

    def state(self, text, action="add", *, trusted=None, signer=None, **changes):
        """A paper or regime, stated; `trusted`: the policy lists it, `signer` signed it."""
        data = text.encode()
        digest = digest_of(data)
        kind, name, version, replaces = "regime", "test", 1, None
        if not text.startswith("v = 1"):
            said = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
            kind, name = said["kind"].strip('"'), said["id"].strip('"')
            version = int(said.get("version", "1"))
            replaces = said.get("replaces", "").strip('"') or None
        folder = "regimes" if kind == "regime" else "documents"
        if action == "add":
            self.log.write(f"{folder}/{digest}.toml", changes.pop("data", data))
        if signer is not None:
            signed = dsse.sign(data, changes.pop("type", dsse.DOCUMENT), signer)
            self.log.write(f"{folder}/{digest}.dsse", signed)
        elif trusted is not False and action == "add":
            self.trust(licences=self.trusted.licences | {digest})
        members = {"kind": kind, "name": name, "version": version, "sha256": digest}
        self.gateway("document", **{**members, "replaces": replaces, "action": action, **changes})
        self.see()
        return digest

    def hold(self, action="hold", name="h-1"):
        members = {"kind": "hold", "name": name, "version": 1, "sha256": "ab" * 32}
        self.gateway("document", **members, replaces=None, action=action)

    def work(self, kind, equipment="m-n01"):
        times = {"fromMs": self.maker.time_ms - STEP_MS, "toMs": self.maker.time_ms + STEP_MS}
        self.gateway("activity", kind=kind, equipment=equipment, workOrder=None, details=None,
                     **times)  # fmt: skip

    def refuse(self, kind):
        """A denial with the registers as they stand."""
        register = {"id": "m-n01", "runMs": self.meter[0], "starts": self.starts}
        self.denial(kind, registers=[{**register, "volumeMl": self.meter[1]}])

    def judged(self):
        self.finish()
        return verify(open_source(self.folder), self.trusted)


class Licensed(Documented, Plant):
    """Two machines; SN-0 of node n01 is licensed anew by the test."""


class Discharging(Documented, Framed):
    """One node whose frames have an outfall's pH beside the flow."""
