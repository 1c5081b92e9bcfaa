"""What is foreseen of a search, counted by hand: pictures, passes and training steps of one step of each kind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from nas.algorithms.algorithm import Declaration as AlgorithmDeclaration
from nas.algorithms.steps import (
    FIRST,
    Contest,
    Finish,
    Job,
    PromptSet,
    Recipe,
    Score,
    Scored,
    StopReason,
    Subject,
    Train,
)
from nas.evaluation.door import Declaration, Reference
from nas.racing.settings import RacingSettings
from nas.scores.intervals import mean_interval
from nas.scores.prompts import ValidationSet
from nas.search.costs.foreseeing import foresee
from nas.search.costs.pace import Pace, measure_pace
from nas.search.costs.work import Work
from nas.tabular.replay import problem_of
from nas.tabular.space import Row
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationTask
from tests.nas.made_up_table import made_up

PROMPTS = ValidationSet.from_captions([f"caption {index}" for index in range(10)], seed=0, chunk_size=2)
RACING = RacingSettings(min_prompts=4)  # the first look, of the ten
ITERATIONS = {Recipe.ROBUST: 10, Recipe.RECOVERY: 3}
BASE = Subject(architecture=Row(0), weights="w")
THREE = tuple(Subject(architecture=Row(mask), weights="w") for mask in (1, 2, 4))


def declared(name: str, *, reference: Reference, **passes: int) -> Declaration:
    return Declaration(
        name=name, unit="", higher_is_better=False, is_distance=True, digest=name, reference=reference, **passes
    )


OTHERS = {
    "to_round": declared(
        "to_round", reference=Reference.ROUND, passes_per_prompt=2, passes_to_start=5, passes_to_refer=3
    ),
    "to_model": declared("to_model", reference=Reference.MODEL, passes_per_prompt=1, passes_to_start=7),
}
CONTEST = Score(round=0, subjects=THREE, reference=BASE, contest=Contest(saved_ms={0: 1.0, 1: 4.0}, num=1))


def train(recipe: Recipe, *shares: float) -> Train:
    return Train(
        round=0, jobs=tuple(Job(architecture=Row(0), recipe=recipe, parent=FIRST, share=share) for share in shares)
    )


@dataclass(frozen=True)
class Scripted:
    """Asks for some steps whatever comes of them, and keeps that."""

    steps: tuple[Train | Score, ...]
    outcomes: list[Any] = field(default_factory=list)
    settings: Any = None
    declaration: AlgorithmDeclaration = field(
        default_factory=lambda: AlgorithmDeclaration(name="scripted", paper="none", cost="known", scores=(*OTHERS,))
    )

    def start(self, problem: Any, /) -> int:
        return 0

    def max_steps(self, problem: Any, /) -> int:
        return len(self.steps) + 1

    def step(self, state: int, /) -> Train | Score | Finish:
        if state < len(self.steps):
            return self.steps[state]
        return Finish(results=(), reason=StopReason.CONVERGED, base=mean_interval([0.0, 1.0]))

    def told(self, state: int, step: Any, outcome: Any, /) -> int:
        self.outcomes.append(outcome)
        return state + 1


def foreseen(*steps: Train | Score, racing: RacingSettings | None = RACING) -> tuple[Work, Work]:
    return foresee(
        Scripted(steps),
        problem_of(made_up(), settings=None),
        validation=PROMPTS,
        racing=racing,
        iterations=ITERATIONS,
        others=OTHERS,
        num_workers=2,
        sets={PromptSet.FINAL: 6},
    )


def by(name: str, *, num: int | None) -> Score:
    return Score(round=0, subjects=THREE, reference=BASE, by=name, num_prompts=num)


@pytest.mark.parametrize(
    ("steps", "least", "most"),
    [
        ([train(Recipe.ROBUST, 1.0, 0.5)], (1, 0, 15, 0), (1, 0, 15, 0)),
        ([train(Recipe.ROBUST, 1.0), train(Recipe.RECOVERY, 1.0)], (2, 0, 13, 0), (2, 0, 13, 0)),
        ([CONTEST], (0, 10 + 2 * 4, 0, 0), (0, 10 + 3 * 10, 0, 0)),
        ([Score(round=0, subjects=THREE)], (0, 30, 0, 0), (0, 30, 0, 0)),
        ([Score(round=0, subjects=THREE, reference=BASE, prompts=PromptSet.FINAL)], (0, 24, 0, 0), (0, 24, 0, 0)),
        ([Score(round=0, subjects=THREE, reference=BASE, num_prompts=4)], (0, 16, 0, 0), (0, 16, 0, 0)),
        ([by("to_round", num=4)], (0, 0, 0, 2 * 16 + 2 * (5 + 3) * 4), (0, 0, 0, 2 * 16 + 2 * (5 + 3) * 4)),
        ([by("to_round", num=4)] * 3, (0, 0, 0, 6 * 16 + 2 * (5 + 3 * 3) * 4), (0, 0, 0, 6 * 16 + 2 * (5 + 3 * 3) * 4)),
        ([by("to_model", num=None)] * 2, (0, 0, 0, 2 * 40 + 2 * 7 * 10), (0, 0, 0, 2 * 40 + 2 * 7 * 10)),
        ([by("to_model", num=4), by("to_model", num=2)], (0, 0, 0, 24 + 2 * 7 * 6), (0, 0, 0, 24 + 2 * 7 * 6)),
    ],
)
def test_the_work_of_each_kind_of_step_is_counted(
    steps: list[Train | Score], least: tuple[int, ...], most: tuple[int, ...]
) -> None:
    """In the order rounds, pictures, training steps, passes; each of the two workers prepares for other scores."""
    names = ("num_rounds", "num_pictures", "num_training_steps", "num_passes")
    expected = tuple(Work(**dict(zip(names, each, strict=True))) for each in (least, most))
    assert foreseen(*steps) == expected
    exhaustive = foreseen(*steps, racing=None)
    assert exhaustive == (expected[1], expected[1]), "without racing everybody gets all prompts"


class Clockwork:
    """Workers and a trainer of known pace: a chunk takes six seconds of a clock that only they move."""

    def __init__(self) -> None:
        self.now_s, self.num_warm, self.asked = 0.0, 0, list[EvaluationTask]()

    def perf_counter(self) -> float:
        return self.now_s

    def warm_up(self, task: EvaluationTask, /) -> None:
        self.now_s, self.num_warm = self.now_s + 100, self.num_warm + 1

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[str]:
        self.asked += tasks
        self.now_s += 6
        yield from ("" for _ in tasks)

    def time_step(self) -> float:
        return 2.5


@pytest.mark.parametrize(
    ("per_worker", "on_gpu", "num_gpus"), [(0.0, False, 0.0), (0.0, True, 1.0), (1.0, True, 3.0), (0.25, True, 1.0)]
)
def test_the_pace_is_that_of_all_workers_together_once_they_are_warm(
    per_worker: float, on_gpu: bool, num_gpus: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clockwork: Any = Clockwork()
    monkeypatch.setattr("nas.search.costs.pace.time", clockwork)
    base: Any = Row(0)
    pace = measure_pace(
        clockwork, clockwork, base=base, num_prompts=4, on_gpu=on_gpu, passes_per_picture=8,
        workers=WorkerSettings(num_workers=3, gpus_per_worker=per_worker),
    )  # fmt: skip
    assert pace == Pace(seconds_per_picture=0.5, seconds_per_training_step=2.5, num_gpus=num_gpus, passes_per_picture=8)
    assert (clockwork.num_warm, len(clockwork.asked)) == (1, 3)
    work = Work(num_rounds=1, num_pictures=100, num_training_steps=4, num_passes=16)
    assert pace.seconds(work) == 100 * 0.5 + 2 * 0.5 + 4 * 2.5


def test_made_up_losses_prefer_the_slowest_or_the_quickest_and_screen_all_or_nobody() -> None:
    algorithm = Scripted((CONTEST, by("to_round", num=4), Score(round=0, subjects=THREE)))
    problem = problem_of(made_up(), settings=None)
    foresee(algorithm, problem, validation=PROMPTS, racing=None, iterations=ITERATIONS, others=OTHERS)
    assert all(isinstance(outcome, Scored) for outcome in algorithm.outcomes)
    lost = [
        [None if each.loss is None else each.loss.mean for each in outcome.estimates] for outcome in algorithm.outcomes
    ]
    assert [outcome.reference is not None for outcome in algorithm.outcomes] == [True, True, False] * 4
    assert lost[0::3] == [[1.0, 2.0, 1.0]] * 2 + [[1.0, 16.0, 1.0]] * 2, "powers of the milliseconds saved"
    saved_ms = [problem.price_ms(Row(0)) - problem.price_ms(each.architecture) for each in THREE]
    said = [[(ms / min(saved_ms)) ** power for ms in saved_ms] for power in (0.5, 2)]
    assert lost[1::3] == [[0.0] * 3, pytest.approx(said[0]), [0.0] * 3, pytest.approx(said[1])], "by another score"
    assert lost[2::3] == [[None] * 3] * 4
