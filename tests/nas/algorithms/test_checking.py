"""The door of algorithms: what one asks for is checked before it is executed, and its faults are called its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.algorithms.checking import AlgorithmError, blamed, check_step
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Contest, Finish, Job, Result, Score, StopReason, Subject, Train
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.directory import RunDirectory
from nas.scores.intervals import mean_interval
from nas.search import driver
from nas.testing.playing import SMALL_UNET, MacsMs, play
from search_spaces import space_from_config
from tests.nas.synthetic import small_config, write_experiment

SPACE = space_from_config(SMALL_UNET, max_copies=1)
PRICE_MS = MacsMs(SPACE)
PROBLEM: Problem[Any] = Problem(
    space=SPACE, price_ms=PRICE_MS, target_latency_ms=0.9 * PRICE_MS(SPACE.base), settings=EvolvingSettings()
)
SCORE = mean_interval([0.5, 0.6])
BASE = Subject(architecture=SPACE.base, weights="w")
OUTSIDE = Subject(architecture=space_from_config(SMALL_UNET | {"layers_per_block": 2}).base, weights="w")
LAST = Result(subject=BASE, round=0, score=SCORE, missed_by={"latency_ms": 1.0})


def score(**changes: Any) -> Score:
    return replace(Score(round=0, subjects=(BASE,), reference=BASE), **changes)


def finish(*results: Result) -> Finish:
    return Finish(results=results, reason=StopReason.CONVERGED, base=SCORE)


@pytest.mark.parametrize(
    ("step", "law"),
    [
        ("train", "must be Train, Score or Finish"),
        (Train(round=0, jobs=()), "at least one job"),
        (Train(round=0, jobs=(Job(architecture=SPACE.base, share=-1.0),)), "`share` .* but got -1.0"),
        (Train(round=0, jobs=(Job(architecture=OUTSIDE.architecture),)), "not in this space"),
        (score(subjects=(), reference=None), "a subject or a reference"),
        (score(subjects=(OUTSIDE,)), "not in this space"),
        (score(contest=Contest(saved_ms={1: 1.0}, num=1)), r"indices of its 1 subjects, but \[1\] are not"),
        (score(contest=Contest(saved_ms={0: 0.0}, num=1)), r"positive number of milliseconds, but \[0\] do not"),
        (score(contest=Contest(saved_ms={0: 1.0}, num=0)), "at least one place"),
        (score(reference=None, contest=Contest(saved_ms={0: 1.0}, num=1)), "needs a reference"),
        (finish(), "at least one result"),
        (finish(LAST, LAST), "labels must differ"),
        (finish(replace(LAST, label="../../escaped")), "since they name files"),
        (finish(replace(LAST, label="..")), "since they name files"),
        (finish(replace(LAST, missed_by={})), "misses its limits by nothing"),
        (finish(replace(LAST, subject=OUTSIDE)), "not in this space"),
    ],
)
def test_a_step_that_cannot_be_executed_is_refused(step: Any, law: str) -> None:
    with pytest.raises(AlgorithmError, match=law):
        check_step(step, problem=PROBLEM)


def test_what_a_disk_refuses_is_no_fault_of_an_algorithm() -> None:
    refusal = OSError("full")
    with pytest.raises(OSError, match="full") as raised, blamed(ArchitectureEvolving(EvolvingSettings()), 3):
        raise refusal
    assert raised.value is refusal


def test_everything_that_algorithm_1_asks_for_can_be_executed() -> None:
    for step, _ in play(ArchitectureEvolving(EvolvingSettings()), replace(PROBLEM, recovers=True)):
        check_step(step, problem=PROBLEM)


class Misbehaving(ArchitectureEvolving):
    """Algorithm 1 with a fault."""

    def __init__(self, fault: str) -> None:
        super().__init__(EvolvingSettings(max_copies=0))
        self._fault = fault

    def max_steps(self, problem: Problem[Any], /) -> int:
        return 1 if self._fault == "endless" else super().max_steps(problem)

    def step(self, state: Any, /) -> Any:
        match self._fault:
            case "raises":
                raise KeyError("oops")
            case "stranger" if state.is_trained:
                reference = Subject(architecture=state.architecture, weights="nobody")
                return Score(round=state.round, subjects=(), reference=reference)
        return super().step(state)

    def told(self, state: Any, step: Any, outcome: Any, /) -> Any:
        if self._fault == "deaf":
            raise IndexError("too far")
        return super().told(state, step, outcome)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = small_config() | {"robust_training": {}}
    return write_experiment(tmp_path_factory.mktemp("experiment"), settings)


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("raises", "'evolving' failed at step 0: KeyError: 'oops'"),
        ("deaf", "'evolving' failed at step 0: IndexError: too far"),
        ("endless", "'evolving' must finish within 1 steps"),
        ("stranger", "nobody gave 'nobody': a fault of the search algorithm"),
    ],
)
def test_a_fault_of_an_algorithm_is_called_its_own(config: Path, tmp_path: Path, fault: str, law: str) -> None:
    experiment = replace(resolve(load_config(config)), algorithm=Misbehaving(fault))
    with pytest.raises(AlgorithmError, match=law):
        driver.search(experiment, RunDirectory(tmp_path / "run"))
