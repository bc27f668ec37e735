"""Reads the parts of a licence from its tables; the words that they may use stand in `parts`. Pure.

Every reader gives a whole part or raises ConfigError with file, line, key and remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.elements import ELEMENTS
from raffinate.licence.papers import KINDS
from raffinate.licence.parts import (
    ACTIVITIES,
    ANY_USE,
    BASE_UNITS,
    CODES,
    EVERY_MONTHS,
    NO_PARTIES,
    NO_TERMS,
    PERIODS,
    SECTIONS,
    DischargeLimit,
    Duty,
    Item,
    Parties,
    Product,
    Quota,
    Requirement,
    Terms,
    Use,
    Waiver,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import TypeVar

    from raffinate.licence.table import Table

    Coded = TypeVar("Coded", Product, Quota, Requirement, DischargeLimit, Duty)

AMOUNT_MAX = 10**12
WITHIN_DAYS = 30
WITHIN_DAYS_MAX = 366
REAGENT = "reagent-kg"
POINT_UNITS = {"ph": "pH", "cond": "S/m", "flow": "l/s", "temp": "Cel", "rad": "1/s"}
"""Wire units of the points that every plant has; a limit in another unit is refused."""


def parties(root: Table) -> Parties:
    """`[parties]`."""
    table = root.table("parties")
    if table is None:
        return NO_PARTIES
    found = Parties(
        table.text_or("exporter"),
        table.text_or("consignee"),
        table.text_or("end_user"),
        table.texts("intermediaries"),
    )
    table.done()
    return found


def items(root: Table, serials: Collection[str]) -> tuple[Item, ...]:
    """`[[items]]`; a serial in them is one of the licence's machines."""
    return tuple(_item(table, serials) for table in root.tables("items"))


def use(root: Table) -> Use:
    """`[use]`; debugging is another word for commissioning."""
    table = root.table("use")
    if table is None:
        return ANY_USE
    activities = table.words("activities", (*ACTIVITIES, "debugging"))
    found = Use(
        table.name_or("site"),
        table.words("sections", SECTIONS),
        tuple(dict.fromkeys("commissioning" if a == "debugging" else a for a in activities)),
        table.words("elements", ELEMENTS),
        table.text_or("end_use"),
    )
    table.done()
    return found


def products(root: Table) -> tuple[Product, ...]:
    """`[[products]]`, one an element."""
    return _coded(root, "products", "element", _product)


def quotas(root: Table) -> tuple[Quota, ...]:
    """`[[quotas]]`, one a quantity, reagent and period."""
    return _coded(root, "quotas", "quantity", _quota)


def requires(root: Table, unobservable: int) -> tuple[Requirement, ...]:
    """`[[requires]]`; `unobservable` is how many unobservable conditions the licence has."""
    return _coded(root, "requires", "document", lambda table: _requirement(table, unobservable))


def discharge(root: Table) -> tuple[DischargeLimit, ...]:
    """`[[discharge]]`, one an outfall and point."""
    return _coded(root, "discharge", "outfall", _discharge)


def duties(root: Table) -> tuple[Duty, ...]:
    """`[[duties]]`, one a report."""
    return _coded(root, "duties", "what", _duty)


def terms(root: Table) -> Terms:
    """`[conditions]`."""
    table = root.table("conditions")
    if table is None:
        return NO_TERMS
    found = Terms(
        table.flag("no_retransfer"),
        table.flag("no_military_use"),
        table.flag("no_unlisted_parties"),
        table.flag("sealed"),
        table.flag("acknowledge"),
        table.texts("unobservable"),
    )
    table.done()
    return found


def waivers(root: Table, codes: Sequence[str]) -> tuple[Waiver, ...]:
    """`[[waivers]]` of conditions of this licence, `codes` being those of its parts."""
    found: list[Waiver] = []
    for table in root.tables("waivers"):
        item = Waiver(
            table.word("condition", (*CODES, *codes)),
            table.time_ms("until", end=True),
            table.text("why"),
        )
        table.done()
        if item.condition in [known.condition for known in found]:
            table.fail("condition", f"waives {item.condition} twice; remove one of the waivers")
        found.append(item)
    return tuple(found)


def _item(table: Table, serials: Collection[str]) -> Item:
    serial = table.text_or("serial")
    if serial and serial not in serials:
        table.fail("serial", f"is {serial!r}, which is not under equipment; add it there")
    values = table.table("parameters")
    names = [] if values is None else values.keys()
    parameters = tuple((name, values.scalar(name)) for name in names if values is not None)
    found = Item(
        table.text_or("control_code"),
        table.text_or("maker"),
        table.text_or("model"),
        serial,
        table.integer_or("quantity", 1, AMOUNT_MAX, 1),
        table.text_or("value"),
        parameters,
    )
    table.done()
    return found


def _product(table: Table) -> Product:
    element = table.word("element", ELEMENTS)
    most = table.number("purity_max_percent", 0, 100)
    margin = table.number_or("margin_percent", 0, 100)
    if margin is not None and margin > most:
        table.fail("margin_percent", "is more than purity_max_percent; mend one of the two")
    return Product(element, most, margin or most - most)


def _quota(table: Table) -> Quota:
    quantity = table.word("quantity", BASE_UNITS)
    limit = table.number("limit", 0, AMOUNT_MAX)
    period = table.word("period", PERIODS)
    reagent = table.name("reagent") if quantity == REAGENT else ""
    return Quota(quantity, limit, period, reagent)


def _requirement(table: Table, unobservable: int) -> Requirement:
    document = table.word("document", KINDS)
    shows = table.integer("shows", 1, unobservable) if "shows" in table else None
    return Requirement(document, table.text_or("name"), table.flag("before_start"), shows)


def _discharge(table: Table) -> DischargeLimit:
    outfall, point = table.name("outfall"), table.name("point")
    unit = table.text_or("unit")
    expected = POINT_UNITS.get(point, unit)
    if unit and unit != expected:
        table.fail("unit", f"is {unit!r}; limits of {point} are in its wire unit {expected}")
    low = table.number_or("low", -AMOUNT_MAX, AMOUNT_MAX)
    high = table.number_or("high", -AMOUNT_MAX, AMOUNT_MAX)
    if low is None and high is None:
        table.fail("high", "is missing, and so is low; add one of them or both")
    if low is not None and high is not None and high < low:
        table.fail("high", "is below low; mend one of the two")
    return DischargeLimit(outfall, point, low, high)


def _duty(table: Table) -> Duty:
    what, to = table.text("what"), table.text("to")
    every = table.word_or("every", EVERY_MONTHS)
    due_ms = table.time_ms_or("due", end=True)
    if bool(every) == (due_ms is not None):
        table.fail("every", "or due must be there, one of both: how often, or by which day")
    within = WITHIN_DAYS
    if every:
        within = table.integer_or("within_days", 1, WITHIN_DAYS_MAX, WITHIN_DAYS)
    return Duty(what, to, every, due_ms, within)


def _coded(root: Table, name: str, key: str, read: Callable[[Table], Coded]) -> tuple[Coded, ...]:
    """The parts under [[name]], no code twice."""
    found: list[Coded] = []
    for table in root.tables(name):
        item = read(table)
        table.done()
        if item.code in [known.code for known in found]:
            table.fail(key, f"makes a second {item.code}; keep one of the two")
        found.append(item)
    return tuple(found)
