"""Scoring: every picture made at most once, scores in the order of the prompts however they arrive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.scoring.scorer import AnotherMakerError, MixedWorkersError, Scorer
from nas.workers.worker import EvaluationResult, EvaluationTask
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

    def warm_up(self, task: EvaluationTask, /) -> None: ...

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        for task in reversed(tasks):
            self.asked.append(task)
            pictures = pictures_of(task) if task.with_pictures else None
            yield EvaluationResult(task=task, scores=scores_of(task), seconds=0.0, worker="fake", pictures=pictures)

    def close(self) -> None: ...


def scores_of(task: EvaluationTask) -> tuple[float, ...]:
    return tuple(
        task.architecture.num_resnets + task.chunk / 10 + i / 100 for i in range(len(PROMPTS.chunk(task.chunk)))
    )


def pictures_of(task: EvaluationTask) -> npt.NDArray[np.uint8]:
    return np.full((len(PROMPTS.chunk(task.chunk)), 4, 6, 3), task.architecture.num_resnets, np.uint8)


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


def test_more_prompts_reuse_every_chunk_they_share(pool: FakePool, tmp_path: Path) -> None:
    fewer = ValidationSet(prompts=PROMPTS.prompts[:2], chunk_size=2)
    first = Scorer(pool, store=ScoreStore(tmp_path), prompts=fewer, protocol_digest="p")
    scores = first.score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    pool.asked.clear()
    more = scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert sorted(task.chunk for task in pool.asked) == [1, 2]
    assert more[ONE][:2] == scores[ONE]


def test_some_chunks_may_be_scored_alone_in_any_order(pool: FakePool, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    scores = scorer(pool, tmp_path).score(
        [TWO], weights_digest="w", on_chunk=lambda *done: told.append(done), chunks=[2, 0]
    )
    assert scores[TWO] == pytest.approx([21.2, 21.0, 21.01])
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_an_architecture_that_is_asked_for_twice_is_scored_once(pool: FakePool, tmp_path: Path) -> None:
    scorer(pool, tmp_path).score([ONE, ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert len(pool.asked) == 3


def test_the_scores_that_another_process_stored_meanwhile_count(pool: FakePool, tmp_path: Path) -> None:
    """While this pool works, another search writes other bits for the same keys: theirs were first."""

    class Overtaken(FakePool):
        def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
            scorer(Shifted(), tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
            yield from super().evaluate(tasks)

    class Shifted(FakePool):
        def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
            for result in super().evaluate(tasks):
                yield replace(result, scores=tuple(score + 1 for score in result.scores))

    scores = scorer(Overtaken(), tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert scores[ONE] == scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)[ONE]
    assert scores[ONE][0] == 23
    assert pool.asked == []


def test_pictures_are_made_with_the_scores_once_and_for_all(pool: FakePool, tmp_path: Path) -> None:
    first = scorer(pool, tmp_path)
    first.score([ONE, TWO], weights_digest="w", on_chunk=lambda *_: None, picture_of=TWO)
    assert [task for task in pool.asked if task.with_pictures] == [
        EvaluationTask(architecture=TWO, chunk=0, with_pictures=True)
    ]
    pool.asked.clear()
    for one in (first, scorer(pool, tmp_path)):
        pictures = one.pictures(TWO, weights_digest="w")
        assert pictures.shape == (2, 4, 6, 3)
        assert set(pictures.ravel()) == {TWO.num_resnets}
        one.score([ONE, TWO], weights_digest="w", on_chunk=lambda *_: None, picture_of=TWO)
    assert pool.asked == []


def test_pictures_of_what_was_scored_without_them_are_made_when_asked_for(pool: FakePool, tmp_path: Path) -> None:
    one = scorer(pool, tmp_path)
    before = one.score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    pool.asked.clear()
    assert len(one.pictures(ONE, weights_digest="w")) == 2
    assert len(one.pictures(ONE, weights_digest="w")) == 2
    assert pool.asked == [EvaluationTask(architecture=ONE, chunk=0, with_pictures=True)]
    assert one.score([ONE], weights_digest="w", on_chunk=lambda *_: None) == before


def test_small_pictures_of_the_others_are_kept_and_never_taken_for_whole_ones(pool: FakePool, tmp_path: Path) -> None:
    class Sampling(FakePool):
        def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
            for result in super().evaluate(tasks):
                num = result.task.num_samples
                yield replace(result, pictures=pictures_of(result.task)[:num]) if num else result

    answered: list[EvaluationResult] = []
    one = scorer(Sampling(), tmp_path)
    one.score(
        [ONE, TWO], weights_digest="w", on_chunk=lambda *_: None, picture_of=ONE, num_samples=1,
        on_answer=answered.append,
    )  # fmt: skip
    assert [(r.task.architecture, r.task.chunk) for r in answered if r.task.num_samples] == [(TWO, 0)]
    assert len(answered) == 6
    assert {path.name.split("-")[0] for path in tmp_path.rglob("*.samples.parquet")} == {TWO.arch_id}
    assert len(one.pictures(TWO, weights_digest="w")) == 2, "drawn now, all of them"
    before = scorer(pool, tmp_path).score([TWO], weights_digest="w", on_chunk=lambda *_: None, num_samples=1)
    assert len(before[TWO]) == 5
    assert pool.asked == [], "what was scored without small pictures stays without them"


class Board(FakePool):
    """A pool on another kind of machine, whose scores have other last bits."""

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        for result in super().evaluate(tasks):
            scores = tuple(score + 1e-6 for score in result.scores)
            yield replace(result, scores=scores, made_by="torch 3 on a board")


def test_scores_of_another_kind_of_machine_are_never_taken(pool: FakePool, tmp_path: Path) -> None:
    """One process scored a part; another machine goes on in the same store, and asks again what that one had."""
    first = scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    board = Board()
    one = Scorer(board, store=ScoreStore(tmp_path), prompts=PROMPTS, protocol_digest="p", made_by="torch 3 on a board")
    again = one.score([ONE, TWO], weights_digest="w", on_chunk=lambda *_: None)
    assert len(board.asked) == 6
    assert again[ONE] == tuple(score + 1e-6 for score in first[ONE])
    pool.asked.clear()
    both = scorer(pool, tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None, chunks=[0])
    assert both[ONE] == again[ONE][:2], "whole chunks of one of them"


def test_who_assumes_that_stored_scores_are_its_workers_learns_it_by_the_first_answer(tmp_path: Path) -> None:
    """On Ray only an answer says on what the workers run: then what was taken from the store is asked again."""
    scorer(FakePool(), tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    board = Board()
    one = scorer(board, tmp_path)
    before = one.score([ONE], weights_digest="w", on_chunk=lambda *_: None)
    assert board.asked == []
    with pytest.raises(AnotherMakerError):
        one.score([TWO], weights_digest="w", on_chunk=lambda *_: None)
    after = one.score([ONE, TWO], weights_digest="w", on_chunk=lambda *_: None)
    assert after[ONE] != before[ONE]
    assert len(board.asked) == len(set(board.asked)) == 6, "the answer that told it is kept"


def test_workers_of_different_kinds_are_refused(tmp_path: Path) -> None:
    class Mixed(FakePool):
        def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
            for result in super().evaluate(tasks):
                yield replace(result, made_by=("H100", "A100")[result.task.chunk % 2])

    with pytest.raises(
        MixedWorkersError, match=r"made by one kind of machine .* fake is 'A100' and others are 'H100';"
    ):
        scorer(Mixed(), tmp_path).score([ONE], weights_digest="w", on_chunk=lambda *_: None)
