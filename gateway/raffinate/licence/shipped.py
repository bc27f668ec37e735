"""The regime files that come with the program, read from its package."""

from __future__ import annotations

from importlib.resources import files

from raffinate.licence.regime import Regime, parse_regime


def shipped_files() -> dict[str, bytes]:
    """The exact bytes of each, by the regime's id, sorted; the template is among them."""
    folder = files("raffinate") / "regimes"
    return {
        item.name.removesuffix(".toml"): item.read_bytes()
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if item.name.endswith(".toml")
    }


def shipped_regimes() -> tuple[Regime, ...]:
    """All of them but the template, which states no rule of anyone."""
    parsed = (parse_regime(f"{name}.toml", data) for name, data in shipped_files().items())
    return tuple(regime for regime in parsed if not regime.template)
