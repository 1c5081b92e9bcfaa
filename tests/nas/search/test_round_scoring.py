"""Rounds scored exhaustively and by racing: the same pictures, the same decision, fewer of them."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.algorithms.course import Course, Round
from nas.config.experiment import Experiment, resolve
from nas.config.loading import load_config
from nas.racing.race import RacingSettings
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.round_scoring import RoundScorer, RoundScores
from nas.search.scorer import Scorer
from nas.workers.worker import EvaluationResult, EvaluationTask
from tests.nas.synthetic import small_config, write_experiment

NUM_PROMPTS, CHUNK_SIZE = 240, 8
PROMPTS = ValidationSet.from_captions([f"caption {i}" for i in range(NUM_PROMPTS)], seed=0, chunk_size=CHUNK_SIZE)


class ArithmeticPool:
    """Each block has a worth, each caption a difficulty, each picture its luck; nothing else makes a score."""

    def __init__(self) -> None:
        self.num_pictures = 0

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None: ...

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
    config = small_config(protected=[], target_ratio=0.8, removals_per_round=3)
    resolved = resolve(load_config(write_experiment(tmp_path_factory.mktemp("wide"), config)))
    return replace(resolved, worker=replace(resolved.worker, validation=PROMPTS), latency_error=0.0)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A first round scored in one way, the pictures that were made for it, and what was told of its progress."""

    each: Round
    scores: RoundScores
    num_pictures: int
    told: list[tuple[int, int]]
    store: Path


def scored(experiment: Experiment, folder: Path, racing: RacingSettings | None) -> Scored:
    pool, told = ArithmeticPool(), list[tuple[int, int]]()
    scorer = Scorer(pool, store=ScoreStore(folder), prompts=PROMPTS, protocol_digest="p")
    each = Course(architecture=experiment.space.base).round(experiment.rules)
    scores = RoundScorer(replace(experiment, racing=racing), scorer).score(
        each, weights_digest="w", on_chunk=lambda *done: told.append(done)
    )
    return Scored(each=each, scores=scores, num_pictures=pool.num_pictures, told=told, store=folder)


@pytest.fixture(scope="module")
def exhaustive(wide: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(wide, tmp_path_factory.mktemp("exhaustive"), None)


@pytest.fixture(scope="module")
def raced(wide: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(wide, tmp_path_factory.mktemp("raced"), RacingSettings())


def test_racing_decides_like_exhaustive_scoring_with_fewer_pictures(
    wide: Experiment, exhaustive: Scored, raced: Scored
) -> None:
    assert exhaustive.num_pictures == NUM_PROMPTS * (1 + len(exhaustive.each.options))
    assert raced.num_pictures < 0.7 * exhaustive.num_pictures
    assert exhaustive.scores.clip == raced.scores.clip
    course = Course(architecture=wide.space.base)
    proposals = [course.decide(one.scores.ranking, wide.rules)[0] for one in (exhaustive, raced)]
    assert set(proposals[0].actions) == set(proposals[1].actions)
    assert raced.scores.verdict is not None
    assert {s.action: s.d_clip.num_prompts for s in raced.scores.ranking} == dict(raced.scores.verdict.num_prompts)


def test_a_store_that_was_raced_gives_its_pictures_to_exhaustive_scoring(
    wide: Experiment, raced: Scored, exhaustive: Scored, tmp_path: Path
) -> None:
    store = shutil.copytree(raced.store, tmp_path / "store")
    others = scored(wide, store, None)
    assert raced.num_pictures + others.num_pictures == exhaustive.num_pictures
    again = scored(wide, store, RacingSettings())
    assert again.num_pictures == 0
    assert again.scores == raced.scores


@pytest.mark.parametrize("way", ["raced", "exhaustive"])
def test_progress_ends_where_it_said_it_would(way: str, request: pytest.FixtureRequest) -> None:
    one: Scored = request.getfixturevalue(way)
    done, total = zip(*one.told, strict=True)
    assert list(done) == sorted(done)
    assert one.told[-1][0] * CHUNK_SIZE == one.num_pictures
    assert done[-1] == total[-1]
    assert max(total) <= PROMPTS.num_chunks * (1 + len(one.each.options))


def test_a_round_that_decides_nothing_scores_its_architecture_alone(wide: Experiment, tmp_path: Path) -> None:
    pool = ArithmeticPool()
    scorer = Scorer(pool, store=ScoreStore(tmp_path), prompts=PROMPTS, protocol_digest="p")
    each = Round(number=3, architecture=wide.space.base, recovering=True, options=(), contest=None)
    scores = RoundScorer(wide, scorer).score(each, weights_digest="w", on_chunk=lambda *done: None)
    assert (scores.ranking, scores.verdict, pool.num_pictures) == ((), None, NUM_PROMPTS)
