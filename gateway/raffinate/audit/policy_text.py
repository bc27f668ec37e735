"""The text of a policy made of an auditor's answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Answers:
    """Keys and digests as texts; `quorum` None: more than half of the witnesses."""

    origin: str
    log_keys: tuple[str, ...]
    authority: str
    licences: tuple[str, ...]
    issuers: tuple[str, ...]
    serials: tuple[str, ...]
    witnesses: tuple[str, ...]
    quorum: int | None
    certificates: tuple[str, ...]
    gap_s_max: int
    anchor_lag_s_max: int


def format_answers(answers: Answers, pin: tuple[int, str] | None = None) -> str:
    """A commented policy; `pin` is size and root (base64) of a checkpoint."""
    lines = [
        "# The auditor's policy for raffinate-verify. Keep it apart from the plant's data, and get",
        "# what stands here from the authority, the issuers and the witnesses, not from a bundle.",
        "v = 1",
        "",
        "[log]",
        "# Both keys sign every checkpoint.",
        f"origin = {_quoted(answers.origin)}",
        *_list("keys", answers.log_keys),
        "",
        "[authority]",
        "# Its first key; rotations follow from its statements.",
        f"key = {_quoted(answers.authority)}",
        "",
        "[licences]",
        "# SHA-256 of each licence, paper and regime that you vouch for, one a line.",
        *_list("sha256", answers.licences),
        "# Keys of issuers whose signed licences, papers and regimes count.",
        *_list("issuers", answers.issuers),
        "",
        "[equipment]",
        "# Serials of machines that must be covered by statements.",
        *_list("serials", answers.serials),
        "",
    ]
    if answers.witnesses:
        quorum = answers.quorum or len(answers.witnesses) // 2 + 1
        lines += [
            "[witnesses]",
            "# An outside time counts when so many of these gave it.",
            f"quorum = {quorum}",
            *_list("keys", answers.witnesses),
            "",
        ]
    if answers.certificates:
        lines += [
            "[timestamps]",
            "# Certificates of time-stamp servers, or of who issues theirs: DER in base64.",
            *_list("certificates", answers.certificates),
            "",
        ]
    lines += [
        "[limits]",
        "# Uncovered time of a node above this makes the bundle insufficient, seconds.",
        f"gap_s_max = {answers.gap_s_max}",
        "# How far the outside times around a statement may be apart, seconds.",
        f"anchor_lag_s_max = {answers.anchor_lag_s_max}",
    ]
    if pin is not None:
        lines += ["", "[pin]", "# A checkpoint you have seen: the bundle's log must continue it."]
        lines += [f"size = {pin[0]}", f"root = {_quoted(pin[1])}"]
    return "\n".join(lines) + "\n"


def _list(name: str, items: Iterable[str]) -> list[str]:
    return [f"{name} = [", *(f"  {_quoted(item)}," for item in items), "]"]


def _quoted(text: str) -> str:
    """A TOML basic string."""
    marks = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(marks.get(c, c if c >= " " else f"\\u{ord(c):04x}") for c in text) + '"'
