"""Executing a `Score` step: the reference on every prompt, the subjects on as many as the step's contest needs.

Exhaustive scoring gives every subject every prompt. Racing gives them chunk after chunk, and none any more to one that
is surely inside or outside the group to be chosen (docs/racing.md). Both ask for the same pictures, so that their
scores stand in the same store.
"""

from collections.abc import Callable
from contextlib import suppress

from nas.algorithms.steps import Contest, Estimate, Score, Scored, Verdict
from nas.racing.opportunity import OpportunityRace
from nas.racing.race import Direction, Race
from nas.racing.settings import RacingRule, RacingSettings
from nas.scores.intervals import Interval, losses, mean_interval
from nas.search.scoring.chunks import Answered, Chunks, Scores, StoredChunks
from nas.search.scoring.scorer import AnotherMakerError, NotStoredError, Scorer


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
                chunks: Chunks = StoredChunks(self._scorer, step, made_by=made_by)
                scored = self._scored(step, chunks)
                on_chunk(chunks.num_done, chunks.num_done)
                return scored
        try:
            return self._scored(step, self._chunks(step, on_chunk))
        except AnotherMakerError:
            return self._scored(step, self._chunks(step, on_chunk))

    def _chunks(self, step: Score, on_chunk: Callable[[int, int], None]) -> Chunks:
        return Chunks(
            self._scorer,
            step,
            hold=self._hold,
            on_chunk=on_chunk,
            num_samples=self._num_samples,
            on_answer=self._on_answer,
        )

    def _makers(self, step: Score) -> tuple[str, ...]:
        """Who may have made all scores of a step."""
        subjects = (*step.subjects, *([step.reference] if step.reference is not None else []))
        return self._scorer.makers(subjects[0].weights) if subjects else ()

    def _scored(self, step: Score, chunks: Chunks) -> Scored:
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
        self, contest: Contest, settings: RacingSettings, before: Scores, chunks: Chunks
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
