"""Links the firmware's modules into few files that hold only what a board runs.

A board's heap pays for every module, class, function, global name and constant that is loaded, and
for sentences that only people read. Linking resolves imports, writes constants where they are used,
lets go of what nothing reaches and of WireError's sentences (its codes stay), makes functions of
classes without methods, and gives private attributes of unrelated classes the same short names.
What the code does stays the same: see docs/adr/0013-firmware-is-linked.md.
"""

from __future__ import annotations

import ast
import builtins
import copy
from dataclasses import dataclass, field

from raffinate_rig.link_names import (
    LinkError,
    Symbol,
    bound_by,
    folded,
    foreign_privates,
    record_maker,
    short_names,
)
from raffinate_rig.link_rewriter import Rewriter

FOR_PEOPLE = ("__repr__", "__hash__")
# What instances of classes without methods are instances of.
RECORD = "Record_"


@dataclass
class Module:
    """A source file: its symbols, and what its imports bind."""

    name: str
    symbols: dict[str, Symbol] = field(default_factory=dict)
    # alias -> ("module", name) | ("symbol", module, name) | ("outside", import statement)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


class Linker:
    """Reads sources by module name; see link().

    Modules of `alone` are loaded as they are, where and when the sources import them: those that
    are handed about as values, or that a board hardly ever needs.
    """

    def __init__(self, sources: dict[str, str], alone: set[str], callers: list[str]) -> None:
        self.sources = sources
        self._alone = alone
        self.modules: dict[str, Module] = {}
        self.order: list[str] = []
        self._flat = False
        self.used_attributes = {
            part.attr
            for text in callers
            for part in ast.walk(ast.parse(text))
            if isinstance(part, ast.Attribute)
        }

    def link(self, units: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
        """The text of each unit by its name; later units import from the first.

        `units` names each unit's roots as (module, symbol), which `exported` then finds in it.
        Raises LinkError.
        """
        roots = [root for of_unit in units.values() for root in of_unit]
        seen = self._reach(roots)
        self._name(seen, {self._root(*root) for root in roots})
        self._shorten(seen)
        self._flatten(seen, {self._root(*root) for root in roots})
        first = next(iter(units))
        texts: dict[str, str] = {}
        taken: set[tuple[str, str]] = set()
        for unit, of_unit in units.items():
            keys = self._closure(of_unit) - taken
            taken |= keys
            texts[unit] = self._text(first, unit, keys)
        return texts

    def exported(self, module: str, name: str) -> str:
        """What a root of link() is in its unit: a name, or the text of a constant."""
        symbol = self.symbol(self._root(module, name))
        return symbol.final if symbol.const is None else repr(symbol.const.value)

    def load(self, name: str) -> Module:
        """The parsed module, everything it imports before it in `order`."""
        if name in self.modules:
            return self.modules[name]
        module = self.modules[name] = Module(name)
        tree = ast.parse(self.sources[name])
        for statement in tree.body:
            self._bind(module, statement)
        self.order.append(name)
        return module

    def resolve(self, module: str, name: str) -> tuple[str, ...] | None:
        """What a global name of the module means: as Module.aliases, or None for a builtin."""
        known = self.load(module)
        if name in known.symbols:
            return ("symbol", module, name)
        found = known.aliases.get(name)
        if found is not None and found[0] == "symbol":
            return self.resolve(found[1], found[2])
        return found

    def symbol(self, key: tuple[str, str]) -> Symbol:
        """The symbol by (module, name)."""
        return self.modules[key[0]].symbols[key[1]]

    def constant(self, key: tuple[str, str]) -> ast.Constant | None:
        """The symbol's value where that is a number or a short text, to stand where it is used."""
        symbol = self.symbol(key)
        if symbol.const is None and isinstance(symbol.node, ast.Assign):
            symbol.const = folded(symbol.node.value, lambda node: self._known(key[0], node))
        return symbol.const

    def _known(self, module: str, node: ast.expr) -> ast.Constant | None:
        """The constant that a name or an attribute of a module means, if it is one."""
        found: tuple[str, ...] | None = None
        if isinstance(node, ast.Name):
            found = self.resolve(module, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = self.resolve(module, node.value.id)
            if base is not None and base[0] == "module":
                found = self.resolve(base[1], node.attr)
        if found is None or found[0] != "symbol":
            return None
        return self.constant((found[1], found[2]))

    # Reading a module

    def _bind(self, module: Module, statement: ast.stmt) -> None:
        match statement:
            case (
                ast.Expr(value=ast.Constant())
                | ast.If(test=ast.Name(id="TYPE_CHECKING"))
                | ast.Assign(targets=[ast.Name(id="TYPE_CHECKING")])
            ):
                return
            case ast.Import() | ast.ImportFrom():
                self.bind_import(module.aliases, statement)
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                self._add(module, name, statement)
            case ast.Assign(targets=[ast.Name(id=name)]):
                self._add(module, name, statement)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, value in zip(names, values, strict=True):
                    self._bind(module, ast.Assign(targets=[target], value=value, lineno=0))
            case ast.AnnAssign(target=ast.Name(id=name) as target, value=ast.expr() as value):
                self._add(module, name, ast.Assign(targets=[target], value=value, lineno=0))
            case _:
                raise LinkError(f"{module.name}, line {statement.lineno}: cannot be linked")

    def _add(self, module: Module, name: str, statement: ast.stmt) -> None:
        if name in module.symbols:
            raise LinkError(f"{module.name} binds {name} twice")
        module.symbols[name] = Symbol(module.name, name, statement)
        module.order.append(name)

    def bind_import(
        self, aliases: dict[str, tuple[str, ...]], statement: ast.Import | ast.ImportFrom
    ) -> None:
        """Enter what an import binds; load the firmware's modules that it names."""
        for alias in statement.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if isinstance(statement, ast.Import):
                if alias.name in self.sources:
                    raise LinkError(f"write `from ... import` for {alias.name}")
                text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                aliases[bound] = ("outside", text)
                continue
            source = f"{statement.module}.{alias.name}"
            if source in self.sources and source not in self._alone:
                self.load(source)
                aliases[bound] = ("module", source)
            elif statement.module in self.sources and source not in self.sources:
                self.load(str(statement.module))
                aliases[bound] = ("symbol", str(statement.module), alias.name)
            else:
                renamed = f" as {alias.asname}" if alias.asname else ""
                text = f"from {statement.module} import {alias.name}{renamed}"
                aliases[bound] = ("outside", text)

    # What is reached

    def _reach(self, roots: list[tuple[str, str]]) -> set[tuple[str, str]]:
        seen: set[tuple[str, str]] = set()
        waiting = [self._root(*root) for root in roots]
        while waiting:
            while waiting:
                key = waiting.pop()
                if key not in seen:
                    seen.add(key)
                    self._link_symbol(self.symbol(key))
                    waiting.extend(sorted(self.symbol(key).refs))
            for key in sorted(seen):
                if self._wake_methods(self.symbol(key)):
                    waiting.extend(sorted(self.symbol(key).refs - seen) or [key])
        return seen

    def _closure(self, roots: list[tuple[str, str]]) -> set[tuple[str, str]]:
        seen: set[tuple[str, str]] = set()
        waiting = [self._root(*root) for root in roots]
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                waiting.extend(self.symbol(key).refs)
        return seen

    def _root(self, module: str, name: str) -> tuple[str, str]:
        self.load(module)
        found = self.resolve(module, name)
        if found is None or found[0] != "symbol":
            raise LinkError(f"{module} has no {name}")
        return found[1], found[2]

    def _link_symbol(self, symbol: Symbol) -> None:
        node = symbol.node
        if isinstance(node, ast.ClassDef):
            kept = []
            for part in node.body:
                if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    symbol.idle.append(part)
                else:
                    kept.append(part)
            head = ast.ClassDef(node.name, node.bases, node.keywords, kept, node.decorator_list)
            symbol.linked = self._rewrite(symbol, head)
            self._wake_methods(symbol)
        else:
            symbol.linked = self._rewrite(symbol, node)

    def _wake_methods(self, symbol: Symbol) -> bool:
        """Take in the methods that something calls by now; whether there were any."""
        woken = [
            method
            for method in symbol.idle
            if method.name in self.used_attributes
            or (method.name.startswith("__") and method.name not in FOR_PEOPLE)
        ]
        for method in woken:
            symbol.idle.remove(method)
            assert isinstance(symbol.linked, ast.ClassDef)  # noqa: S101 - only they have methods
            body = [part for part in symbol.linked.body if not isinstance(part, ast.Pass)]
            symbol.linked.body = [*body, self._rewrite(symbol, method)]
        return bool(woken)

    def _rewrite(self, symbol: Symbol, node: ast.stmt) -> ast.stmt:
        rewriter = Rewriter(self, symbol)
        # the source's own tree stays, for others to look constants up in
        result = rewriter.visit(copy.deepcopy(node))
        if not isinstance(result, ast.stmt):
            raise LinkError(f"{symbol.module}.{symbol.name} vanishes")
        return result

    # Names

    def _name(self, seen: set[tuple[str, str]], exports: set[tuple[str, str]]) -> None:
        reserved = set(dir(builtins))
        for key in seen:
            reserved |= {bound_by(text) for text in self.symbol(key).outside}
        given: set[str] = set()
        for key in sorted(seen, key=lambda key: (key not in exports, key)):
            symbol = self.symbol(key)
            tail = symbol.module.rpartition(".")[2]
            name, count = symbol.name, 0
            while name in given or name in reserved or name in symbol.taken:
                count += 1
                name = f"{symbol.name}_{tail}" + (str(count) if count > 1 else "")
            given.add(name)
            symbol.final = name

    def _shorten(self, seen: set[tuple[str, str]]) -> None:
        """Give private attributes short names, the same ones in each family of classes."""
        families: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for key in sorted(seen):
            node = self.symbol(key).linked
            if isinstance(node, ast.ClassDef):
                family = families.setdefault(key, {key})
                for link, base in self.symbol(key).links:
                    if any(link is one for one in node.bases):
                        family |= families.setdefault(base, {base})
                for member in family:
                    families[member] = family
        shortened: set[str] = set()
        for key in sorted(families):
            if key == min(families[key]):
                classes = [self.symbol(member).linked for member in sorted(families[key])]
                shortened |= short_names([node for node in classes if node is not None])
        for key in sorted(seen):
            node = self.symbol(key).linked
            for name in foreign_privates(node) & shortened if node is not None else ():
                raise LinkError(f"{key[0]}.{key[1]} uses the private {name} of another class")

    def _flatten(self, seen: set[tuple[str, str]], roots: set[tuple[str, str]]) -> None:
        """Make functions of classes that only hold members and are only called."""
        values = roots | {
            key
            for one in seen
            for name, key in self.symbol(one).links
            if not any(name is called for called in self.symbol(one).called)
        }
        for key in seen - values:
            symbol = self.symbol(key)
            if isinstance(symbol.linked, ast.ClassDef):
                maker = record_maker(symbol.linked, RECORD)
                self._flat |= maker is not None
                symbol.linked = maker or symbol.linked

    # Writing

    def _text(self, first: str, unit: str, keys: set[tuple[str, str]]) -> str:
        outside: set[str] = set()
        shared: set[str] = set()
        lines: list[str] = []
        for module in self.order:
            for name in self.modules[module].order:
                if (module, name) not in keys:
                    continue
                symbol = self.symbol((module, name))
                if symbol.const is not None:
                    continue
                outside |= symbol.outside
                others = [self.symbol(ref) for ref in symbol.refs - keys]
                shared |= {other.final for other in others if other.const is None}
                lines += ["", f"# {module}.{name}", self._unparsed(symbol)]
        head = sorted(outside)
        if self._flat and unit == first:
            lines = [f"class {RECORD}:", "    pass", *lines]
        elif self._flat:
            shared.add(RECORD)
        if unit != first and shared:
            head.append(f"from {first} import {', '.join(sorted(shared))}")
        return "\n".join([*head, *lines]) + "\n"

    def _unparsed(self, symbol: Symbol) -> str:
        node = symbol.linked
        assert node is not None  # noqa: S101 - every symbol that is reached was linked
        for link, key in symbol.links:
            link.id = self.symbol(key).final
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.name = symbol.final
        return ast.unparse(ast.fix_missing_locations(node))
