"""Rewrites one statement of the firmware for linking: see linker.py."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from raffinate_rig.link_names import LinkError, Scope, Symbol, bound_by, bound_names, format_call

if TYPE_CHECKING:
    from raffinate_rig.linker import Linker

SENTENCES = ("raffinate_wire.errors", "WireError")


class Rewriter(ast.NodeTransformer):
    """Rewrites one symbol's statement: references, constants, texts and annotations."""

    def __init__(self, linker: Linker, symbol: Symbol) -> None:
        self._linker = linker
        self._symbol = symbol
        self._scopes: list[Scope] = []

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        """What only CPython runs goes."""
        match ast.unparse(node.test):
            case "sys.implementation.name != 'micropython'":
                return self._block(node.orelse) if node.orelse else None
        return self.generic_visit(node)

    # References

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = self._resolve(node.id)
        if found is None:
            return node
        if found[0] == "symbol":
            return self._reference((found[1], found[2]), node)
        if found[0] == "module":
            raise LinkError(
                f"{self._symbol.module} hands the module {found[1]} about: link it alone"
            )
        self._symbol.outside.add(found[1])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self._linker.used_attributes.add(node.attr)
        if isinstance(node.value, ast.Name):
            found = self._resolve(node.value.id)
            if found is not None and found[0] == "module":
                target = self._linker.resolve(found[1], node.attr)
                if target is None:
                    raise LinkError(f"{self._symbol.module}: {found[1]} has no {node.attr}")
                if target[0] == "symbol":
                    return self._reference((target[1], target[2]), node)
                return self.visit_outside(target, node)
        return self._generic(node)

    def visit_outside(self, target: tuple[str, ...], node: ast.Attribute) -> ast.expr:
        """A name that another module of the firmware imported from outside."""
        self._symbol.outside.add(target[1])
        return ast.Name(bound_by(target[1]), node.ctx)

    def _reference(self, key: tuple[str, str], node: ast.expr) -> ast.expr:
        symbol = self._linker.symbol(key)
        const = self._linker.constant(key)
        if const is not None and isinstance(getattr(node, "ctx", None), ast.Load):
            return const
        self._symbol.refs.add(key)
        for scope in self._scopes:
            symbol.taken |= scope.names
        link = ast.Name(symbol.name, getattr(node, "ctx", ast.Load()))
        self._symbol.links.append((link, key))
        return link

    def _resolve(self, name: str) -> tuple[str, ...] | None:
        for scope in reversed(self._scopes):
            if name in scope.aliases:
                found = scope.aliases[name]
                if found[0] == "symbol":
                    return self._linker.resolve(found[1], found[2])
                return found
            if name in scope.names:
                return None
        return self._linker.resolve(self._symbol.module, name)

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        arguments = self._arguments(node.args)
        decorators = [self.visit(one) for one in node.decorator_list]
        scope = Scope(bound_names(node))
        for part in ast.walk(node):
            if isinstance(part, (ast.Import, ast.ImportFrom)):
                self._linker.bind_import(scope.aliases, part)
        # what is imported from outside stays a local name, bound where the source binds it
        scope.aliases = {
            name: found for name, found in scope.aliases.items() if found[0] != "outside"
        }
        scope.names -= set(scope.aliases)
        self._scopes.append(scope)
        body = self._block(node.body)
        self._scopes.pop()
        return type(node)(node.name, arguments, body, decorators, lineno=node.lineno)

    def _arguments(self, given: ast.arguments) -> ast.arguments:
        def bare(one: ast.arg | None) -> ast.arg | None:
            return None if one is None else ast.arg(one.arg)

        return ast.arguments(
            [],
            [ast.arg(one.arg) for one in given.args],
            bare(given.vararg),
            [ast.arg(one.arg) for one in given.kwonlyargs],
            [None if one is None else self.visit(one) for one in given.kw_defaults],
            bare(given.kwarg),
            [self.visit(one) for one in given.defaults],
        )

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        arguments = self._arguments(node.args)
        self._scopes.append(
            Scope({one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)})
        )
        body = self.visit(node.body)
        self._scopes.pop()
        return ast.Lambda(arguments, body)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> ast.expr:
        names = {
            part.id
            for generator in node.generators
            for part in ast.walk(generator.target)
            if isinstance(part, ast.Name)
        }
        self._scopes.append(Scope(names))
        result = self._generic(node)
        self._scopes.pop()
        return result

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.expr:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        return self._comprehension(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        if self._scopes:
            raise LinkError(f"{self._symbol.module}: a class inside a function, {node.name}")
        bases = [self.visit(base) for base in node.bases]
        self._scopes.append(Scope(bound_names(node)))
        body = self._block(node.body)
        self._scopes.pop()
        return ast.ClassDef(node.name, bases, [], body, [])

    # What a board does without

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for statement in statements:
            match statement:
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    continue
                case ast.Import() | ast.ImportFrom() if self._is_linked(statement):
                    continue
            found = self.visit(statement)
            if isinstance(found, list):
                kept.extend(found)
            elif found is not None:
                kept.append(found)
        return kept or [ast.Pass()]

    def _is_linked(self, statement: ast.Import | ast.ImportFrom) -> bool:
        bound = {alias.asname or alias.name for alias in statement.names}
        return bool(bound & set(self._scopes[-1].aliases))

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        raise LinkError(f"{self._symbol.module}: `global {node.names[0]}` cannot be linked")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if node.value is None:
            return None
        return ast.Assign([self.visit(node.target)], self.visit(node.value), lineno=node.lineno)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return self._generic(format_call(node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name):
            found = self._resolve(node.func.id)
            if found == ("symbol", *SENTENCES):
                node = ast.Call(node.func, node.args[:1], [])
            if ast.unparse(node.func) == "getattr" and isinstance(node.args[1], ast.Constant):
                self._linker.used_attributes.add(str(node.args[1].value))
        result = self._generic(node)
        self._symbol.called.append(getattr(result, "func", result))
        return result

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                break
        else:
            return super().generic_visit(node)
        result = type(node)(**{key: getattr(node, key) for key in node._fields})
        for key in node._fields:
            value = getattr(node, key)
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                block = self._block(value)
                # an else or finally that has become empty goes
                empty = key != "body" and all(isinstance(one, ast.Pass) for one in block)
                setattr(result, key, [] if empty else block)
            elif isinstance(value, list):
                setattr(result, key, [self.visit(one) for one in value])
            elif isinstance(value, ast.AST):
                setattr(result, key, self.visit(value))
        return result

    def _generic(self, node: ast.expr) -> ast.expr:
        found = self.generic_visit(node)
        assert isinstance(found, ast.expr)  # noqa: S101 - expressions stay expressions
        return found
