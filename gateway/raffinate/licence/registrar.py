"""What a file is, and whether the registry may take or delete it. Pure.

The gateway and the command that hands a file in ask the same code.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from raffinate.errors import ConfigError
from raffinate.evidence.documents import Listed
from raffinate.licence.document import Licence, parse_licence
from raffinate.licence.papers import KINDS, Paper, parse_paper
from raffinate.licence.regime import Regime, parse_regime
from raffinate.licence.retention import events_of, retained_until
from raffinate.licence.table import open_table

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_BYTES_MAX = 262_144
AHEAD_MS_MAX = 24 * 3600 * 1000
"""A date is refused that is further ahead: somewhere it is tomorrow already."""
_HAPPENED = ("signed_ms", "at_ms", "filed_ms", "sampled_ms", "produced_ms")
_REMEDY = (
    f"a paper has `kind` ({', '.join(KINDS)}), a licence has `number`, a regime has [[instruments]]"
)


class Registrar:
    """Implements `evidence.documents.Registrar`; `shipped` are the regimes of the program."""

    def __init__(self, shipped: Iterable[Regime]) -> None:
        self._shipped = tuple(shipped)

    def read(self, file: str, data: bytes, now_ms: int) -> Listed:
        """What a licence, paper or regime calls itself. Raises ConfigError."""
        return listed(check_dates(parse_any(file, data), now_ms))

    def kept_until(
        self, data: bytes, added_ms: int, licences: Iterable[bytes], regimes: Iterable[bytes]
    ) -> tuple[int | None, str]:
        """See `evidence.documents.Registrar`. What is no paper counts as one without dates."""
        try:
            paper = parse_paper("document", data)
        except ConfigError:
            paper = None
        try:
            known = [parse_licence("a kept licence", content) for content in licences]
            imported = [parse_regime("a kept regime", content) for content in regimes]
        except ConfigError as error:
            return None, f"nobody knows until when, for it cannot be read: {error}"
        return retained_until(events_of(paper, added_ms, known), [*self._shipped, *imported])


def parse_any(file: str, data: bytes) -> Licence | Paper | Regime:
    """The document of a file's bytes. Raises ConfigError that names file, line, key, remedy."""
    table = open_table(file, data, FILE_BYTES_MAX)
    if "number" in table or "stages" in table:
        return parse_licence(file, data)
    if "instruments" in table:
        return _no_template(parse_regime(file, data))
    if "kind" in table:
        return parse_paper(file, data)
    raise ConfigError(f"{file}: this is no licence, paper or regime; {_REMEDY}")


def listed(document: Licence | Paper | Regime) -> Listed:
    """What it calls itself; a regime's versions are counted by the gateway."""
    if isinstance(document, Licence):
        return Listed("licence", document.number, document.version, document.replaces)
    if isinstance(document, Regime):
        return Listed("regime", document.id, 1, None)
    return Listed(document.kind, document.id, document.version, document.replaces)


def check_dates(document: Licence | Paper | Regime, now_ms: int) -> Licence | Paper | Regime:
    """Refuse what says that it was signed, issued or seen in the future. Raises ConfigError.

    With `now_ms` 0 nothing is refused: then the document was taken before.
    """
    if isinstance(document, Regime) or not now_ms:
        return document
    dates = {"issued": document.issued_ms}
    if isinstance(document, Paper):
        for name in _HAPPENED:
            dates[name.removesuffix("_ms")] = getattr(document.members, name, None)
    for name, at_ms in dates.items():
        if at_ms is not None and at_ms > now_ms + AHEAD_MS_MAX:
            day, today = _day(at_ms), _day(now_ms)
            raise ConfigError(
                f"{document.file}: {name} is {day}, in the future (today is {today}); mend the "
                "date, or import it when it is true"
            )
    return document


def _no_template(regime: Regime) -> Regime:
    if regime.template:
        raise ConfigError(
            f"{regime.file}: template is true, so that it states no rule of anyone; remove that "
            "line once its rules are yours"
        )
    return regime


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
