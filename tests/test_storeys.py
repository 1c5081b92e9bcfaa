"""The house's laws that no linter knows: names, sizes, opening docstrings, and what an `__init__` may hold."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STOREYS = ("search_spaces", "latency", "nas", "experiments")
TEXTS = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for storey in STOREYS
    for path in sorted((ROOT / storey).rglob("*.py"))
}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "core", "manager", "misc"}
MAX_LINES = 500


def test_there_are_modules_in_every_storey() -> None:
    assert {path.parts[0] for path in TEXTS} == set(STOREYS)


def test_modules_are_named_for_their_concern() -> None:
    assert [path for path in TEXTS if NAMES_THAT_SAY_NOTHING & set(path.with_suffix("").parts)] == []


def test_modules_are_short_enough_to_read_whole() -> None:
    assert {path: num for path, text in TEXTS.items() if (num := text.count("\n")) > MAX_LINES} == {}


def test_modules_open_with_their_concern() -> None:
    assert [path for path, text in TEXTS.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


RE_EXPORTS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)


def re_exports(node: ast.stmt, /) -> bool:
    """Whether a statement only passes names on, at once or, by PEP 562, when they are first asked for."""
    if isinstance(node, ast.If):
        hooks = all(
            isinstance(hook, ast.FunctionDef) and hook.name in {"__getattr__", "__dir__"} for hook in node.orelse
        )
        return ast.unparse(node.test) == "TYPE_CHECKING" and hooks and all(map(re_exports, node.body))
    return isinstance(node, RE_EXPORTS)


def test_package_files_only_re_export() -> None:
    others = [
        f"{path}:{node.lineno}"
        for path, text in TEXTS.items()
        if path.name == "__init__.py"
        for node in ast.parse(text).body
        if not re_exports(node)
    ]
    assert others == []


@pytest.mark.parametrize(
    "statement",
    ["def f(): ...", "def __getattr__(name): ...", "if a: import b", "if TYPE_CHECKING: f = lambda: 1\nelse: x = 1"],
)
def test_what_does_more_than_re_export_is_found(statement: str) -> None:
    assert not all(map(re_exports, ast.parse(statement).body))


def test_tests_are_not_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


WITH_THREE = {"told", "write", "diffuse", "check_of"}  # the doors of algorithms and exporters, and two equations


def positional(path: Path, /) -> dict[str, int]:
    """Positional arguments of the public functions and methods of a module, without `self`."""
    body = ast.parse(TEXTS[path]).body
    functions = [node for part in body for node in (part.body if isinstance(part, ast.ClassDef) else [part])]
    return {
        node.name: len([arg for arg in [*node.args.posonlyargs, *node.args.args] if arg.arg not in {"self", "cls"}])
        for node in functions
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def test_only_what_a_function_acts_on_is_positional() -> None:
    ours = [path for path in TEXTS if path.parts[0] != "experiments" and not {"cli", "testing"} & set(path.parts)]
    many = {
        f"{path}:{name}": num
        for path in ours
        for name, num in positional(path).items()
        if num > (3 if name in WITH_THREE else 2)
    }
    assert many == {}


def test_tests_stand_in_the_rooms_that_they_test() -> None:
    rooms = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    assert {room for room in rooms if not (ROOT / room).is_dir()} == {Path("nas/plugins")}  # plugins come from outside
    tested = {path.parent for path in TEXTS if path.parts[0] != "experiments" and path.name != "__init__.py"} & rooms
    # Blocks are tested by what measures and exports them, the law kits by the tests of the doors, the command
    # line of distillations by the trainings that are launched, that of many searches with what it calls;
    # nas/distillation is but the way to two rooms. Layouts, figures of the network and values of the page are tested in
    # the room around them.
    untested = {path.parent for path in TEXTS if path.parts[0] != "experiments"} - tested
    others = {
        "latency/blocks",
        "nas/testing",
        "nas/cli/distillation",
        "nas/cli/sweeps",
        "nas/distillation",
        "nas/algorithms/one_shot/layouts",
        "nas/reports/figures/network",
        "nas/reports/page/values",
    }
    assert {str(path) for path in untested} == others
