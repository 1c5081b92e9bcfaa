"""The fuzzers' frame finds what it should, and each fuzzer finds nothing in a few inputs; `make fuzz` runs many."""

import time
from pathlib import Path

import pytest

from experiments.fuzz.__main__ import fuzzers, main, table
from experiments.fuzz.portions import Limits, Portion, portions, run_portion
from experiments.fuzz.running import FINDS, Outcome, load_inputs, outcome_of
from nas.runs.checkpoints.weights import CheckpointWarning

FUZZER = """
import os, time
from experiments.fuzz.case import Case
from search_spaces.files.user_error import UserError

def raises(error):
    raise error

def inputs(seed, num):
    yield Case("accepted", lambda: None)
    yield Case("refused", lambda: raises(UserError("law")))
    yield Case("printed", lambda: print("no line of the frame"))
    yield Case("traceback", lambda: raises(ValueError("riddle")))
    yield Case("hang", lambda: time.sleep(60))
    yield Case("disk", lambda: raises(OSError(28, "full")))
    yield Case("memory", lambda: bytearray(2**34))
    yield Case("death", lambda: os.abort())
    yield Case("exit", lambda: raises(SystemExit(0)))
"""
EXPECTED = {
    Outcome.ACCEPTED: 2,
    Outcome.REFUSED: 2,
    Outcome.TRACEBACK: 2,
    Outcome.HANG: 1,
    Outcome.MEMORY: 1,
    Outcome.DEATH: 1,
}


@pytest.fixture
def planted(tmp_path: Path) -> Portion:
    """A fuzzer with one input of every outcome."""
    (tmp_path / "planted.py").write_text(FUZZER)
    return Portion(tmp_path / "planted.py", 0, 9)


def test_every_outcome_is_told_and_the_run_goes_on(planted: Portion) -> None:
    told = run_portion(planted, limits=Limits(input_s=0.3))
    assert told.counts == EXPECTED
    assert [(find.case, find.outcome) for find in told.finds] == [
        ("traceback", Outcome.TRACEBACK),
        ("hang", Outcome.HANG),
        ("memory", Outcome.MEMORY),
        ("death", Outcome.DEATH),
        ("exit", Outcome.TRACEBACK),
    ]
    assert "ValueError: riddle" in told.finds[0].trace
    assert told.finds[1].command == "python -m experiments.fuzz --only planted/hang --seed 0 --num 9"
    lines = table([told, told]).splitlines()
    assert lines[-1].split() == ["all", "18", "4", "4", "4", "2", "2", "2"]


def test_a_processor_that_is_never_left_alone_is_taken_away(tmp_path: Path) -> None:
    endless = FUZZER[: FUZZER.index("    yield")] + '    yield Case("endless", lambda: sum(iter(int, 1)))\n'
    (tmp_path / "endless.py").write_text(endless)
    told = run_portion(Portion(tmp_path / "endless.py", 0, 1), limits=Limits(input_s=0.3))
    assert told.counts == {Outcome.HANG: 1}


def test_the_clock_ends_it(planted: Portion) -> None:
    began = time.monotonic()
    told = run_portion(planted, limits=Limits(end_s=began - 1))
    assert told.counts.total() == 0


def test_inputs_are_shared_out_with_a_seed_for_each_portion() -> None:
    files = [Path("a.py"), Path("b.py")]
    shared = portions(files, num=6_601, seed=7)
    assert [portion.fuzzer for portion in shared[:3]] == [*files, files[0]]
    for file in files:
        own = [portion for portion in shared if portion.fuzzer == file]
        assert sum(portion.num for portion in own) == 3_301
        assert [portion.seed for portion in own] == [7, 8, 9]


def test_a_command_runs_one_input_again(capsys: pytest.CaptureFixture[str]) -> None:
    name = next(case.name for case in load_inputs(fuzzer("weights"))(3, 20) if case.name.split()[1] == "checkpoint")
    with pytest.warns(CheckpointWarning):
        assert main(["--only", f"weights/{name}", "--seed", "3", "--num", "20"]) == 0
    assert f"{name}: accepted" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="weights has no case 'none' of seed 3 among 20"):
        main(["--only", "weights/none", "--seed", "3", "--num", "20"])


def fuzzer(name: str, /) -> Path:
    (found,) = (path for path in fuzzers() if path.stem == name)
    return found


@pytest.mark.parametrize("path", fuzzers(), ids=lambda path: path.stem)
def test_a_few_inputs_are_read_or_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = {case.name: outcome_of(case) for case in load_inputs(path)(0, 40)}
    assert len(outcomes) == 40, "names must be unique"
    assert {name: trace for name, (outcome, trace) in outcomes.items() if outcome in FINDS} == {}
    assert {outcome for outcome, _ in outcomes.values()} >= {Outcome.REFUSED}
