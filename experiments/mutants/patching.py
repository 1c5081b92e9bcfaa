"""Faults put into functions that are imported already: their code objects are replaced where they stand."""

import ast
import gc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType

Place = tuple[str, str, int]  # of a function: file, qualified name, first line
Patch = tuple[FunctionType, CodeType]


def live_functions(modules: Sequence[Path], /) -> Mapping[Place, Sequence[FunctionType]]:
    """All functions of some files that exist in this process."""
    files = {str(module) for module in modules}
    found = defaultdict(list)
    gc.unfreeze()  # what tests/conftest.py froze
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename in files:
            found[_place(thing.__code__)].append(thing)
    gc.freeze()
    return dict(found)


def patches(
    module: Path, tree: ast.Module, /, *, functions: Mapping[Place, Sequence[FunctionType]]
) -> list[Patch] | None:
    """Which live functions take which code for a fault.

    Returns:
        None when the fault stands outside of functions, where only an import runs it, or one of them cannot take it.
    """
    before, after = (
        [*_codes(compile(source, str(module), "exec", dont_inherit=True))] for source in (module.read_bytes(), tree)
    )
    places = Counter(map(_place, before))
    if places != Counter(map(_place, after)):
        return None
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    if any(_own(old) != _own(new) and not _is_function(new) for old, new in pairs):
        return None
    changed = {_place(new): new for _, new in pairs if _is_function(new)}
    if any(places[place] > 1 or ("<locals>" not in place[1] and place not in functions) for place in changed):
        return None
    found = [(function, code) for place, code in changed.items() for function in functions.get(place, ())]
    takes = [len(function.__code__.co_freevars) == len(code.co_freevars) for function, code in found]
    return found if all(takes) else None


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _place(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & CO_OPTIMIZED)


def _own(code: CodeType) -> tuple[object, ...]:
    """What a code does, apart from the functions inside."""
    constants = [(type(each), repr(each)) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, constants
