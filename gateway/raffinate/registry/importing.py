"""Sets of documents on their way to the gateway: held against the registry, then handed in."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError, RejectedError, printable
from raffinate.evidence.documents import check_versions
from raffinate.evidence.register import LICENCE
from raffinate.licence import document as licences_
from raffinate.licence import papers as papers_
from raffinate.licence.document import Licence
from raffinate.licence.papers import Lot, Paper, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from raffinate.registry.holdings import Holding
    from raffinate.registry.sources import Source


def check_alone(sources: Sequence[Source]) -> None:
    """Refuse documents that cannot stand together, whatever a registry has. ConfigError."""
    found = [source.document for source in sources]
    licences_.check_set(item for item in found if isinstance(item, Licence))
    papers_.check_set(item for item in found if isinstance(item, Paper))


def check(sources: Sequence[Source], holdings: Iterable[Holding]) -> None:
    """Refuse what does not fit the registry, as the gateway will. Raises ConfigError."""
    holdings = list(holdings)
    kept = [item.document for item in holdings if isinstance(item.document, Licence)]
    new = [item.document for item in sources if isinstance(item.document, Licence)]
    licences_.check_set([*kept, *new])
    known = {
        (item.row.kind, item.row.name, item.version): item.row.sha256
        for item in holdings
        if item.row.kind != LICENCE
    }
    papers = [item for item in sources if isinstance(item.document, Paper)]
    try:
        check_versions(known, [(item.listed, item.sha256) for item in papers])
    except RejectedError as error:
        raise ConfigError(f"{error}; nothing is taken") from None


def request_of(sources: Sequence[Source]) -> tuple[dict[str, Any], list[bytes]]:
    """Body and documents of the request that adds all of them."""
    items: list[dict[str, Any]] = []
    documents = []
    for source in sources:
        items.append(
            {"as": "document", "sha256": source.sha256, "file": printable(source.path.name)}
        )
        documents.append(source.data)
    for source in sources:
        if source.signature is not None:
            digest = sha256(source.signature).hexdigest()
            name = f"the signature of {printable(source.path.name)}"
            items.append({"as": "signature", "sha256": digest, "of": source.sha256, "file": name})
            documents.append(source.signature)
    return {"action": "add", "items": items}, documents


def dangling(sources: Sequence[Source], holdings: Iterable[Holding]) -> list[str]:
    """Parties and lots that papers name and nobody has; a note, for they may come later."""
    known = {(item.row.kind, item.row.name) for item in holdings}
    known |= {source.listed[:2] for source in sources}
    return [
        f"{source.file}: {kind} {name} is not in the registry"
        for source in sources
        if isinstance(source.document, Paper)
        for kind, name in _references(source.document)
        if (kind, name) not in known
    ]


def _references(paper: Paper) -> list[tuple[str, str]]:
    members = paper.members
    found = [
        ("party", name) for key in ("end_user", "consignee") if (name := getattr(members, key, ""))
    ]
    if isinstance(members, Transfer):
        found += [("party", members.to), *(("lot", lot) for lot in members.lots)]
        if members.sender:
            found.append(("party", members.sender))
    found += [("party", name) for name in getattr(members, "owners", ())]
    if not isinstance(members, Lot) and getattr(members, "of", "") == "lot":
        found.append(("lot", getattr(members, "subject", "")))
    return list(dict.fromkeys(found))
