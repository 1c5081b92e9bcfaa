"""Faults that can be planted in a module's source: each small, one at a time, and one that a person could have made.

Left alone: annotations, decorators, docstrings, texts, and what stands in a `raise` or a warning, for tests that pin
every word of a message would be in the way.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_TOLD: Final = ("warn", "debug", "info")  # calls whose arguments are words


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault.

    Attributes:
        line: Where the fault stands.
        column: Where in that line, counted from 0.
        lines: Those of the statement around it, without the statements inside that one.
        what: The fault, as "before -> after".
        tree: The module with it, each node at its place in the module's file.
    """

    line: int
    column: int
    lines: range
    what: str
    tree: ast.Module = field(compare=False, repr=False)

    @property
    def source(self) -> str:
        """The module's whole source with the fault."""
        return ast.unparse(self.tree)


def num_faults(source: str, /) -> int:
    """How many faults can be planted in a module."""
    return len([*_faults(ast.parse(source))])


def mutant(source: str, index: int, /) -> Mutant:
    """A module with one of its faults."""
    tree = ast.parse(source)
    node, plant = [*_faults(tree)][index]
    before, lines = ast.unparse(node), _lines_around(tree, node)
    what = f"{_first(before)} -> {_first(plant())}"
    return Mutant(node.lineno, node.col_offset, lines, what, ast.fix_missing_locations(tree))


def mutants(source: str, /) -> list[Mutant]:
    """Every mutant of a module, in the order of its source."""
    return sorted((mutant(source, index) for index in range(num_faults(source))), key=lambda found: found.line)


def _lines_around(tree: ast.Module, node: Any) -> range:
    """The lines of the smallest statement that holds a node, up to the first statement inside it."""
    holding = [
        (each.end_lineno - each.lineno, each)
        for each in ast.walk(tree)
        if isinstance(each, ast.stmt) and each.end_lineno is not None
        if each.lineno <= node.lineno and node.end_lineno <= each.end_lineno
    ]
    _, statement = min(holding, key=lambda pair: pair[0])
    inner = [each.lineno for each in getattr(statement, "body", ())]
    end = inner[0] if inner else statement.lineno + min(holding, key=lambda pair: pair[0])[0] + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _first(text: str) -> str:
    head, *more = text.splitlines()
    return head + (" ..." if more else "")


_Fault = tuple[Any, Callable[[], str]]  # a node with a place, and what plants the fault and says how it reads then


def _faults(tree: ast.AST) -> Iterator[_Fault]:
    for node in _walk(tree):
        match node:
            case ast.Compare(ops=[operator]):
                yield node, _set(node, "ops", [_COMPARISONS[type(operator)]()])
            case ast.BoolOp(op=ast.And()):
                yield node, _set(node, "op", ast.Or())
            case ast.BoolOp(op=ast.Or()):
                yield node, _set(node, "op", ast.And())
            case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _ARITHMETIC:
                yield node, _set(node, "op", _ARITHMETIC[type(operator)]())
            case ast.Constant(value=bool(value)):
                yield node, _set(node, "value", not value)
            case ast.Constant(value=int(number) | float(number)):
                yield node, _set(node, "value", number + 1)
            case ast.Call(func=ast.Name(id=name) as function, args=[_, *_]) if name in _CALLS and not node.keywords:
                yield node, _set(function, "id", _CALLS[name], shown=node)
            case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
                yield node, _set(node, "value", ast.Constant(None))
            case ast.If() | ast.While() | ast.IfExp():
                yield node.test, _set(node, "test", ast.UnaryOp(ast.Not(), node.test), field=True)
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(body, list):
                for index, statement in enumerate(body):
                    if _may_go(statement):
                        yield statement, _drop(body, index)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without what is left alone."""
    yield node
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params") or _tells(node):
            continue
        for each in child if isinstance(child, list) else [child]:
            if isinstance(each, ast.AST) and not isinstance(each, (ast.JoinedStr, ast.Raise)):
                yield from _walk(each)


def _tells(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _TOLD
        case ast.Call(func=ast.Name(id="Field")):  # laws of settings: their digits stand in docs/settings.md
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _may_go(statement: ast.stmt) -> bool:
    """Whether a statement does something that can be left out, without leaving a name unbound."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return False  # a docstring
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            return True
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return True
    return False


def _set(
    node: ast.AST, name: str, value: Any, *, shown: ast.AST | None = None, field: bool = False
) -> Callable[[], str]:
    def plant() -> str:
        setattr(node, name, value)
        return ast.unparse(value if field else shown or node)

    return plant


def _drop(body: list[ast.stmt], index: int) -> Callable[[], str]:
    def plant() -> str:
        body[index] = ast.copy_location(ast.Pass(), body[index])
        return "pass"

    return plant
