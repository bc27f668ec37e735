"""From the tables of papers to their members, one reader a kind. Pure.

Each raises ConfigError with file, line, key and remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.elements import ELEMENTS
from raffinate.licence.paper_kinds import (
    ACKNOWLEDGED,
    ACTIVITIES,
    COMMITMENTS,
    MASS_G,
    REAGENT_FLOWS,
    VOLUME_ML,
    Acknowledgement,
    Amount,
    Approval,
    Assay,
    Content,
    EndUserCertificate,
    Lot,
    Parameter,
    Parameters,
    Party,
    Reagent,
    Report,
    Screening,
    Transfer,
    Visit,
    WorkOrder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from raffinate.licence.paper_kinds import Members
    from raffinate.licence.table import Table

AMOUNT_MAX = 10**12
PERCENT_MAX = 100
REO_G_PER_L_MAX = 10_000
BASE_MOL_MAX = 10**9
COUNTRY_CHARS = 2
UNIT_CHARS_MAX = 32


def _end_user_certificate(table: Table) -> EndUserCertificate:
    from_ms, to_ms = table.span_ms()
    return EndUserCertificate(
        end_user=table.name("end_user"),
        signed_by=table.text("signed_by"),
        signed_ms=table.time_ms("signed"),
        contract=table.text_or("contract"),
        end_use=table.text("end_use"),
        site=table.text_or("site"),
        commitments=table.words("commitments", COMMITMENTS, count_min=1),
        terms=table.texts("terms"),
        equipment=table.texts("equipment"),
        elements=table.words("elements", ELEMENTS),
        consignee=table.name_or("consignee"),
        from_ms=from_ms,
        to_ms=to_ms,
    )


def _party(table: Table) -> Party:
    country = table.text("country", COUNTRY_CHARS)
    if len(country) != COUNTRY_CHARS or not (country.isascii() and country.isupper()):
        table.fail("country", f"is {country!r}; write two capital letters of ISO 3166, as CN")
    return Party(
        names=table.texts("names", count_min=1),
        aliases=table.texts("aliases"),
        country=country,
        addresses=table.texts("addresses"),
        registrations=table.texts("registrations"),
        owners=table.names("owners"),
    )


def _lot(table: Table) -> Lot:
    return Lot(
        element=table.word("element", ELEMENTS),
        compound=table.text_or("compound"),
        purity_percent=table.number("purity_percent", 0, PERCENT_MAX),
        mass=_amount(table, "mass", "unit", MASS_G),
        produced_ms=table.time_ms("produced"),
        destination=table.text("destination"),
        consignee=table.name_or("consignee"),
        end_user=table.name_or("end_user"),
        end_use=table.text("end_use"),
        share_percent=table.number_or("share_percent", 0, PERCENT_MAX),
        equipment=table.texts("equipment"),
    )


def _assay(table: Table) -> Assay:
    of = table.word("of", ("lot", "stream"))
    contents: list[Content] = []
    for item in table.tables("contents", count_min=1):
        content = Content(
            item.word("element", ELEMENTS),
            item.number("mass_fraction", 0, 1),
            item.number_or("purity_percent", 0, PERCENT_MAX),
        )
        if content.element in (known.element for known in contents):
            item.fail("element", f"{content.element} stands here twice; remove one")
        item.done()
        contents.append(content)
    if sum(content.mass_fraction for content in contents) > 1:
        table.fail("contents", "have mass fractions of more than 1 together; mend them")
    from_ms, to_ms = table.span_ms()
    return Assay(
        of="lot" if of == "lot" else "stream",
        subject=table.name("subject"),
        contents=tuple(contents),
        reo_g_per_l=table.number_or("reo_g_per_l", 0, REO_G_PER_L_MAX),
        laboratory=table.text("laboratory"),
        sampled_ms=table.time_ms("sampled"),
        from_ms=from_ms,
        to_ms=to_ms,
    )


def _work_order(table: Table) -> WorkOrder:
    from_ms, to_ms = table.span_ms()
    return WorkOrder(
        equipment=table.texts("equipment", count_min=1),
        activity=table.word("activity", ACTIVITIES),
        who=table.text("who"),
        what=table.text_or("what"),
        from_ms=from_ms,
        to_ms=to_ms,
        digests=table.digests("digests"),
    )


def _reagent(table: Table) -> Reagent:
    table.time_ms("from")
    table.time_ms("to", end=True)
    from_ms, to_ms = table.span_ms()
    return Reagent(
        name=table.name("name"),
        flow=table.word_or("flow", REAGENT_FLOWS, "used"),
        quantity=_amount(table, "quantity", "unit", {**MASS_G, **VOLUME_ML}),
        from_ms=from_ms or 0,
        to_ms=to_ms or 0,
        equipment=table.texts("equipment"),
        base_mol=table.number_or("base_mol", 0, BASE_MOL_MAX),
    )


def _approval(table: Table) -> Approval:
    table.time_ms("from")
    from_ms, to_ms = table.span_ms()
    return Approval(
        what=table.text("what"),
        by=table.text("by"),
        licence=table.text_or("licence"),
        activities=table.words("activities", ACTIVITIES),
        equipment=table.texts("equipment"),
        from_ms=from_ms or 0,
        to_ms=to_ms,
    )


def _acknowledgement(table: Table) -> Acknowledgement:
    return Acknowledgement(
        of=table.word("of", ACKNOWLEDGED),
        by=table.text("by"),
        at_ms=table.time_ms("at"),
        licence=table.digest_or("licence"),
        equipment=table.texts("equipment"),
        note=table.text_or("note"),
    )


def _parameters(table: Table) -> Parameters:
    values: list[Parameter] = []
    for item in table.tables("values", count_min=1):
        name = item.text("name")
        if name in (known.name for known in values):
            item.fail("name", f"{name!r} stands here twice; remove one")
        number = item.number_or("number", -AMOUNT_MAX, AMOUNT_MAX)
        words = item.text_or("text")
        if (number is None) == (not words):
            item.fail("name", "has `number` (with `unit`) or `text`, one of both; mend it")
        unit = item.text("unit", UNIT_CHARS_MAX) if number is not None else ""
        item.done()
        values.append(Parameter(name, words if number is None else number, unit))
    return Parameters(
        subject=table.name("subject"),
        element=table.word_or("element", ELEMENTS),
        purity_percent=table.number_or("purity_percent", 0, PERCENT_MAX),
        values=tuple(values),
    )


def _screening(table: Table) -> Screening:
    return Screening(
        list=table.text("list"),
        source=table.text_or("source"),
        at_ms=table.time_ms("at"),
        to_ms=table.time_ms_or("to", end=True),
        denied=table.texts("denied"),
        scrutinised=table.texts("scrutinised"),
        cleared=table.texts("cleared"),
    )


def _transfer(table: Table) -> Transfer:
    found = Transfer(
        to=table.name("to"),
        sender=table.name_or("sender"),
        at_ms=table.time_ms("at"),
        equipment=table.texts("equipment"),
        lots=table.names("lots"),
        goods=table.texts("goods"),
        purpose=table.text_or("purpose"),
    )
    if not (found.equipment or found.lots or found.goods):
        table.fail("equipment", "is missing, and so are lots and goods; add what was transferred")
    return found


def _visit(table: Table) -> Visit:
    return Visit(
        by=table.text("by"),
        at_ms=table.time_ms("at"),
        site=table.text_or("site"),
        equipment=table.texts("equipment"),
        result=table.text_or("result"),
    )


def _report(table: Table) -> Report:
    from_ms, to_ms = table.span_ms()
    return Report(
        licence=table.text("licence"),
        duty=table.text("duty"),
        to=table.text("to_whom"),
        filed_ms=table.time_ms("filed"),
        from_ms=from_ms,
        to_ms=to_ms,
        reference=table.text_or("reference"),
    )


def _amount(table: Table, name: str, unit: str, units: Mapping[str, int]) -> Amount:
    value = table.number(name, 0, AMOUNT_MAX)
    return Amount(value, table.word(unit, units))


READERS: dict[str, Callable[[Table], Members]] = {
    "end-user-certificate": _end_user_certificate,
    "party": _party,
    "lot": _lot,
    "assay": _assay,
    "work-order": _work_order,
    "reagent": _reagent,
    "approval": _approval,
    "acknowledgement": _acknowledgement,
    "parameters": _parameters,
    "screening": _screening,
    "transfer": _transfer,
    "visit": _visit,
    "report": _report,
}
