"""The front of the package in words: signatures and docstrings of all that `nas.__all__` names, from the code itself.

    python -m tests.api docs/api.md      writes the page

Signatures are those of the source, whatever this Python calls their types.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import nas

_HEAD: Final = """\
# From Python

`import nas` gives the names below; each is imported when it is first asked for, and `load_config`, `open_run` and
`read_latency_table` never import torch. Paths are text or path objects, `~` is your home. What reads never writes: a
wrong name makes no folder. What breaks a law is a `ValueError` that says the law, the values, the place and the remedy;
a full disk or a missing file is an `OSError`.

This page is written by `python -m tests.api docs/api.md`.
"""
_FIRST: Final = (
    "load_config",
    "resolve",
    "run_search",
    "open_run",
    "open_runs",
    "Run",
    "Runs",
    "export_run",
    "ExportReport",
    "load_supernet",
    "read_latency_table",
)
_ELSEWHERE: Final = {"ExperimentConfig": "Its settings: [settings](settings.md)."}  # whose fields have a page
_SECTION: Final = re.compile(r"^(Args|Attributes|Columns|Raises|Returns|Warns)\b(.*):$")


def names() -> list[str]:
    """What `nas` gives, in the order of use."""
    return sorted(nas.__all__, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def signature(thing: Any, /) -> str:
    """A function as its source declares it, or a value's class with its fields."""
    if is_dataclass(thing) and thing.__name__ not in _ELSEWHERE:
        return f"class {thing.__name__}({', '.join(field.name for field in fields(thing))})"
    if inspect.isclass(thing):
        return f"class {thing.__name__}"
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    assert isinstance(node, ast.FunctionDef)
    assert node.returns is not None
    arguments = re.sub(r"(?<! )=(?! )", " = ", ast.unparse(node.args))  # all have types, so their "=" stands apart
    return f"{node.name}({arguments}) -> {ast.unparse(node.returns)}"


def members(kind: type, /) -> Iterator[tuple[str, str, Any]]:
    """Name, signature and what it is, of the public properties and methods that a class has, its own first."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("nas.")]
    inherited = {name: member for base in reversed(ours) for name, member in vars(base).items()}
    for name, member in (vars(kind) | inherited).items():
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            yield name, signature(member).replace("(self, *", "(*").replace("(self", "(").replace("(, ", "("), member
        elif (get := getattr(member, "fget", None) or getattr(member, "func", None)) is not None:
            yield name, f"{name}: {signature(get).partition(' -> ')[2]}", get


def signatures() -> str:
    """All signatures, a line each: what others' code relies on."""
    lines = []
    for name in sorted(nas.__all__):
        thing = getattr(nas, name)
        lines.append(f"nas.{signature(thing).removeprefix('class ')}")
        if inspect.isclass(thing) and not is_dataclass(thing):
            lines += [f"nas.{name}.{shown}" for _, shown, _ in members(thing)]
    return "\n".join(lines) + "\n"


def page() -> str:
    """docs/api.md."""
    parts, told = [_HEAD], set[Any]()
    for name in names():
        thing = getattr(nas, name)
        parts.append(f"## `{name}`\n")
        if not inspect.isclass(thing):
            parts.append(f"```python\n{_wrapped(signature(thing))}\n```\n")
        parts.append(_in_markdown(thing))
        if name in _ELSEWHERE:
            parts.append(f"{_ELSEWHERE[name]}\n")
        if inspect.isclass(thing):
            parts += [f"**`{shown}`** {_in_markdown(what)}" for _, shown, what in members(thing) if what not in told]
            told |= {what for _, _, what in members(thing)}  # what two classes inherit is told once
    return "\n".join(parts)


def _wrapped(shown: str) -> str:
    """A signature, one argument a line where it is long."""
    if len(shown) <= 100:
        return shown
    (node,) = ast.parse(f"def {shown}: ...").body
    assert isinstance(node, ast.FunctionDef)
    head, _, rest = shown.partition("(")
    arguments, _, returned = rest.rpartition(") -> ")
    split = re.split(r", (?![^\[]*\]|[^()]*\))", arguments)
    return "\n".join([f"{head}(", *(f"    {argument}," for argument in split), f") -> {returned}"])


def _in_markdown(thing: Any) -> str:
    """A docstring in Google style: its sections as lists."""
    text = inspect.getdoc(thing)
    assert text, f"{thing} says what it is"
    lines: list[str] = []
    within = False
    for line in text.splitlines():
        if found := _SECTION.match(line):
            within = True
            lines += [f"*{found[1].lower()}*{found[2]}:", ""]
        elif within and re.match(r"^ {4}\w+: ", line):
            name, _, words = line.strip().partition(": ")
            lines.append(f"- `{name}`: {words}")
        elif within and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line.strip())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
