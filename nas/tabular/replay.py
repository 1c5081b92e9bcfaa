"""Replaying a search on recorded scores: its steps are executed by looking up, with simulated passes and seconds.

Weights are those of the recording whatever is trained, so that an algorithm that trains between its rounds is judged
by its choices alone. What was scored once is free, as it is with a store of scores.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.checking import check, check_step
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Finish, Score, Scored, Train, Trained
from nas.metrics.area import hypervolume
from nas.scores.intervals import mean_interval
from nas.tabular.benchmark import Benchmark
from nas.tabular.space import Row, TabularSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a search stands after scoring one more architecture.

    Attributes:
        num_evaluations: Architectures scored, the start included.
        num_passes: UNet passes that this costs.
        seconds: The same as simulated time of one worker.
        regret: How much better the best architecture within the target is than the best that was scored; in the
            score's unit. While none within the target was scored: than the worst one.
        volume: Hypervolume of what was scored in latency and score, up to the base's latency and the worst score of the
            sub-space, as a share of the whole sub-space's. The target plays no part.
    """

    num_evaluations: int
    num_passes: int
    seconds: float
    regret: float
    volume: float


def problem_of(
    benchmark: Benchmark, /, *, settings: Any, target_ms: float | None = None, seed: int = 0
) -> Problem[Any]:
    """The problem that a benchmark asks: the best architecture below a latency.

    Args:
        benchmark: Where.
        settings: The algorithm's.
        target_ms: The latency; None = the median of the sub-space, so that half of it is allowed.
        seed: Of the algorithm's choices.
    """
    latencies = benchmark.latency_ms[: benchmark.size]
    known = latencies.tolist()
    return Problem(
        space=TabularSpace(benchmark),
        price_ms=lambda architecture: known[architecture.mask],
        target_latency_ms=float(np.median(latencies)) if target_ms is None else target_ms,
        settings=settings,
        higher_is_better=benchmark.higher_is_better,
        seed=seed,
    )


class Replay:
    """A benchmark's answers to the steps of one search.

    Args:
        benchmark: Where scores stand.
        problem: What is searched.
        num_prompts: Of each score, the first so many; None = all. Fewer make noisier scores, judged by all.
    """

    def __init__(self, benchmark: Benchmark, problem: Problem[Any], /, *, num_prompts: int | None = None) -> None:
        self._benchmark, self._problem = benchmark, problem
        self._num_prompts = min(num_prompts or benchmark.num_prompts, benchmark.num_prompts)
        self._seen: dict[int, Any] = {}
        self._seconds = 0.0
        sign = 1 if benchmark.higher_is_better else -1
        self._truth = sign * benchmark.means
        target_ms = problem.target_latency_ms
        self._best = sign * benchmark.best(target_ms=target_ms)
        self._meets = benchmark.latency_ms[: benchmark.size] <= target_ms
        self._incumbent: int | None = None
        self._seen_best = -np.inf
        self._worst = float(self._truth[self._meets].min())
        self._corner = (float(benchmark.latency_ms[0]), float(self._truth.min()))
        self._front: list[tuple[float, float]] = []
        self._whole = hypervolume([self._place(mask) for mask in range(benchmark.size)], reference=self._corner)
        self.course: list[Point] = []

    @property
    def seen(self) -> tuple[int, ...]:
        """What was scored, in order."""
        return tuple(self._seen)

    def search(self, algorithm: Algorithm[Any], /) -> Finish:
        """Fold a search to its end; `course` says how it went.

        Raises:
            AlgorithmError: It asks for what cannot be done, or does not end.
        """
        state = algorithm.start(self._problem)
        for _ in range(algorithm.max_steps(self._problem)):
            step = algorithm.step(state)
            check_step(step, problem=self._problem)
            match step:
                case Finish():
                    return step
                case Train():
                    outcome: Any = Trained(digests=tuple("recorded" for _ in step.jobs))
                case Score():
                    outcome = self._scored(step)
            check(step, outcome)
            state = algorithm.told(state, step, outcome)
        raise AssertionError("`max_steps` was not kept")

    def _scored(self, step: Score) -> Scored:
        reference = None if step.reference is None else self._score(step.reference.architecture)
        estimates = []
        for subject in step.subjects:
            scores = self._score(subject.architecture)
            loss = None
            if reference is not None:
                lost = reference - scores if self._benchmark.higher_is_better else scores - reference
                loss = mean_interval(lost)
            estimates.append(Estimate(score=mean_interval(scores), loss=loss))
        before = None if reference is None else Estimate(score=mean_interval(reference))
        return Scored(reference=before, estimates=tuple(estimates))

    def _score(self, architecture: Row) -> Any:
        """Scores of one architecture, and a point of the course where it is new."""
        mask, bench = architecture.mask, self._benchmark
        if mask not in self._seen:
            scores = self._seen[mask] = bench.scores[mask][: self._num_prompts]
            passes = self._num_prompts * bench.passes_per_prompt
            self._seconds += passes * bench.seconds_per_pass * float(bench.latency_ms[mask] / bench.latency_ms[0])
            observed = float(scores.mean()) * (1 if bench.higher_is_better else -1)
            if self._meets[mask] and observed > self._seen_best:
                self._incumbent, self._seen_best = mask, observed
            here = self._place(mask)
            beaten = any(ms <= here[0] and score >= here[1] for ms, score in self._front)
            if not beaten:
                self._front = [each for each in self._front if each[0] < here[0] or each[1] > here[1]] + [here]
            reached = self._worst if self._incumbent is None else float(self._truth[self._incumbent])
            self.course.append(
                Point(
                    num_evaluations=len(self._seen),
                    num_passes=len(self._seen) * passes,
                    seconds=self._seconds,
                    regret=self._best - reached,
                    volume=hypervolume(self._front, reference=self._corner) / self._whole if self._whole else 1.0,
                )
            )
        return self._seen[mask]

    def _place(self, mask: int) -> tuple[float, float]:
        """Latency and true score of an architecture; a higher score is a better one."""
        return float(self._benchmark.latency_ms[mask]), float(self._truth[mask])
