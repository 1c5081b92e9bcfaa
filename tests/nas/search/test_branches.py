"""A search whose weights branch: two trainings from the same weights, each trained on, two results from one run."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from nas.algorithms.algorithm import Declaration
from nas.algorithms.checking import AlgorithmError
from nas.algorithms.problem import Problem
from nas.algorithms.steps import (
    FIRST,
    Finish,
    Job,
    Outcome,
    Recipe,
    Result,
    Score,
    Scored,
    Step,
    StopReason,
    Subject,
    Train,
    Trained,
)
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.checkpoints.weights import weights_digest
from nas.runs.directory import RunDirectory
from nas.runs.spec import read_spec
from nas.scores.intervals import Interval
from nas.search import driver
from search_spaces import parse_action
from tests.nas.searching import comparable_trace
from tests.nas.synthetic import small_config, write_experiment


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Finalists, the weights of each, and what they scored."""

    problem: Problem[Any]
    finalists: tuple[Any, ...]
    round: int = 0
    weights: tuple[str, ...] = ()
    is_trained: bool = False
    scores: tuple[Interval, ...] = ()


class Reranking:
    """Trains every finalist from the same weights, scores them, trains each on, and ends with all of them."""

    settings = None
    declaration = Declaration(name="reranking", paper="none", cost="two scorings of every finalist")

    def __init__(self, *actions: str) -> None:
        self._actions = actions

    def start(self, problem: Problem[Any], /) -> Heat:
        finalists = tuple(parse_action(text).apply(problem.space.base) for text in self._actions)
        return Heat(problem=problem, finalists=finalists, weights=(FIRST,) * len(finalists))

    def max_steps(self, problem: Problem[Any], /) -> int:
        return 5

    def step(self, state: Heat, /) -> Step:
        if state.round == 2:
            over_ms = [state.problem.price_ms(a) - state.problem.target_latency_ms for a in state.finalists]
            finalists = zip(state.finalists, state.weights, state.scores, over_ms, strict=True)
            results = [
                Result(
                    subject=Subject(architecture=a, weights=w),
                    round=1,
                    score=score,
                    label=f"finalist-{index}",
                    missed_by={"latency_ms": over} if over > 0 else {},
                )
                for index, (a, w, score, over) in enumerate(finalists)
            ]
            best = max(results, key=lambda result: result.score.mean)
            others = tuple(result for result in results if result is not best)
            return Finish(results=(best, *others), reason=StopReason.CONVERGED, base=state.scores[0])
        if not state.is_trained:
            recipe = Recipe.RECOVERY if state.round else Recipe.ROBUST
            jobs = zip(state.finalists, state.weights, strict=True)
            return Train(
                round=state.round,
                jobs=tuple(Job(architecture=a, recipe=recipe, parent=parent) for a, parent in jobs),
            )
        subjects = zip(state.finalists, state.weights, strict=True)
        return Score(round=state.round, subjects=tuple(Subject(architecture=a, weights=w) for a, w in subjects))

    def told(self, state: Heat, step: Step, outcome: Outcome, /) -> Heat:
        if isinstance(outcome, Trained):
            return replace(state, weights=outcome.digests, is_trained=True)
        assert isinstance(outcome, Scored)
        scores = tuple(estimate.score for estimate in outcome.estimates if estimate is not None)
        return replace(state, scores=scores, round=state.round + 1, is_trained=False)


COPY, CUT = "+cross_attention[up.1,0]", "-resnet[mid,1]"  # a copy in one branch is none of the other's


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("branches"), small_config(max_copies=1))


def search(config: Path, out: Path, *actions: str) -> Path:
    experiment = replace(resolve(load_config(config)), algorithm=Reranking(*actions))
    driver.search(experiment, RunDirectory(out))
    return out


@pytest.fixture(scope="module")
def run(config: Path) -> Path:
    return search(config, config.parent / "run", COPY, CUT)


def digests(run: Path) -> list[str]:
    return [event["weights_digest"] for event in comparable_trace(run) if event["event"] == "trained"]


def test_a_branch_is_what_it_would_be_alone(config: Path, run: Path, tmp_path: Path) -> None:
    first_copy, first_cut, second_copy, second_cut = digests(run)
    assert len({first_copy, first_cut, second_copy, second_cut}) == 4
    assert digests(search(config, tmp_path / "copy", COPY)) == [first_copy, second_copy]
    assert digests(search(config, tmp_path / "cut", CUT)) == [first_cut, second_cut]


def test_a_run_with_branches_is_found_as_it_was(config: Path, run: Path) -> None:
    before = (run / "trace.jsonl").read_bytes()
    search(config, run, COPY, CUT)
    assert (run / "trace.jsonl").read_bytes() == before


def test_a_lost_branch_is_trained_again_to_the_same_weights(config: Path, run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(copy / "checkpoints" / "round-001-1")
    search(config, copy, COPY, CUT)
    assert comparable_trace(copy) == comparable_trace(run)
    assert (copy / "checkpoints" / "round-001-1").is_dir()


def test_every_result_has_a_spec_and_a_line_of_the_trace_its_genes(run: Path) -> None:
    best, first = read_spec(run / "architecture.json")
    others = sorted((run / "architectures").iterdir())
    assert len(others) == 1
    other, second = read_spec(others[0])
    assert {others[0].stem} < {"finalist-0", "finalist-1"}
    assert first["clip"] >= second["clip"]
    assert first["digests"]["weights"] != second["digests"]["weights"]
    for spec in (first, second):
        assert spec["target_met"] == (spec["predicted_latency_ms"] <= spec["target_latency_ms"])
        weights = RunDirectory(run).weights.read(spec["round"], job=spec.get("job", 0))
        assert weights is not None
        assert weights_digest(weights) == spec["digests"]["weights"], "exporting reads them from there"
    scored = [event for event in comparable_trace(run) if event["event"] == "evaluation"]
    assert [event["action"] for event in scored] == [None] * 4
    assert {event["arch_id"] for event in scored} == {best.arch_id, other.arch_id}
    assert all("stages" in event and "d_clip" not in event for event in scored)


def test_an_algorithm_that_asks_for_more_steps_than_it_says_is_blamed(config: Path, tmp_path: Path) -> None:
    class Endless(Reranking):
        def max_steps(self, problem: Problem[Any], /) -> int:
            return 0

    experiment = replace(resolve(load_config(config)), algorithm=Endless(CUT))
    with pytest.raises(AlgorithmError, match=r"'reranking' must finish within 0 steps, .* but asks for more"):
        driver.search(experiment, RunDirectory(tmp_path))
