"""Rounds scored exhaustively and by racing: the same pictures, the same decision, fewer of them."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latency import write_table
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.steps import Score, Scored, Subject, Trained
from nas.config.experiment import Experiment
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.racing.settings import RacingSettings
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.scoring.chunks import Chunks
from nas.search.scoring.scorer import Scorer
from nas.search.scoring.step_scorer import StepScorer
from nas.workers.worker import EvaluationResult, EvaluationTask
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.synthetic import shapes_space, small_config, synthetic_table, write_experiment

NUM_PROMPTS, CHUNK_SIZE = 240, 8
PROMPTS = ValidationSet.from_captions([f"caption {i}" for i in range(NUM_PROMPTS)], seed=0, chunk_size=CHUNK_SIZE)


class ArithmeticPool:
    """Each block has a worth, each caption a difficulty, each picture its luck; nothing else makes a score."""

    def __init__(self) -> None:
        self.num_pictures = 0

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None: ...

    def warm_up(self, task: EvaluationTask, /) -> None: ...

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        for task in reversed(tasks):
            prompts = PROMPTS.chunk(task.chunk)
            self.num_pictures += len(prompts)
            pictures = np.zeros((len(prompts), 2, 2, 3), dtype=np.uint8) if task.with_pictures else None
            scores = tuple(self._score(task, prompt.noise_seed) for prompt in prompts)
            yield EvaluationResult(task=task, scores=scores, seconds=0.0, worker="pool", pictures=pictures)

    def close(self) -> None: ...

    @staticmethod
    def _score(task: EvaluationTask, noise_seed: int) -> float:
        difficulty = np.random.default_rng(noise_seed).normal(0, 0.1)
        worth = sum(
            0.05 * (index % 7) * (position.resnets + position.cross_attentions)
            for index, (_, position) in enumerate(task.architecture.positions())
        )
        luck = np.random.default_rng([noise_seed, int(task.architecture.arch_id, 16) % 2**32]).normal(0, 0.02)
        return float(0.5 + worth / 10 + difficulty + luck)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """An experiment in which all 38 removals compete on many prompts."""
    config = small_config(protected=[], target_ratio=0.8, removals_per_round=3) | {"model": str(PIPELINE_DIR)}
    path = write_experiment(tmp_path_factory.mktemp("wide"), config)
    write_table(synthetic_table(shapes_space()), path.parent / "table.json")
    resolved = resolve(load_config(path))
    return replace(resolved, problem=replace(resolved.problem, latency_error=0.0))


def first_scoring(experiment: Experiment) -> tuple[Any, Score]:
    """The state after the first training, and the scoring that it asks for."""
    algorithm = ArchitectureEvolving(experiment.problem.settings)
    state = algorithm.start(experiment.problem)
    state = algorithm.told(state, algorithm.step(state), Trained(digests=("w",)))
    step = algorithm.step(state)
    assert isinstance(step, Score)
    return state, step


def step_scorer(
    pool: ArithmeticPool, folder: Path, racing: RacingSettings | None, *, held: list[str] | None = None
) -> StepScorer:
    return StepScorer(
        Scorer(pool, store=ScoreStore(folder), prompts=PROMPTS, protocol_digest="p"),
        hold=lambda weights: None if held is None else held.append(weights),
        confidence=0.95,
        higher_is_better=True,
        racing=racing,
        latency_error=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class Way:
    """A first round scored in one way, the pictures that were made for it, and what was told of its progress."""

    step: Score
    outcome: Scored
    num_pictures: int
    told: list[tuple[int, int]]
    store: Path


def scored(experiment: Experiment, folder: Path, racing: RacingSettings | None) -> Way:
    pool, (_, step), told = ArithmeticPool(), first_scoring(experiment), list[tuple[int, int]]()
    outcome = step_scorer(pool, folder, racing).score(step, on_chunk=lambda *done: told.append(done))
    return Way(step=step, outcome=outcome, num_pictures=pool.num_pictures, told=told, store=folder)


@pytest.fixture(scope="module")
def exhaustive(wide: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Way:
    return scored(wide, tmp_path_factory.mktemp("exhaustive"), None)


@pytest.fixture(scope="module")
def raced(wide: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Way:
    return scored(wide, tmp_path_factory.mktemp("raced"), RacingSettings())


def test_racing_decides_like_exhaustive_scoring_with_fewer_pictures(
    wide: Experiment, exhaustive: Way, raced: Way
) -> None:
    step = exhaustive.step
    assert exhaustive.num_pictures == NUM_PROMPTS * (1 + len(step.subjects))
    assert raced.num_pictures < 0.7 * exhaustive.num_pictures
    assert exhaustive.outcome.reference == raced.outcome.reference
    algorithm = ArchitectureEvolving(wide.problem.settings)
    state, _ = first_scoring(wide)
    steps = [algorithm.step(algorithm.told(state, step, way.outcome)) for way in (exhaustive, raced)]
    decisions = [following.decision for following in steps]
    assert decisions[0] is not None
    assert decisions[1] is not None
    assert set(decisions[0].actions) == set(decisions[1].actions) != set()
    assert exhaustive.outcome.verdict is None
    assert raced.outcome.verdict is not None
    assert step.contest is not None
    for index, estimate in enumerate(raced.outcome.estimates):
        assert (estimate is None) == (index not in step.contest.saved_ms)


def test_a_store_that_was_raced_gives_its_pictures_to_exhaustive_scoring(
    wide: Experiment, raced: Way, exhaustive: Way, tmp_path: Path
) -> None:
    store = shutil.copytree(raced.store, tmp_path / "store")
    others = scored(wide, store, None)
    assert raced.num_pictures + others.num_pictures == exhaustive.num_pictures
    again = scored(wide, store, RacingSettings())
    assert again.num_pictures == 0
    assert again.outcome == raced.outcome


@pytest.mark.parametrize("name", ["raced", "exhaustive"])
def test_progress_ends_where_it_said_it_would(name: str, request: pytest.FixtureRequest) -> None:
    way: Way = request.getfixturevalue(name)
    done, total = zip(*way.told, strict=True)
    assert list(done) == sorted(done)
    assert way.told[-1][0] * CHUNK_SIZE == way.num_pictures
    assert done[-1] == total[-1] == min(total), "it never says less than it comes to"
    assert max(total) <= PROMPTS.num_chunks * (1 + len(way.step.subjects))


def test_a_step_without_subjects_scores_its_reference_alone(wide: Experiment, tmp_path: Path) -> None:
    pool = ArithmeticPool()
    step = Score(round=3, subjects=(), reference=Subject(architecture=wide.space.base, weights="w"))
    outcome = step_scorer(pool, tmp_path, RacingSettings()).score(step, on_chunk=lambda *done: None)
    assert (outcome.estimates, outcome.verdict, pool.num_pictures) == ((), None, NUM_PROMPTS)
    assert outcome.reference is not None


def test_subjects_without_a_reference_have_scores_and_no_losses(wide: Experiment, tmp_path: Path) -> None:
    pool, (_, step) = ArithmeticPool(), first_scoring(wide)
    subjects = step.subjects[:3]
    outcome = step_scorer(pool, tmp_path, RacingSettings()).score(
        Score(round=0, subjects=subjects), on_chunk=lambda *done: None
    )
    assert pool.num_pictures == 3 * NUM_PROMPTS
    assert [estimate.loss for estimate in outcome.estimates if estimate is not None] == [None] * 3


def test_weights_are_held_one_after_the_other(wide: Experiment, tmp_path: Path) -> None:
    """Subjects may come with weights of several trainings: each group is scored while the workers hold its own."""
    pool, (_, step), held = ArithmeticPool(), first_scoring(wide), list[str]()
    subjects = tuple(replace(s, weights=weights) for s, weights in zip(step.subjects, "vuvu", strict=False))
    scorer = step_scorer(pool, tmp_path, None, held=held)
    told: list[tuple[int, int]] = []
    outcome = scorer.score(
        Score(round=0, subjects=subjects, reference=step.reference), on_chunk=lambda *done: told.append(done)
    )
    assert held == ["w", "v", "u"]
    assert told[-1] == (5 * PROMPTS.num_chunks,) * 2
    alone = [
        scorer.score(Score(round=0, subjects=(s,), reference=step.reference), on_chunk=lambda *d: None)
        for s in subjects
    ]
    assert [estimate for one in alone for estimate in one.estimates] == list(outcome.estimates)


def test_a_later_look_tells_what_is_still_to_come_of_all_weights(wide: Experiment, tmp_path: Path) -> None:
    """Chunks scored and at most to come, after each chunk of a second look: four subjects of two trainings."""
    _, step = first_scoring(wide)
    subjects = tuple(replace(s, weights=weights) for s, weights in zip(step.subjects, "vuvu", strict=False))
    told: list[tuple[int, int]] = []
    chunks = Chunks(
        Scorer(ArithmeticPool(), store=ScoreStore(tmp_path), prompts=PROMPTS, protocol_digest="p"),
        Score(round=0, subjects=subjects, reference=step.reference),
        hold=lambda weights: None,
        on_chunk=lambda *done: told.append(done),
        num_samples=0,
        on_answer=lambda result, *, step, subject: None,
    )
    indices, most = range(len(subjects)), len(subjects) * PROMPTS.num_chunks
    chunks.extend(indices, 2)
    chunks.extend(indices, 5)
    assert {total for _, total in told} == {most}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (5 * len(subjects), most)
