"""Makes loops of list comprehensions, each of which costs a board's heap 64 bytes while loaded."""

from __future__ import annotations

import ast

from raffinate_rig.link_names import bound_names

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def unroll(function: Function) -> None:
    """Rewrite the function in place; comprehensions that are not evaluated first stay."""
    _Unrolled(function).run()


class Renamed(ast.NodeTransformer):
    """Gives local names others."""

    def __init__(self, mapping: dict[str, str]) -> None:
        self._mapping = mapping

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: D102 - see the class
        node.id = self._mapping.get(node.id, node.id)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:  # noqa: D102
        if node.name:
            node.name = self._mapping.get(node.name, node.name)
        self.generic_visit(node)
        return node


class _Unrolled:
    """Makes loops of list comprehensions that are evaluated first in their statement."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._taken = {part.id for part in ast.walk(function) if isinstance(part, ast.Name)}
        self._taken |= bound_names(function)
        self._count = 0

    def run(self) -> None:
        """Rewrite the function in place."""
        self._block(self._function.body)

    def _block(self, block: list[ast.stmt]) -> None:
        at = 0
        while at < len(block):
            statement = block[at]
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                at += 1
                continue
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, name, None)
                if isinstance(inner, list):
                    self._block(inner)
            for handler in getattr(statement, "handlers", []):
                self._block(handler.body)
            head = self._head(statement)
            block[at:at] = head
            at += len(head) + 1

    def _head(self, statement: ast.stmt) -> list[ast.stmt]:
        """The loop that goes before the statement, whose comprehension becomes a name."""
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.Return, ast.AugAssign, ast.For)):
            return []
        place = "iter" if isinstance(statement, ast.For) else "value"
        value = getattr(statement, place)
        found = _first_comprehension(value) if value is not None else None
        if found is None:
            return []
        parent, comprehension = found
        generator = comprehension.generators[0]
        result = self._fresh("made")
        names = {
            part.id: self._fresh(part.id)
            for part in ast.walk(generator.target)
            if isinstance(part, ast.Name)
        }
        iterated = generator.iter
        renamed = Renamed(names)
        element = renamed.visit(comprehension.elt)
        add = ast.Attribute(ast.Name(result, ast.Load()), "append", ast.Load())
        body: list[ast.stmt] = [ast.Expr(ast.Call(add, [element], []))]
        for test in reversed(generator.ifs):
            body = [ast.If(renamed.visit(test), body, [])]
        loop = ast.For(renamed.visit(generator.target), iterated, body, [], lineno=0)
        name = ast.Name(result, ast.Load())
        if parent is None:
            setattr(statement, place, name)
        else:
            parent.args[parent.args.index(comprehension)] = name
        made = ast.Assign([ast.Name(result, ast.Store())], ast.List([], ast.Load()), lineno=0)
        return [made, loop]

    def _fresh(self, name: str) -> str:
        while True:
            self._count += 1
            found = f"{name}_{self._count}"
            if found not in self._taken:
                self._taken.add(found)
                return found


def _first_comprehension(value: ast.expr) -> tuple[ast.Call | None, ast.ListComp] | None:
    """A list comprehension that is the value, or what calls of plain names evaluate first."""
    parent: ast.Call | None = None
    while True:
        if isinstance(value, ast.ListComp):
            return (parent, value) if _is_simple(value) else None
        if (
            not isinstance(value, ast.Call)
            or not value.args
            or isinstance(value.args[0], ast.Starred)
        ):
            return None
        if not isinstance(value.func, (ast.Name, ast.Attribute)):
            return None
        if isinstance(value.func, ast.Attribute) and not isinstance(
            value.func.value, (ast.Name, ast.Constant)
        ):
            return None
        parent, value = value, value.args[0]


def _is_simple(node: ast.ListComp) -> bool:
    if len(node.generators) != 1 or node.generators[0].is_async:
        return False
    inside = [node.elt, *node.generators[0].ifs]
    return not any(
        isinstance(part, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda))
        for one in inside
        for part in ast.walk(one)
    )
