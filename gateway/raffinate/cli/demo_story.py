"""What the demo's scenarios are: their licences and papers, what happens, who acknowledges what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from raffinate.licence.document import format_licence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from raffinate.model import Equipment

    Documents = Callable[[Mapping[str, Equipment], datetime], dict[str, bytes]]

BATTERIES: Final = {"bat-ext": "extraction", "bat-scrub": "scrub", "bat-strip": "strip"}
ENDING: Final = "bat-strip"
"""The battery whose licence ends while one watches."""
ENDING_AFTER_S: Final = 120
GRACE_S: Final = 20
STOP_AT_S: Final = 150.0
START_AT_S: Final = 160.0
BRIDGE_AT_S: Final = 168.0
BRIDGED_START_AT_S: Final = 172.0
UNBRIDGE_AT_S: Final = 178.0
_LIFE: Final = timedelta(days=30)
_ISSUER: Final = "Demonstration licensing authority"
_OPERATOR: Final = "op-demo"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story.

    `documents` are files by name, of licences, papers and regimes; `actions` (time in s, kind,
    battery) happen to the plant; `acknowledges` (equipment, state) is what the operator takes note
    of as soon as the gateway asks for it; `explain` is said once the plant is on the page.
    """

    name: str
    summary: str
    documents: Documents
    actions: tuple[tuple[float, str, str], ...]
    acknowledges: tuple[tuple[str, str], ...]
    explain: str
    actor: str = _OPERATOR


def _licences_end(machines: Mapping[str, Equipment], now: datetime) -> dict[str, bytes]:
    found = {}
    for machine in machines.values():
        ends = machine.id == ENDING
        life = timedelta(seconds=ENDING_AFTER_S) if ends else _LIFE
        grace_s = GRACE_S if ends else 600
        found.update(_licence(machine, now, life, grace_s))
    return found


def _conditions(machines: Mapping[str, Equipment], now: datetime) -> dict[str, bytes]:
    """One licence whose rule is past its review, one without its assay, one with a promise."""
    ext, scrub, strip = (machines[name] for name in BATTERIES)
    tag = _tag(now)
    yesterday = now - timedelta(days=1)
    month_ago = now - timedelta(days=30)
    regime = f"""# A rule of nobody, for the demonstration: its review was due yesterday.
v = 1
id = "demo-rules"
title = "Rules made up for the demonstration"
issuer = "{_ISSUER}"
utc_offset = "+00:00"
as_of = {month_ago:%Y-%m-%d}
review_by = {yesterday:%Y-%m-%d}
note = "Not legal advice."

[sources.demo]
title = "Made up for the demonstration, {tag}"
kind = "primary"

[[instruments]]
number = "1"
title = "Separation equipment needs a licence"
kind = "rule"
evidence = "announced"
effect = "licence"
valid_from = {month_ago:%Y-%m-%d}
items = ["extraction-tank"]
sources = ["demo"]
"""
    certificate = f"""kind = "end-user-certificate"
id = "euc-{tag}"
issuer = "Demonstration end user"
end_user = "demo-magnets"
signed_by = "a person of the end user"
signed = {month_ago:%Y-%m-%d}
end_use = "magnets of motors"
commitments = ["no-military-use"]
equipment = ["{strip.serial}"]
"""
    return {
        f"demo-rules-{tag}.toml": regime.encode(),
        **_licence(ext, now, _LIFE, 600, 'rests_on = ["demo-rules/1"]\n'),
        **_licence(
            scrub,
            now,
            _LIFE,
            600,
            '\n[[quotas]]\nquantity = "run-h"\nlimit = 500\nperiod = "month"\n'
            '\n[[requires]]\ndocument = "assay"\n',
        ),
        **_licence(
            strip,
            now,
            _LIFE,
            600,
            "\n[conditions]\nno_military_use = true\n"
            'unobservable = ["the licensee stays in good standing with the authority"]\n',
        ),
        f"certificate-{tag}.toml": certificate.encode(),
    }


def _licence(
    machine: Equipment, now: datetime, life: timedelta, grace_s: int, more: str = ""
) -> dict[str, bytes]:
    name = f"{machine.id}-{_tag(now)}"
    data = format_licence(
        number=f"DEMO-{name}",
        issuer=_ISSUER,
        equipment=machine.serial,
        stages=machine.stages,
        start=now - timedelta(minutes=1),
        end=now + life,
        grace_s=grace_s,
        purpose="demonstration",
    )
    return {f"{name}.toml": data + more.encode()}


def _tag(now: datetime) -> str:
    return f"{now:%Y%m%dt%H%M%Sz}"


_BATTERY: Final = BATTERIES[ENDING]
SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "licence-ends",
            f"{ENDING}'s licence ends: grace, no more starts, one made by bridging the contact",
            _licences_end,
            (
                (STOP_AT_S, "stop", _BATTERY),
                (START_AT_S, "start", _BATTERY),
                (BRIDGE_AT_S, "bridge", _BATTERY),
                (BRIDGED_START_AT_S, "start", _BATTERY),
                (UNBRIDGE_AT_S, "unbridge", _BATTERY),
            ),
            ((ENDING, "grace"), (ENDING, "orderly-stop")),
            f"  {ENDING}'s licence ends {ENDING_AFTER_S} s after the start, with {GRACE_S} s of "
            f"grace, and nothing stops it. Its operators\n"
            f"  acknowledge, stop it at {STOP_AT_S:g} s, ask for a start at {START_AT_S:g} s, "
            f"which is refused, bridge the contact at\n"
            f"  {BRIDGE_AT_S:g} s and start it at {BRIDGED_START_AT_S:g} s all the same: the log "
            "has each of these",
        ),
        Scenario(
            "conditions",
            "a rule past its review, an assay that is missing, a promise that a paper vouches for",
            _conditions,
            (),
            (("bat-strip", "conditions"),),
            "  bat-ext's licence rests on a rule whose review was due yesterday: EXPIRED-RULE\n"
            "  bat-scrub's demands an assay that nobody brought: INSUFFICIENT\n"
            "  bat-strip's forbids military use: only the end user's certificate can show that, "
            "and it is there: PASS",
        ),
    )
}
DEFAULT: Final = "licence-ends"
