"""Executing a `Score` step: the reference on every prompt, the subjects on as many as the step's contest needs.

Exhaustive scoring gives every subject every prompt. Racing gives them chunk after chunk, and none any more to one that
is surely inside or outside the group to be chosen (docs/racing.md). Both ask for the same pictures, so that their
scores stand in the same store.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from nas.algorithms.steps import Contest, Estimate, Score, Scored, Subject, Verdict
from nas.racing.opportunity import OpportunityRace
from nas.racing.race import Direction, Race
from nas.racing.settings import RacingRule, RacingSettings
from nas.scores.intervals import Interval, losses, mean_interval
from nas.search.scorer import AnotherMakerError, NotStoredError, Scorer
from nas.workers.worker import EvaluationResult
from search_spaces.architecture import Architecture

Scores = tuple[float, ...]


class Answered(Protocol):
    """Who is told what a worker answered."""

    def __call__(self, result: EvaluationResult, /, *, step: Score, subject: Subject) -> None:
        """A worker answered about a subject of a step."""
        ...


class StepScorer:
    """Executes the scoring steps of one search.

    Args:
        scorer: Per-prompt scores of architectures.
        hold: Makes the workers hold the weights of a digest.
        confidence: Of the intervals around means.
        higher_is_better: Whether a higher score is a better one.
        racing: How contests are raced; None = exhaustively.
        latency_error: Relative error of milliseconds: values that differ by less are ties.
        num_samples: Small pictures that are kept of each scored action.
        pictured: Whether the reference's first pictures are kept.
        on_answer: Called with what a worker answered, before it is kept.
    """

    def __init__(
        self,
        scorer: Scorer,
        /,
        *,
        hold: Callable[[str], None],
        confidence: float,
        higher_is_better: bool,
        racing: RacingSettings | None,
        latency_error: float,
        num_samples: int = 0,
        pictured: bool = True,
        on_answer: Answered = lambda result, *, step, subject: None,
    ) -> None:
        self._scorer, self._hold, self._confidence = scorer, hold, confidence
        self._higher_is_better = higher_is_better
        self._racing, self._latency_error = racing, latency_error
        self._num_samples, self._pictured, self._on_answer = num_samples, pictured, on_answer

    def score(self, step: Score, /, *, on_chunk: Callable[[int, int], None]) -> Scored:
        """Score the subjects of a step.

        Args:
            step: The step.
            on_chunk: Called with (chunks scored, chunks that there are still going to be at most).
        """
        for made_by in self._makers(step):
            with suppress(NotStoredError):  # then the next maker may have made it all, or the workers do
                chunks: _Chunks = _StoredChunks(self._scorer, step, made_by)
                scored = self._scored(step, chunks)
                on_chunk(chunks.num_done, chunks.num_done)
                return scored
        try:
            return self._scored(step, self._chunks(step, on_chunk))
        except AnotherMakerError:
            return self._scored(step, self._chunks(step, on_chunk))

    def _chunks(self, step: Score, on_chunk: Callable[[int, int], None]) -> "_Chunks":
        return _Chunks(
            self._scorer, step, self._hold, on_chunk, num_samples=self._num_samples, on_answer=self._on_answer
        )

    def _makers(self, step: Score) -> tuple[str, ...]:
        """Who may have made all scores of a step."""
        subjects = (*step.subjects, *([step.reference] if step.reference is not None else []))
        return self._scorer.makers(subjects[0].weights) if subjects else ()

    def _scored(self, step: Score, chunks: "_Chunks") -> Scored:
        before = None if step.reference is None else chunks.reference(step.reference, pictured=self._pictured)
        if step.contest is None or self._racing is None or before is None:
            verdict, after = None, chunks.extend(step.scored, self._scorer.num_chunks)
        else:
            verdict, after = self._race(step.contest, self._racing, before, chunks)
        return Scored(
            reference=None if before is None else Estimate(score=self._mean(before)),
            estimates=tuple(
                self._estimate(before, after[index]) if index in after else None for index in range(len(step.subjects))
            ),
            verdict=verdict,
        )

    def _race(
        self, contest: Contest, settings: RacingSettings, before: Scores, chunks: "_Chunks"
    ) -> tuple[Verdict, dict[int, Scores]]:
        race = self._race_of(contest, settings, num_prompts=len(before))
        after: dict[int, Scores] = {}
        while not race.finished:
            num_chunks = {index: -(-num // self._scorer.chunk_size) for index, num in race.wanted.items()}
            latest = chunks.extend_each(num_chunks, undecided=race.undecided)
            after |= latest
            race.observe({index: self._losses(before, scores) for index, scores in latest.items()})
        chunks.end()
        return Verdict(chosen=race.verdict.selected, ties=race.verdict.ties), after

    def _race_of(
        self, contest: Contest, settings: RacingSettings, *, num_prompts: int
    ) -> Race[int] | OpportunityRace[int]:
        if settings.rule is RacingRule.EXPECTED_LOSS:
            return OpportunityRace(
                contest.contestants,
                choice=contest.choice,
                num_prompts=num_prompts,
                chunk_size=self._scorer.chunk_size,
                rule=contest.value,
                distances=contest.sizes,
                settings=settings,
            )
        return Race(
            contest.saved_ms,
            num_prompts=num_prompts,
            chunk_size=self._scorer.chunk_size,
            num_places=contest.num,
            direction=Direction.HIGHEST if contest.highest else Direction.LOWEST,
            ordered=contest.ordered,
            latency_error=self._latency_error,
            settings=settings,
        )

    def _estimate(self, before: Scores | None, scores: Scores) -> Estimate:
        if before is None:
            return Estimate(score=self._mean(scores))
        loss = mean_interval(self._losses(before, scores), confidence=self._confidence)
        return Estimate(score=self._mean(scores), loss=loss)

    def _losses(self, before: Scores, after: Scores) -> list[float]:
        """Lost on the prompts that both have."""
        return losses(before[: len(after)], after, higher_is_better=self._higher_is_better)

    def _mean(self, scores: Scores) -> Interval:
        return mean_interval(scores, confidence=self._confidence)


class _Chunks:
    """Scores of one step's architectures, chunk after chunk: from the store, or else from the workers."""

    def __init__(
        self,
        scorer: Scorer,
        step: Score,
        hold: Callable[[str], None],
        on_chunk: Callable[[int, int], None],
        *,
        num_samples: int,
        on_answer: Answered,
    ) -> None:
        self._scorer, self._step, self._hold, self._on_chunk = scorer, step, hold, on_chunk
        self._num_samples, self._on_answer = num_samples, on_answer
        self._scores: dict[int, Scores] = {}
        self._num_chunks: dict[int, int] = {}
        self.num_done = 0

    def reference(self, subject: Subject, /, *, pictured: bool) -> Scores:
        """Scores of the reference on every prompt; its first pictures are kept if they are wanted."""
        self._hold(subject.weights)
        num_chunks = self._scorer.num_chunks
        remaining = num_chunks * len(self._step.scored)
        (scores,) = self._score([subject], range(num_chunks), remaining, pictured=pictured)
        return scores

    def extend(self, indices: Sequence[int], num_chunks: int, /, *, others: int = 0) -> dict[int, Scores]:
        """Scores of subjects on the first `num_chunks` chunks; they all have equally many so far.

        Args:
            indices: Which subjects.
            num_chunks: How many chunks they have then.
            others: Chunks that other subjects may still get.
        """
        (start,) = {self._num_chunks.get(index, 0) for index in indices} or {num_chunks}
        by_weights = defaultdict[str, list[int]](list)
        for index in indices:
            by_weights[self._step.subjects[index].weights].append(index)
        remaining = (self._scorer.num_chunks - start) * len(indices)  # at most, these included
        remaining += others
        for weights, group in by_weights.items():
            self._hold(weights)
            remaining -= (num_chunks - start) * len(group)
            subjects = [self._step.subjects[index] for index in group]
            for index, scores in zip(group, self._score(subjects, range(start, num_chunks), remaining), strict=True):
                self._scores[index] = self._scores.get(index, ()) + scores
                self._num_chunks[index] = num_chunks
        return {index: self._scores[index] for index in indices}

    def extend_each(self, num_chunks: Mapping[int, int], /, *, undecided: Collection[int]) -> dict[int, Scores]:
        """Scores of subjects on the first chunks, as many as each is given.

        Args:
            num_chunks: Chunks that each has then.
            undecided: Who may still get more of them.
        """
        ways = defaultdict[tuple[int, int], list[int]](list)
        for index, num in num_chunks.items():
            ways[self._num_chunks.get(index, 0), num].append(index)
        found: dict[int, Scores] = {}
        for (_, num), group in sorted(ways.items()):
            others = sum(
                self._scorer.num_chunks - self._num_chunks.get(index, 0) for index in undecided if index not in group
            )
            found |= self.extend(group, num, others=others)
        return found

    def end(self) -> None:
        """Say that nothing more is going to be scored."""
        self._on_chunk(self.num_done, self.num_done)

    def _score(
        self, subjects: Sequence[Subject], chunks: range, remaining: int, *, pictured: bool = False
    ) -> list[Scores]:
        """Scores of subjects with the weights that the workers hold."""
        before = self.num_done

        def on_chunk(done: int, total: int) -> None:
            self.num_done = before + done
            self._on_chunk(self.num_done, before + total + remaining)

        of = {subject.architecture: subject for subject in reversed(subjects)}
        architectures = [subject.architecture for subject in subjects]
        found = self._scorer.score(
            architectures,
            weights_digest=subjects[0].weights,
            on_chunk=on_chunk,
            chunks=chunks,
            picture_of=architectures[0] if pictured else None,
            num_samples=self._num_samples if all(subject.action is not None for subject in subjects) else 0,
            on_answer=lambda result: self._on_answer(result, step=self._step, subject=of[result.task.architecture]),
            against=self._against(subjects[0].weights),
        )
        return [found[architecture] for architecture in architectures]

    def _against(self, weights: str) -> Architecture | None:
        """The network of the round, where subjects have its weights."""
        reference = self._step.reference
        return None if reference is None or reference.weights != weights else reference.architecture


class _StoredChunks(_Chunks):
    """Scores of one step's architectures as one maker made them, from the store alone.

    A step that an earlier process went through is answered so, wherever it ran; the workers hear nothing of it.
    """

    def __init__(self, scorer: Scorer, step: Score, made_by: str) -> None:
        super().__init__(scorer, step, lambda weights: None, lambda done, total: None, num_samples=0, on_answer=_nobody)
        self._made_by = made_by

    def _score(
        self, subjects: Sequence[Subject], chunks: range, remaining: int, *, pictured: bool = False
    ) -> list[Scores]:
        """Scores of subjects.

        Raises:
            NotStoredError: The store lacks some.
        """
        architectures = [subject.architecture for subject in subjects]
        weights = subjects[0].weights
        found = self._scorer.stored(
            architectures,
            weights_digest=weights,
            made_by=self._made_by,
            chunks=chunks,
            against=self._against(weights),
        )
        self.num_done += len(chunks) * len(found)
        return [found[architecture] for architecture in architectures]


def _nobody(result: EvaluationResult, /, *, step: Score, subject: Subject) -> None:
    """Who is told nothing."""
