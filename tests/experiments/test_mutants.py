"""Mutation testing: which faults are planted, and what tests make of them."""

import ast
from pathlib import Path

import pytest

from experiments.mutants.__main__ import ROOMS, ROOT, drawn, laws_of, modules, table
from experiments.mutants.killing import Verdict, verdict
from experiments.mutants.planting import mutants


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", ["a < b -> a <= b"]),
        ("x = a is not b and c", ["a is not b and c -> a is not b or c", "a is not b -> a is b"]),
        ("x += 2", ["x += 2 -> x -= 2", "x += 2 -> pass", "2 -> 3"]),
        ("x = min(a, b)", ["min(a, b) -> max(a, b)"]),
        ("x = y if z else True", ["z -> not z", "True -> False"]),
        ("if x:\n    f()", ["x -> not x", "f() -> pass"]),
        ("def f():\n    '''Five.'''\n    return a", ["return a -> return None"]),
        ("def f():\n    return None", []),
        ("raise ValueError(f'{a + b}')", ["raise ValueError(f'{a + b}') -> pass"]),
        ("import warnings\nx: Literal[3]\n@c(1)\ndef f(): ...", []),
    ],
)
def test_faults_are_small_and_one_at_a_time(source: str, faults: list[str]) -> None:
    found = mutants(source)
    assert sorted(mutant.what for mutant in found) == sorted(faults)
    assert len({mutant.source for mutant in found} | {ast.unparse(ast.parse(source))}) == len(found) + 1


MODULE = """
def bounded(x, most):
    while x > most:
        x -= 1
    return x
"""
TEST = """
from small import bounded

def test_it_is_bounded():
    assert bounded(5, 3) == 3
"""


def test_what_tests_notice_is_killed_and_what_they_do_not_survives(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(MODULE)
    (tmp_path / "test_small.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    told = {
        mutant.what: verdict(
            tmp_path / "small.py",
            mutant.source,
            tests=[tmp_path / "test_small.py"],
            root=tmp_path,
            log=tmp_path / "log",
            limit_s=8.0,
        )[0]
        for mutant in mutants(MODULE)
        if mutant.what not in ("x -= 1 -> pass", "x -= 1 -> ...") and "..." not in mutant.what
    }
    assert told == {
        "x > most -> x >= most": Verdict.KILLED,
        "x > most -> not x > most": Verdict.KILLED,
        "x -= 1 -> x += 1": Verdict.ENDLESS,
        "1 -> 2": Verdict.SURVIVED,
        "return x -> return None": Verdict.KILLED,
    }
    assert (tmp_path / "small.py").read_text() == MODULE


def test_every_watched_module_has_faults_and_tests() -> None:
    watched = modules(ROOMS)
    assert ROOT / "nas" / "racing" / "race.py" in watched
    assert [module for module in watched if not laws_of(module)] == []
    race = ROOT / "nas" / "racing" / "race.py"
    assert laws_of(ROOT / "nas" / "scores" / "intervals.py")[0].name == "test_intervals.py"
    assert drawn(race, num=3, seed=0) == drawn(race, num=3, seed=0) != drawn(race, num=3, seed=1)
    assert len(drawn(race, num=0, seed=0)) > 50


def test_the_table_counts_by_room() -> None:
    race = ROOT / "nas" / "racing" / "race.py"
    lines = table([(race, Verdict.KILLED), (race, Verdict.SURVIVED), (ROOT / "nas/scores/store.py", Verdict.KILLED)])
    assert lines.splitlines()[1].split() == ["nas/racing", "2", "1", "0", "1", "50.0%"]
    assert lines.splitlines()[-1].split() == ["all", "3", "2", "0", "1", "33.3%"]
