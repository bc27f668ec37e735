"""What the linker needs to know of Python: scopes, constants, formatted texts, private names."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_BYTES_MAX = 64
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class LinkError(RuntimeError):
    """A construct of the firmware that the linker does not know; names file and line."""


OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.LShift: lambda a, b: a << b,
    ast.Pow: lambda a, b: a**b,
    ast.BitOr: lambda a, b: a | b,
}


@dataclass
class Symbol:
    """A name that a module binds once at its top level, and the statement that binds it."""

    module: str
    name: str
    node: ast.stmt
    linked: ast.stmt | None = None
    const: ast.Constant | None = None
    # the names in `linked` that mean other symbols, whose final names are known at the end
    links: list[tuple[ast.Name, tuple[str, str]]] = field(default_factory=list)
    # what it calls, by name or otherwise
    called: list[ast.expr] = field(default_factory=list)
    refs: set[tuple[str, str]] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    # names of locals where the symbol is used, which it must not take
    taken: set[str] = field(default_factory=set)
    # methods that nothing has called so far
    idle: list[ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=list)
    final: str = ""


@dataclass
class Scope:
    """Names that a function, class or comprehension binds, and its imports of linked modules."""

    names: set[str]
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)


def bound_by(statement: str) -> str:
    """The name that an import statement's text binds."""
    return statement.rsplit(maxsplit=1)[-1].partition(".")[0]


def bound_names(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> set[str]:
    """Every name that the scope itself binds, those of functions inside it left out."""
    names: set[str] = set()
    if not isinstance(scope, ast.ClassDef):
        names = {part.arg for part in ast.walk(scope.args) if isinstance(part, ast.arg)}
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
                continue
            case ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                # its targets are its own
                names |= {
                    part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr)
                }
                continue
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.alias():
                names.add(node.asname or node.name.partition(".")[0])
        waiting.extend(ast.iter_child_nodes(node))
    return names


def folded(node: ast.expr, known: Callable[[ast.expr], ast.Constant | None]) -> ast.Constant | None:
    """The number or short text that an expression of constants gives, else None."""
    result: ast.Constant | None = None
    match node:
        case ast.Constant(value=str() | bytes() as text):
            result = ast.Constant(text) if len(text) <= TEXT_BYTES_MAX else None
        case ast.Constant(value=bool() | int() | float() as number):
            result = ast.Constant(number)
        case ast.Name() | ast.Attribute():
            result = known(node)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = _computed(lambda value: -value, folded(operand, known))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            result = _computed(OPERATIONS[type(op)], folded(left, known), folded(right, known))
    return result


def format_call(node: ast.JoinedStr) -> ast.expr:
    """A formatted text as a call of str.format, which MicroPython makes of it anyway."""
    template, arguments = "", []
    for part in node.values:
        if isinstance(part, ast.Constant):
            template += str(part.value).replace("{", "{{").replace("}", "}}")
            continue
        assert isinstance(part, ast.FormattedValue)  # noqa: S101 - there is nothing else in one
        arguments.append(part.value)
        conversion = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
        spec = ""
        if isinstance(part.format_spec, ast.JoinedStr):
            spec = ":" + "".join([ast.literal_eval(piece) for piece in part.format_spec.values])
        template += "{" + conversion + spec + "}"
    if not arguments:
        return ast.Constant(template.replace("{{", "{").replace("}}", "}"))
    return ast.Call(ast.Attribute(ast.Constant(template), "format", ast.Load()), arguments, [])


def short_names(classes: list[ast.stmt]) -> set[str]:
    """Rename the private attributes of these classes, one inheriting the other; the old names."""
    own = [part for node in classes for part in ast.walk(node) if _is_own_private(part)]
    own += [
        part
        for node in classes
        for part in getattr(node, "body", [])
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_private(part.name)
    ]
    names = sorted({getattr(part, "attr", None) or part.name for part in own})  # type: ignore[attr-defined]
    short = {name: _short(at) for at, name in enumerate(names)}
    for part in own:
        if isinstance(part, ast.Attribute):
            part.attr = short[part.attr]
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            part.name = short[part.name]
    for node in classes:
        for part in getattr(node, "body", []):
            if isinstance(part, ast.Assign) and _is_private(ast.unparse(part.targets[0])):
                raise LinkError(
                    f"{ast.unparse(part)}: a class's own private attribute; write it public"
                )
    return set(names)


def record_maker(node: ast.ClassDef, record: str) -> ast.FunctionDef | None:
    """The function that does what calling a class does that has members and no methods, or None."""
    if node.bases or len(node.body) != 1:
        return None
    maker = node.body[0]
    if isinstance(maker, ast.Pass):
        maker = ast.FunctionDef(
            "", ast.arguments([], [ast.arg("self")], None, [], [], None, []), [], []
        )
    if not isinstance(maker, ast.FunctionDef) or maker.name != "__init__":
        return None
    if any(isinstance(part, (ast.Return, ast.Lambda)) for part in ast.walk(maker)):
        return None
    own, *given = maker.args.args
    maker.args.args = given
    made = ast.Assign([ast.Name(own.arg, ast.Store())], ast.Call(ast.Name(record), [], []))
    body = [made, *maker.body, ast.Return(ast.Name(own.arg))]
    return ast.FunctionDef(node.name, maker.args, body, [])


def foreign_privates(node: ast.stmt) -> set[str]:
    """Private attributes that the statement uses of something other than self."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and _is_private(part.attr) and not _is_own_private(part)
    }


def _is_own_private(part: ast.AST) -> bool:
    return (
        isinstance(part, ast.Attribute)
        and _is_private(part.attr)
        and ast.unparse(part.value) in ("self", "super()")
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _short(at: int) -> str:
    high, low = divmod(at, len(LETTERS))
    return "_" + (LETTERS[high - 1] if high else "") + LETTERS[low]


def _computed(operation: Callable[..., Any], *operands: ast.Constant | None) -> ast.Constant | None:
    try:
        return ast.Constant(operation(*[one.value for one in operands if one is not None]))
    except TypeError:
        # of what is no constant, or not of these kinds
        return None
