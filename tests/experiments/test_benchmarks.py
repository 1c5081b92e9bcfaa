"""Benchmarks: `make bench` runs each of them without an argument."""

import ast
from pathlib import Path

import pytest

import experiments

FILES = sorted((Path(experiments.__file__).parent / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_benchmark_needs_no_argument(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if "run(main)" in text:
        functions = [each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]
        (arguments,) = [each.args for each in functions if each.name == "main"]
        assert len(arguments.defaults) == len(arguments.args)
    else:
        assert 'add_argument("--' in text or "add_argument" not in text, "all that argparse reads are options"
