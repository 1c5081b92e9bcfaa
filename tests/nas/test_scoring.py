"""Scoring: every picture made at most once, scores in the order of the prompts however they arrive."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch

from nas.evaluation.validation_set import ValidationSet
from nas.score_store import ScoreStore
from nas.scoring import Scorer
from nas.worker import EvaluationResult, EvaluationTask
from search_spaces import Action
from tests.nas.synthetic import shapes_space

SPACE = shapes_space()
ONE, TWO = SPACE.base, Action.parse("-resnet[mid,0]").apply(SPACE.base)
PROMPTS = ValidationSet.from_captions([f"caption {i}" for i in range(5)], seed=0, chunk_size=2)


class FakePool:
    """Answers backwards, with scores that tell architecture, chunk and place; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[EvaluationTask] = []

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None: ...

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        for task in reversed(tasks):
            self.asked.append(task)
            yield EvaluationResult(task=task, scores=scores_of(task), seconds=0.0, worker="fake")

    def close(self) -> None: ...


def scores_of(task: EvaluationTask) -> tuple[float, ...]:
    return tuple(
        task.architecture.num_resnets + task.chunk / 10 + i / 100 for i in range(len(PROMPTS.chunk(task.chunk)))
    )


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


def scorer(pool: FakePool, folder: Path, *, protocol: str = "p") -> Scorer:
    return Scorer(pool, store=ScoreStore(folder), prompts=PROMPTS, protocol_digest=protocol)


def test_scores_stand_in_the_order_of_the_prompts(pool: FakePool, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    scores = scorer(pool, tmp_path).score([ONE, TWO], weights_digest="w", on_chunk=lambda *done: told.append(done))
    expected = [chunk / 10 + i / 100 for chunk, size in ((0, 2), (1, 2), (2, 1)) for i in range(size)]
    assert scores[ONE] == pytest.approx([22 + e for e in expected])
    assert scores[TWO] == pytest.approx([21 + e for e in expected])
    assert told == [(done, 6) for done in range(7)]


def test_nothing_is_scored_twice(pool: FakePool, tmp_path: Path) -> None:
    first = scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    pool.asked.clear()
    both = scorer(pool, tmp_path).score([TWO, ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert both[ONE] == first[ONE]
    assert {task.architecture for task in pool.asked} == {TWO}


def test_what_an_interrupted_scoring_has_finished_is_kept(pool: FakePool, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=interrupt)
    assert [task.chunk for task in pool.asked] == [2, 1]
    pool.asked.clear()
    scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert [task.chunk for task in pool.asked] == [0]


def test_other_weights_and_another_protocol_are_scored_anew(pool: FakePool, tmp_path: Path) -> None:
    for weights, protocol in (("w", "p"), ("v", "p"), ("w", "q")):
        pool.asked.clear()
        scorer(pool, tmp_path, protocol=protocol).score([ONE], weights_digest=weights, on_chunk=lambda *_: None)
        assert len(pool.asked) == 3
