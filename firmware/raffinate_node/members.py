"""Reading one object of node.json member by member; every problem names the key and the remedy."""

from raffinate_wire import jsonc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = "node.json"
TEXT_CHARS_MAX = 256
_NO_DEFAULT: "Any" = object()


class ConfigError(Exception):
    """node.json cannot be used; the text names the key, the problem and the remedy."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        place = f"{FILE}: {key}" if key else FILE
        super().__init__(f"{place}: {problem}. {remedy}.")
        self.key = key


class Members:
    """An object's members; each is taken once, done() refuses what is left over."""

    def __init__(self, value: "Any", key: str) -> None:
        if not isinstance(value, dict):
            raise ConfigError(key, "an object is expected", "Write {...} with its members")
        self.key = key
        self._members = value
        self._taken: "list[str]" = []

    def error(self, name: str, problem: str, remedy: str) -> ConfigError:
        """The error about one member, to be raised."""
        return ConfigError(self._key(name), problem, remedy)

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self._members.get(name) is not None

    def integer(self, name: str, low: int, high: int, default: "Any" = _NO_DEFAULT) -> "Any":
        """Return an integer in low..high, or the default where the member is missing or null."""
        value = self._take(name, default)
        if value is default:
            return value
        if not isinstance(value, int) or value is True or value is False:
            raise self.error(name, "an integer is expected", f"Write one from {low} to {high}")
        if not low <= value <= high:
            raise self.error(name, f"{value} is too far out", f"Write one from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: "Any" = _NO_DEFAULT) -> "Any":
        """Return a float in low..high, or the default."""
        value = self._take(name, default)
        if value is default:
            return value
        return self._float(name, value, low, high)

    def text(
        self, name: str, default: "Any" = _NO_DEFAULT, chars_max: int = TEXT_CHARS_MAX
    ) -> "Any":
        """Return a text of 1 to chars_max characters, or the default."""
        value = self._take(name, default)
        if value is default:
            return value
        if not isinstance(value, str) or not 0 < len(value) <= chars_max:
            remedy = f"Write 1 to {chars_max} characters in quotes"
            raise self.error(name, "a text is expected", remedy)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self._take(name, default)
        if value is not True and value is not False:
            raise self.error(name, "true or false is expected", "Write it without quotes")
        return value

    def items(self, name: str, count_max: int, default: "Any" = _NO_DEFAULT) -> "list[Any]":
        """Return a list of at most count_max items."""
        value = self._take(name, default)
        if not isinstance(value, list):
            raise self.error(name, "a list is expected", "Write [...]")
        if len(value) > count_max:
            remedy = f"At most {count_max} fit"
            raise self.error(name, f"{len(value)} items are too many", remedy)
        return value

    def pair(self, name: str, low: float, high: float) -> "tuple[float, float] | None":
        """Return [a, b] with low <= a < b <= high as floats, or None."""
        value = self._take(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 2:
            raise self.error(name, "two numbers are expected", "Write [lowest, highest]")
        first, second = (self._float(name, item, low, high) for item in value)
        if not first < second:
            raise self.error(name, "the first is not below the second", "Swap them")
        return first, second

    def members(self, name: str) -> "Members":
        """Return the members of an object."""
        return Members(self._take(name, _NO_DEFAULT), self._key(name))

    def raw(self, name: str, default: "Any" = _NO_DEFAULT) -> "Any":
        """Return a member as it was parsed."""
        return self._take(name, default)

    def done(self) -> None:
        """Refuse members that nothing has asked for: they are misspelt or do nothing."""
        for name in sorted(self._members):
            if name not in self._taken:
                known = ", ".join(sorted(self._taken))
                raise self.error(name, "nothing here has this name", f"There are {known}")

    def _key(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def _take(self, name: str, default: "Any") -> "Any":
        self._taken.append(name)
        value = self._members.get(name)
        if value is None:
            if default is _NO_DEFAULT:
                raise self.error(name, "this member is missing", "Add it; see docs/node.md")
            return default
        return value

    def _float(self, name: str, value: "Any", low: float, high: float) -> float:
        if isinstance(value, jsonc.Num):
            found = value.mantissa / 10**value.decimals
        elif isinstance(value, int) and value is not True and value is not False:
            found = float(value)
        else:
            raise self.error(name, "a number is expected", f"Write one from {low} to {high}")
        if not low <= found <= high:
            raise self.error(name, f"{found} is too far out", f"Write one from {low} to {high}")
        return found
