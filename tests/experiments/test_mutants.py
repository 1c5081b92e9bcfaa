"""Mutation testing: which faults are planted, and what tests make of them."""

import ast
from pathlib import Path

import pytest

from experiments.mutants.__main__ import ROOMS, ROOT, faults_of, laws_of, modules, table, tried
from experiments.mutants.baseline import Patience
from experiments.mutants.equivalents import equivalents
from experiments.mutants.forking import Verdict
from experiments.mutants.killing import trials
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
MOST = 5

def bounded(x, most=MOST):
    while x > most:
        x -= 1
    return x

def doubled(x):
    return x * 2

def unseen(x):
    return x + 7
"""
TEST = """
import pytest
from small import bounded, doubled

def test_it_is_bounded():
    assert bounded(5, 3) == 3

@pytest.mark.parametrize("x", [1, 2])
def test_most(x):
    assert bounded(5 + x) == 5

def test_doubled():
    assert doubled(3) == 6

def test_fails_without_a_fault():
    assert doubled(bounded(1)) == 3
"""


def test_what_tests_notice_is_killed_and_what_they_do_not_survives(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(MODULE)
    (tmp_path / "test_small.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    module, tests = tmp_path / "small.py", [tmp_path / "test_small.py"]
    faults = [(module, found) for found in mutants(MODULE) if "pass" not in found.what]
    found = trials(faults, tests=tests, root=tmp_path, log=tmp_path / "log", patience=Patience(spare_s=2.0))
    told = {faults[index][1].what: trial for index, trial in found}
    assert {what: (trial.verdict, trial.num_tests) for what, trial in told.items()} == {
        "5 -> 6": (Verdict.KILLED, 4),
        "x > most -> x >= most": (Verdict.KILLED, 3),
        "x > most -> not x > most": (Verdict.KILLED, 3),
        "x -= 1 -> x += 1": (Verdict.ENDLESS, 3),
        "1 -> 2": (Verdict.KILLED, 3),
        "return x -> return None": (Verdict.KILLED, 3),
        "x * 2 -> x / 2": (Verdict.KILLED, 1),
        "2 -> 3": (Verdict.KILLED, 1),
        "return x * 2 -> return None": (Verdict.KILLED, 1),
        "x + 7 -> x - 7": (Verdict.SURVIVED, 0),
        "7 -> 8": (Verdict.SURVIVED, 0),
        "return x + 7 -> return None": (Verdict.SURVIVED, 0),
    }
    assert told["x * 2 -> x / 2"].by == "test_small.py::test_doubled"
    assert told["x -= 1 -> x += 1"].by == ""
    assert module.read_text() == MODULE


def test_tests_that_cannot_be_collected_are_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(MODULE)
    (tmp_path / "test_small.py").write_text("import nothing_of_that_name")
    faults = [(tmp_path / "small.py", mutants(MODULE)[0])]
    with pytest.raises(RuntimeError, match="nothing_of_that_name"):
        list(trials(faults, tests=[tmp_path / "test_small.py"], root=tmp_path, log=tmp_path / "log"))


def test_every_watched_room_has_faults_and_tests() -> None:
    for name in ROOMS:
        assert modules(name), name
        assert laws_of(ROOT / name, {*modules(name)}), name
    own, importing, slow = laws_of(ROOT / "nas" / "scores", {ROOT / "nas" / "scores" / "store.py"})
    assert "test_intervals.py" in [path.name for path in own]
    assert "test_store.py" in [path.name for path in slow]
    assert not {*own} & {*importing}
    assert laws_of(ROOT / "nas" / "scores", {ROOT / "nas" / "scores" / "store.py"}, own_only=True) == [own, slow]


def test_a_seed_draws_the_same_faults_of_a_room() -> None:
    assert faults_of("nas/racing", num=3, seed=0) == faults_of("nas/racing", num=3, seed=0)
    assert faults_of("nas/racing", num=3, seed=0) != faults_of("nas/racing", num=3, seed=1)
    every = faults_of("nas/racing/allocation.py", num=3, seed=0)
    assert len(every) > 3
    line = every[0][1].line
    of_line = faults_of(f"nas/racing/allocation.py:{line}", num=3, seed=0)
    assert of_line == [fault for fault in every if fault[1].line == line]


def test_what_is_known_to_change_nothing_stands_in_its_module_and_is_not_tried(tmp_path: Path) -> None:
    for module, known in equivalents().items():
        lines = [line.strip() for line in (ROOT / module).read_text().splitlines()]
        for each in known:
            assert lines.count(each["line"]) == 1, f"{module} has not once: {each['line']}"
            assert each["because"]
    name = "nas/values/group.py"
    faults = [fault for fault in faults_of(name, num=0, seed=0) if fault[1].what == "1.0 -> 2.0"]
    told = [trial for _, trial in tried(name, faults, log=tmp_path / "log")]
    assert [trial.verdict for trial in told] == [Verdict.EQUIVALENT] * len(faults)
    assert "sort" in told[0].by


def test_the_table_counts_by_room() -> None:
    race = ROOT / "nas" / "racing" / "race.py"
    told = [Verdict.KILLED, Verdict.SURVIVED, Verdict.EQUIVALENT]
    lines = table([*((race, each) for each in told), (ROOT / "nas/scores/store.py", Verdict.KILLED)])
    assert lines.splitlines()[1].split() == ["nas/racing", "3", "1", "0", "1", "1", "50.0%"]
    assert lines.splitlines()[-1].split() == ["all", "4", "2", "0", "1", "1", "33.3%"]
