"""Puts functions that are called once where they are called.

Each function costs a board's heap about 50 bytes for as long as it is loaded. Nothing else changes:
arguments are evaluated once and in their order, a return leaves only what was the function.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate_rig.link_names import bound_names
from raffinate_rig.link_unroll import Renamed, unroll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
LOOPS = (ast.For, ast.AsyncFor, ast.While)
ROUNDS_MAX = 12


@dataclass
class _Place:
    """A call that a statement of `block` evaluates before all else.

    `whole` tells that it is the statement's value; else `put` sets what stands in its place.
    """

    block: list[ast.stmt]
    at: int
    call: ast.Call
    is_awaited: bool
    whole: bool
    put: Callable[[ast.expr], None]


def inline(units: Mapping[str, str], kept: set[str], foreign: set[str]) -> dict[str, str]:
    """The units' texts with fewer functions; those named in `kept` stay.

    `foreign` are attributes that objects from outside may have too.
    """
    trees = {unit: ast.parse(text) for unit, text in units.items()}
    for tree in trees.values():
        for function in _functions(tree):
            unroll(function)
    counter = _Counter()
    for _ in range(ROUNDS_MAX):
        if not _round(trees, kept, foreign, counter):
            break
    return {
        unit: ast.unparse(ast.fix_missing_locations(tree)) + "\n" for unit, tree in trees.items()
    }


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count


def _round(
    trees: Mapping[str, ast.Module], kept: set[str], foreign: set[str], counter: _Counter
) -> int:
    done = 0
    names = Counter(
        part.id for tree in trees.values() for part in ast.walk(tree) if isinstance(part, ast.Name)
    )
    imported = {
        alias.name
        for tree in trees.values()
        for part in ast.walk(tree)
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    for tree in trees.values():
        once = {
            part.name: part
            for part in tree.body
            if isinstance(part, FUNCTIONS) and names[part.name] == 1
        }
        for name, function in once.items():
            if name not in kept | imported and _fits(function):
                done += _replace(tree.body, function, _callers(tree, function), None, counter)
        for family in _families(tree):
            done += _methods(family, _lent(trees), counter)
        done += _public_methods(trees, tree, kept | foreign, counter)
    return done


def _public_methods(
    trees: Mapping[str, ast.Module], tree: ast.Module, kept: set[str], counter: _Counter
) -> int:
    """Inline methods whose name one class has, and one call."""
    used = Counter(
        part.attr
        for one in trees.values()
        for part in ast.walk(one)
        if isinstance(part, ast.Attribute)
    )
    classes = [
        part for one in trees.values() for part in one.body if isinstance(part, ast.ClassDef)
    ]
    defined = Counter(name for one in classes for name in bound_names(one))
    done = 0
    for owner in [part for part in tree.body if isinstance(part, ast.ClassDef)]:
        for method in [part for part in owner.body if isinstance(part, FUNCTIONS)]:
            name = method.name
            if name.startswith("_") or name in kept or used[name] != 1 or defined[name] != 1:
                continue
            if _fits(method):
                done += _replace(owner.body, method, _callers(tree, method), name, counter)
    return done


def _lent(trees: Mapping[str, ast.Module]) -> set[str]:
    """Private names used of something else than `self`: by what was moved out of its class."""
    return {
        part.attr
        for tree in trees.values()
        for part in ast.walk(tree)
        if isinstance(part, ast.Attribute)
        and part.attr.startswith("_")
        and not (isinstance(part.value, ast.Name) and part.value.id == "self")
    }


def _methods(family: list[ast.ClassDef], lent: set[str], counter: _Counter) -> int:
    """Inline the private methods that one call in the whole family reaches."""
    done = 0
    methods = [
        (owner, part) for owner in family for part in owner.body if isinstance(part, FUNCTIONS)
    ]
    used = Counter(
        part.attr for owner in family for part in ast.walk(owner) if isinstance(part, ast.Attribute)
    )
    defined = Counter(method.name for _, method in methods)
    for owner, method in methods:
        name = method.name
        if not name.startswith("_") or name.startswith("__") or not _fits(method):
            continue
        if name in lent:
            continue
        if used[name] == 1 and defined[name] == 1:
            others = [other for _, other in methods if other is not method]
            done += _replace(owner.body, method, others, name, counter)
    return done


def _replace(
    home: list[ast.stmt],
    function: Function,
    callers: Iterable[Function],
    method: str | None,
    counter: _Counter,
) -> int:
    """Put the function where it is called, if that can be; 1 if it was."""
    for caller in callers:
        if function not in home:
            return 0
        for place in _places(caller):
            if _is_call_of(place.call, function, method) and _put(caller, place, function, counter):
                home.remove(function)
                if not home:
                    home.append(ast.Pass())
                return 1
    return 0


def _callers(tree: ast.Module, function: Function) -> list[Function]:
    found = []
    for part in tree.body:
        if part is function:
            continue
        if isinstance(part, FUNCTIONS):
            found.append(part)
        elif isinstance(part, ast.ClassDef):
            found += [one for one in part.body if isinstance(one, FUNCTIONS)]
    return found


def _functions(tree: ast.Module) -> list[Function]:
    return _callers(
        tree, ast.FunctionDef("", ast.arguments([], [], None, [], [], None, []), [], [])
    )


def _families(tree: ast.Module) -> list[list[ast.ClassDef]]:
    classes = {part.name: part for part in tree.body if isinstance(part, ast.ClassDef)}
    of: dict[str, list[ast.ClassDef]] = {name: [one] for name, one in classes.items()}
    for name, one in classes.items():
        for base in one.bases:
            if isinstance(base, ast.Name) and base.id in classes and of[base.id] is not of[name]:
                joined = of[base.id] + of[name]
                for member in joined:
                    of[member.name] = joined
    return list({id(family): family for family in of.values()}.values())


def _fits(function: Function) -> bool:
    """Whether its body can stand elsewhere: plain arguments, no scopes or imports of its own."""
    given = function.args
    if function.decorator_list or given.vararg or given.kwarg or given.kwonlyargs:
        return False
    for part in ast.walk(ast.Module(function.body, [])):
        if isinstance(part, (*FUNCTIONS, ast.Lambda, ast.Import, ast.ImportFrom, ast.ClassDef)):
            return False
        if isinstance(part, ast.Name) and part.id == "super":
            return False
        if isinstance(part, (ast.Yield, ast.YieldFrom, ast.GeneratorExp, ast.NamedExpr)):
            return False
        if isinstance(part, (ast.ListComp, ast.SetComp, ast.DictComp)):
            return False
    return True


def _is_super(call: ast.Call) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "super" for part in ast.walk(call))


def _places(function: Function) -> list[_Place]:
    """Calls that are the whole value of a statement, in this function's own scope."""
    found: list[_Place] = []

    def look(block: list[ast.stmt]) -> None:
        for at, statement in enumerate(block):
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                continue
            found.extend(_first_calls(block, at))
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, name, None)
                if isinstance(inner, list):
                    look(inner)
            for handler in getattr(statement, "handlers", []):
                look(handler.body)

    look(function.body)
    return found


def _first_calls(block: list[ast.stmt], at: int) -> Iterator[_Place]:
    """Calls of which nothing is evaluated before but names and constants, the outer one first."""
    owner: Any = block[at]
    if isinstance(owner, (ast.Expr, ast.Assign, ast.Return)):
        name: str | int = "value"
    elif isinstance(owner, ast.If):
        name = "test"
    elif isinstance(owner, ast.For):
        name = "iter"
    else:
        return
    whole = name == "value"
    while True:
        value = getattr(owner, name) if isinstance(name, str) else owner.args[name]
        is_awaited = isinstance(value, ast.Await)
        call = value.value if isinstance(value, ast.Await) else value
        if isinstance(call, ast.Call):
            yield _Place(block, at, call, is_awaited, whole, _putter(owner, name))
        step = _first_part(value)
        if step is None:
            return
        owner, name = step
        whole = False


def _putter(owner: Any, name: str | int) -> Callable[[ast.expr], None]:
    def put(value: ast.expr) -> None:
        if isinstance(name, str):
            setattr(owner, name, value)
        else:
            owner.args[name] = value

    return put


def _first_part(value: ast.expr | None) -> tuple[ast.AST, str | int] | None:
    """Where the expression that is evaluated first stands."""
    match value:
        case ast.UnaryOp():
            return value, "operand"
        case ast.BinOp() | ast.Compare():
            return value, "left"
        case ast.Subscript() | ast.Attribute() | ast.Await():
            return value, "value"
        case ast.Call(func=func, args=args):
            plain = isinstance(func, ast.Name) or (
                isinstance(func, ast.Attribute) and isinstance(func.value, (ast.Name, ast.Constant))
            )
            if not plain:
                return (func, "value") if isinstance(func, ast.Attribute) else None
            for at, one in enumerate(args):
                if not isinstance(one, (ast.Name, ast.Constant)):
                    return None if isinstance(one, ast.Starred) else (value, at)
    return None


def _is_call_of(call: ast.Call, function: Function, method: str | None) -> bool:
    if method is None:
        return isinstance(call.func, ast.Name) and call.func.id == function.name
    if not isinstance(call.func, ast.Attribute) or call.func.attr != method:
        return False
    value = call.func.value
    if method.startswith("_"):
        return isinstance(value, ast.Name) and value.id == "self"
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name) and not _is_super(call)


def _put(caller: Function, place: _Place, function: Function, counter: _Counter) -> bool:
    """Write the function's body in place of the statement; False where that cannot be."""
    if place.is_awaited != isinstance(function, ast.AsyncFunctionDef):
        return False
    bound = _arguments(place.call, function)
    statement = place.block[place.at]
    is_return = isinstance(statement, ast.Return) and place.whole
    ends = _returns(function.body)
    plain = not ends or (len(ends) == 1 and ends[0] is function.body[-1])
    if bound is None or not (plain or is_return or _is_loopless(function.body)):
        return False
    number = counter.next()
    body = copy.deepcopy(function.body)
    names = bound_names(function)
    stored = _stored(function.body)
    mapping = {name: f"{name}_{number}" for name in names}
    head: list[ast.stmt] = []
    for name, value in bound.items():
        if isinstance(value, ast.Name) and name not in stored:
            mapping[name] = value.id
        else:
            head.append(_assign(mapping[name], value))
    body = [Renamed(mapping).visit(part) for part in body]
    result = f"result_{number}"
    if is_return:
        rest = body if isinstance(body[-1], ast.Return) else [*body, ast.Return(ast.Constant(None))]
    elif plain:
        last = body.pop() if ends else None
        left = last.value if isinstance(last, ast.Return) else None
        rest = [*body, *_used(statement, place, left, result)]
    else:
        inner = [_assign(result, ast.Constant(None)), *_Left(result).block(body), ast.Break()]
        loop = ast.While(ast.Constant(True), inner, [])
        rest = [loop, *_used(statement, place, ast.Name(result, ast.Load()), result)]
    tidy: list[ast.stmt] = []
    if isinstance(caller, ast.AsyncFunctionDef) and not is_return:
        # a task's frame lives long: it must not keep what the function would have let go of
        mine = [mapping[name] for name in sorted(names) if mapping[name].endswith(f"_{number}")]
        targets = [ast.Name(name, ast.Store()) for name in mine]
        tidy = [ast.Assign([target], ast.Constant(None), lineno=0) for target in targets]
    place.block[place.at : place.at + 1] = [*head, *rest, *tidy]
    return True


def _arguments(call: ast.Call, function: Function) -> dict[str, ast.expr] | None:
    """What each argument is given, in the order of evaluation; None where that is not plain."""
    names = [one.arg for one in function.args.args]
    given: list[ast.expr] = list(call.args)
    if isinstance(call.func, ast.Attribute):
        given.insert(0, call.func.value)
    if any(isinstance(one, ast.Starred) for one in given) or len(given) > len(names):
        return None
    bound: dict[str, ast.expr] = dict(zip(names, given, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        bound[keyword.arg] = keyword.value
    defaults = function.args.defaults
    for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
        if name not in bound:
            if not isinstance(default, ast.Constant):
                return None
            bound[name] = default
    return bound if set(bound) == set(names) else None


def _returns(block: list[ast.stmt]) -> list[ast.Return]:
    return [part for part in ast.walk(ast.Module(block, [])) if isinstance(part, ast.Return)]


def _is_loopless(block: list[ast.stmt]) -> bool:
    """Whether no return stands in a loop, so that `break` can stand for each."""
    for part in ast.walk(ast.Module(block, [])):
        if isinstance(part, LOOPS) and _returns([part]):
            return False
    return True


def _stored(block: list[ast.stmt]) -> set[str]:
    found = set()
    for part in ast.walk(ast.Module(block, [])):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            found.add(part.name)
    return found


def _assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value, lineno=0)


def _used(
    statement: ast.stmt, place: _Place, value: ast.expr | None, result: str
) -> list[ast.stmt]:
    """The statement with `value` in the place of the call."""
    if place.whole and isinstance(statement, ast.Assign):
        return [ast.Assign(statement.targets, value or ast.Constant(None), lineno=0)]
    if place.whole:
        if value is None or isinstance(value, (ast.Name, ast.Constant)):
            return []
        return [ast.Expr(value)]
    if isinstance(value, (ast.Name, ast.Constant)):
        place.put(value)
        return [statement]
    place.put(ast.Name(result, ast.Load()))
    return [_assign(result, value or ast.Constant(None)), statement]


class _Left:
    """Turns each return into the result's assignment and a break."""

    def __init__(self, result: str) -> None:
        self._result = result

    def block(self, block: list[ast.stmt]) -> list[ast.stmt]:
        """A block without returns."""
        found: list[ast.stmt] = []
        for statement in block:
            if isinstance(statement, ast.Return):
                if statement.value is not None:
                    found.append(_assign(self._result, statement.value))
                found.append(ast.Break())
                break
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, name, None)
                if isinstance(inner, list) and not isinstance(statement, LOOPS):
                    setattr(statement, name, self.block(inner))
            for handler in getattr(statement, "handlers", []):
                handler.body = self.block(handler.body)
            found.append(statement)
        return found
