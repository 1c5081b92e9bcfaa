"""The front of the package: its names and signatures stay, its page is current, and what reads makes no folder."""

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nas
from latency.documents.store import read_table
from nas.cli.app import app
from nas.runs.directory import RunDirectory, RunDirectoryError
from nas.runs.trace import read_trace
from nas.scores.store import ScoreStore
from search_spaces.shapes import PIPELINE_DIR
from tests.api import page, signatures
from tests.search_spaces.files.test_paths import Elsewhere

ROOT = Path(__file__).parents[2]
OLD_RUN = Path(__file__).parent / "runs" / "goldens" / "run_0_1_0"
READERS: dict[str, Callable[..., object]] = {
    "load_config": nas.load_config,
    "run_search": lambda path: nas.run_search(path, out=path),
    "open_run": nas.open_run,
    "Run": nas.Run,
    "export_run": nas.export_run,
    "load_supernet": nas.load_supernet,
    "read_latency_table": nas.read_latency_table,
    "read_table": read_table,
    "read_trace": read_trace,
    "ScoreStore.existing": ScoreStore.existing,
    "scores of a run": lambda path: nas.open_run(OLD_RUN).scores(store=path),
}


def test_signatures_are_those_that_others_rely_on(golden: Callable[[str, str], None]) -> None:
    golden("front.txt", signatures())


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page(), "run: python -m tests.api docs/api.md"


def test_editors_see_what_is_given() -> None:
    (block,) = (node for node in ast.parse(inspect.getsource(nas)).body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen == nas._MODULES
    assert sorted(seen) == sorted(nas.__all__)
    assert {*seen, "__version__"} == set(dir(nas))
    for name, module in seen.items():
        assert getattr(nas, name) is getattr(importlib.import_module(str(module)), name)


def test_no_name_is_a_rooms() -> None:
    rooms = {path.stem for path in Path(nas.__file__).parent.iterdir()}
    assert not rooms & set(nas.__all__), "who imports the room would hide the name"


def test_what_it_does_not_give_is_an_attribute_error_that_python_completes() -> None:
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'run_serach'") as caught:
        nas.run_serach  # type: ignore[attr-defined]  # noqa: B018  asked for, to be refused
    assert (caught.value.name, caught.value.obj) == ("run_serach", nas)  # "Did you mean: 'run_search'?"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("as_given", [str, Path, lambda path: Elsewhere(place=path)], ids=["text", "Path", "PathLike"])
def test_a_typo_makes_no_folder(
    reader: str, as_given: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises((ValueError, OSError), match=f"there is no .*{tmp_path}/tpyo"):
        READERS[reader](as_given("~/tpyo"))
    assert list(tmp_path.iterdir()) == []


def test_the_scores_of_a_folder_that_is_no_run_make_no_store(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"there is no run .*/tpyo"):
        _ = RunDirectory(tmp_path / "tpyo").scores
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_its_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"snapfusion-nas {nas.__version__}, torch ")


@pytest.mark.parametrize(
    ("call", "law"),
    [
        (lambda: nas.export_run(OLD_RUN, form="foo"), "`form` must be one of spec, diffusers, .*, but got 'foo'"),
        (
            lambda: nas.export_run(OLD_RUN, dtype="f16"),
            "`dtype` must be one of float32, float16, bfloat16, but got 'f16'",
        ),
        (lambda: nas.load_supernet(PIPELINE_DIR, max_copies=-1), "`max_copies` must be at least 0, but got -1"),
        (lambda: nas.load_config(PIPELINE_DIR), "is a folder; give the file"),
        (lambda: nas.load_config("x.yaml", overrides="seed=1"), "overrides must be a list of texts"),
        (lambda: nas.resolve("x.yaml"), "`resolve` takes a config, as `load_config"),  # type: ignore[arg-type]
        (lambda: nas.load_supernet(PIPELINE_DIR, space="foo"), "`space` must be one of any, stock, but got 'foo'"),
        (lambda: nas.load_supernet(PIPELINE_DIR, copy_start="foo"), "`copy_start` must be one of .* got 'foo'"),
        (lambda: nas.open_run(None), "a path must be text or a path object, but got None"),  # type: ignore[arg-type]
        (lambda: nas.load_config(b"x.yaml"), "a path must be text or a path object"),  # type: ignore[arg-type]
        (lambda: nas.open_runs("sample"), r"`paths` must be a list, such as \['sample'\], but got 'sample'"),
        (lambda: nas.open_run("sample").scores(columns="clip"), r"`columns` must be a list, such as \['clip'\]"),
        (lambda: nas.open_run("sample").scores(arch_ids="ab"), "`arch_ids` must be a list"),
        (lambda: nas.open_run("sample").pictures(rounds=0), "`rounds` must be a list"),  # type: ignore[arg-type]
        (lambda: nas.open_run("sample").pictures(store="typo"), "there is no score store typo"),
        (lambda: nas.open_run("sample").decisions(store="typo"), "there is no score store typo"),
    ],
)
def test_a_wrong_argument_says_what_is_right(call: Callable[[], object], law: str) -> None:
    with pytest.raises(ValueError, match=law):
        call()
