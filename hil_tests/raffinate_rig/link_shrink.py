"""Makes linked units smaller in a board's heap, without changing what they do.

Every name that a port does not have in ROM costs it heap, and so does every text of more than
TEXT_INTERNED_CHARS_MAX characters. So arguments, globals and attributes of the firmware's own
take names that ports have (port_names.py), and texts are cut from one long one when they are
needed. What is called by keyword, asked for by getattr, named in a file that is not linked, or may
belong to an object from outside keeps its name.
"""

from __future__ import annotations

import array
import ast
import asyncio
import collections
import hashlib
import io
import socket
import struct
from typing import TYPE_CHECKING, Any

from raffinate_rig.link_names import bound_names
from raffinate_rig.port_names import PORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT_INTERNED_CHARS_MAX = 10
TEXTS = "TEXTS"
# In the texts that every frame is made of: these are not made anew for each value.
EVERY_SCAN = '"n":"'
OUTSIDE_TYPES = (
    *(str, bytes, bytearray, memoryview, int, float, list, tuple, dict, set, frozenset),
    *(array.array, collections.deque, struct.Struct, hashlib.sha256().__class__, socket.socket),
    *(BaseException, OSError, StopIteration, io.BytesIO, io.StringIO, io.FileIO),
    *(asyncio.StreamReader, asyncio.StreamWriter, asyncio.Task, asyncio.Event, asyncio.Lock),
)
# What MicroPython's objects have and CPython's have not.
OUTSIDE_NAMES = ("aclose", "awrite", "readinto", "readfrom_into", "irq", "set", "is_set", "state")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
SCOPES = (*FUNCTIONS, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ASKED_BY_NAME = ("getattr", "setattr", "hasattr", "delattr")


def shrink(units: Mapping[str, str], fixed: list[str], hal_names: set[str]) -> dict[str, str]:
    """The units' texts with cheaper names. `fixed` are the texts of what is loaded beside them.

    `hal_names` are attributes of a port's own objects.
    """
    trees = {unit: ast.parse(text) for unit, text in units.items()}
    others = [ast.parse(text) for text in fixed]
    kept = kept_names(units, fixed)
    attributes = _attribute_names(trees, others, kept | hal_names)
    globals_ = _global_names(trees, kept)
    keywords = {
        part.arg
        for tree in [*trees.values(), *others]
        for part in ast.walk(tree)
        if isinstance(part, ast.keyword)
    }
    result = {}
    for unit, tree in trees.items():
        renamer = _Renamer(attributes, globals_, {name for name in keywords if name}, set(units))
        renamer.module(tree)
        _pool_texts(tree)
        result[unit] = _written(tree, globals_) + _legend(attributes)
    return result


def _written(tree: ast.Module, globals_: dict[str, str]) -> str:
    """The unit's text, each definition under the name that the sources give it."""
    meant = {short: name for name, short in globals_.items()}
    lines = []
    for statement in ast.fix_missing_locations(tree).body:
        names = _top_names(ast.Module([statement], []))
        lines += [f"# {meant[name]}" for name in names if name in meant]
        lines.append(ast.unparse(statement))
    return "\n".join(lines) + "\n"


def _legend(attributes: dict[str, str]) -> str:
    """What a reader of a traceback looks names up in; the compiler drops it."""
    pairs = sorted((short, name) for name, short in attributes.items())
    return "".join(f"# .{short} is .{name}\n" for short, name in pairs)


def outside_names() -> set[str]:
    """Attributes of objects that the firmware gets from outside, on any port."""
    return set(OUTSIDE_NAMES) | {name for kind in OUTSIDE_TYPES for name in dir(kind)}


def foreign_attributes(text: str) -> set[str]:
    """Attributes that a hal's source uses of anything but itself: those of a port's objects."""
    return {
        part.attr
        for part in ast.walk(ast.parse(text))
        if isinstance(part, ast.Attribute)
        and not (isinstance(part.value, ast.Name) and part.value.id == "self")
    }


def kept_names(units: Mapping[str, str], fixed: list[str]) -> set[str]:
    """Names that something outside the units, or getattr, may ask for."""
    kept: set[str] = set()
    for text in fixed:
        for part in ast.walk(ast.parse(text)):
            match part:
                case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                    kept.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    kept.add(name)
                case ast.Constant(value=str(name)):
                    kept.add(name)
    for text in units.values():
        for part in ast.walk(ast.parse(text)):
            if isinstance(part, ast.Call) and ast.unparse(part.func) in ASKED_BY_NAME:
                kept |= {str(one.value) for one in part.args if isinstance(one, ast.Constant)}
    return kept


def _attribute_names(
    trees: Mapping[str, ast.Module], others: list[ast.Module], kept: set[str]
) -> dict[str, str]:
    own: set[str] = set()
    used: set[str] = set()
    outside = kept | outside_names()
    for tree in [*trees.values(), *others]:
        imported = _imported(tree)
        for part in ast.walk(tree):
            if isinstance(part, ast.Attribute):
                used.add(part.attr)
                if isinstance(part.ctx, ast.Store):
                    own.add(part.attr)
                if isinstance(part.value, ast.Name) and part.value.id in imported:
                    outside.add(part.attr)
            elif isinstance(part, ast.ClassDef):
                own |= bound_names(part)
    wanted = [name for name in own - outside if _costs(name)]
    free = [name for name in PORT_NAMES if name not in used | own | kept]
    return dict(zip(sorted(wanted), free, strict=False))


def _global_names(trees: Mapping[str, ast.Module], kept: set[str]) -> dict[str, str]:
    own: set[str] = set()
    taken = set(kept)
    for tree in trees.values():
        own |= set(_top_names(tree))
        taken |= _imported(tree)
        taken |= {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)}
        taken |= {part.arg for part in ast.walk(tree) if isinstance(part, ast.arg)}
    # an error's name is what a person reads
    wanted = [name for name in own - kept if _costs(name) and not name.endswith("Error")]
    free = [name for name in PORT_NAMES if name not in taken | own]
    return dict(zip(sorted(wanted), free, strict=False))


def _costs(name: str) -> bool:
    return name not in PORT_NAMES and not (name.startswith("__") and name.endswith("__"))


def _top_names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Assign(targets=[ast.Name(id=name)])
            ):
                yield name


def _imported(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name.partition(".")[0]
        for part in ast.walk(tree)
        if isinstance(part, (ast.Import, ast.ImportFrom))
        for alias in part.names
    }


class _Renamer:
    """Renames in one unit. `keywords` are arguments that some call names."""

    def __init__(
        self,
        attributes: dict[str, str],
        globals_: dict[str, str],
        keywords: set[str],
        units: set[str],
    ) -> None:
        self._attributes = attributes
        self._globals = globals_
        self._keywords = keywords
        self._units = units

    def module(self, tree: ast.Module) -> None:
        """Rename in the whole unit, in place."""
        for statement in tree.body:
            self._visit(statement, {}, in_class=False, depth=0)

    def _visit(
        self, node: ast.AST, names: dict[str, str | None], *, in_class: bool, depth: int
    ) -> None:
        """`names`: what locals are called instead; None for one that keeps its name."""
        match node:
            case ast.ImportFrom(module=module) if module in self._units:
                for alias in node.names:
                    alias.name = self._globals.get(alias.name, alias.name)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, names, in_class=in_class, depth=depth)
                return
            case ast.ClassDef():
                self._class(node, names, depth)
                return
            case ast.Name():
                node.id = self._name(node.id, names)
                return
            case ast.Attribute():
                node.attr = self._attributes.get(node.attr, node.attr)
        if isinstance(node, COMPREHENSIONS):
            names = {**names, **dict.fromkeys(_targets(node))}
        for child in ast.iter_child_nodes(node):
            self._visit(child, names, in_class=in_class, depth=depth)

    def _class(self, node: ast.ClassDef, names: dict[str, str | None], depth: int) -> None:
        own = {name: self._attributes.get(name, name) for name in bound_names(node)}
        node.name = self._globals.get(node.name, node.name)
        for base in node.bases:
            self._visit(base, names, in_class=False, depth=depth)
        for part in node.body:
            self._visit(part, {**names, **own}, in_class=True, depth=depth)

    def _name(self, name: str, names: dict[str, str | None]) -> str:
        if name in names:
            return names[name] or name
        return self._globals.get(name, name)

    def _function(
        self,
        node: Function,
        names: dict[str, str | None],
        *,
        in_class: bool,
        depth: int,
    ) -> None:
        outer: list[Any] = [*node.args.defaults, *node.args.kw_defaults]
        if not isinstance(node, ast.Lambda):
            outer += node.decorator_list
            known = self._attributes if in_class else self._globals
            if in_class or not names:
                node.name = known.get(node.name, node.name)
        for part in outer:
            if part is not None:
                self._visit(part, names, in_class=in_class, depth=depth)
        # what a method sees of its class's names are its module's
        inside: dict[str, str | None] = {} if in_class else dict(names)
        inside |= dict.fromkeys(_bound(node))
        for one in ast.walk(node.args):
            if isinstance(one, ast.arg) and one.arg not in self._keywords and _costs(one.arg):
                inside[one.arg] = _short(depth)
                one.arg = _short(depth)
                depth += 1
        body: list[Any] = [node.body] if isinstance(node, ast.Lambda) else node.body
        for part in body:
            self._visit(part, inside, in_class=False, depth=depth)


def _bound(node: Function) -> set[str]:
    if isinstance(node, ast.Lambda):
        return {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
    return bound_names(node)


def _targets(node: ast.AST) -> set[str]:
    return {
        part.id
        for generator in node.generators  # type: ignore[attr-defined]
        for part in ast.walk(generator.target)
        if isinstance(part, ast.Name)
    }


def _short(at: int) -> str:
    """Names that short_names gives to private attributes, which are there anyway."""
    return "_" + chr(ord("a") + at)


def _pool_texts(tree: ast.Module) -> None:
    """Put sentences that functions use into one text at the unit's top."""
    pool = _Texts()
    for statement in tree.body:
        for part in ast.walk(statement):
            if isinstance(part, FUNCTIONS):
                part.body = [pool.visit(one) for one in part.body]
    if pool.text:
        at = next(
            at
            for at, part in enumerate(tree.body)
            if not isinstance(part, (ast.Import, ast.ImportFrom))
        )
        tree.body.insert(
            at, ast.Assign([ast.Name(TEXTS, ast.Store())], ast.Constant(pool.text), lineno=0)
        )


class _Texts(ast.NodeTransformer):
    def __init__(self) -> None:
        self.text = ""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if not isinstance(value, str) or len(value) <= TEXT_INTERNED_CHARS_MAX:
            return node
        if not value.isascii() or EVERY_SCAN in value:
            return node
        if value not in self.text:
            self.text += value
        start = self.text.index(value)
        bounds = ast.Slice(ast.Constant(start), ast.Constant(start + len(value)))
        return ast.Subscript(ast.Name(TEXTS, ast.Load()), bounds, ast.Load())
