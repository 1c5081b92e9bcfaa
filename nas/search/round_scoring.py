"""Scoring one round: the architecture on every prompt, its removals on as many as the round's decision needs.

Exhaustive scoring gives every removal every prompt. Racing gives them chunk after chunk, and none any more to a removal
that is surely inside or outside the group to be executed (docs/racing.md). Both ask for the same pictures, so that
their scores stand in the same store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nas.algorithms.course import Round
from nas.algorithms.value_score import ScoredAction, ranked
from nas.config.experiment import Experiment
from nas.racing.race import Direction, Race, Verdict
from nas.scores.intervals import Interval, losses, mean_interval, paired_loss
from nas.search.scorer import Scorer
from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundScores:
    """What a round's pictures said.

    Attributes:
        clip: CLIP score of the architecture, on every prompt.
        clips: CLIP score of each scored removal, on the prompts that it got.
        ranking: Scored removals, cheapest loss first; a race's chosen stand where Algorithm 1 looks for them.
        verdict: How the race ended; None where every removal got every prompt.
    """

    clip: Interval
    clips: Mapping[AnyAction, Interval]
    ranking: tuple[ScoredAction, ...]
    verdict: Verdict[AnyAction] | None


class RoundScorer:
    """Scores rounds of one search.

    Args:
        experiment: Its prompts, prices and racing settings.
        scorer: Per-prompt scores of architectures.
    """

    def __init__(self, experiment: Experiment, scorer: Scorer, /) -> None:
        self._experiment, self._scorer = experiment, scorer
        self._validation = experiment.worker.validation

    def score(self, each: Round, /, *, weights_digest: str, on_chunk: Callable[[int, int], None]) -> RoundScores:
        """Score a round.

        Args:
            each: The round.
            weights_digest: Digest of the weights that the workers hold.
            on_chunk: Called with (chunks scored, chunks that there are still going to be at most).
        """
        scoring = _RoundScoring(self._scorer, each, weights_digest, self._validation.num_chunks, on_chunk)
        before = scoring.base()
        if each.contest is not None and self._experiment.racing is not None:
            verdict, after = self._race(each, before, scoring)
        else:
            verdict, after = None, scoring.extend(each.options, self._validation.num_chunks)
        confidence, price_ms = self._experiment.config.validation.confidence, self._experiment.rules.price_ms
        higher_is_better = self._experiment.score.higher_is_better
        now_ms = price_ms(each.architecture)
        scored = [
            ScoredAction(
                action=action,
                d_clip=paired_loss(
                    before[: len(scores)], scores, higher_is_better=higher_is_better, confidence=confidence
                ),
                d_latency_ms=now_ms - price_ms(action.apply(each.architecture)),
            )
            for action, scores in after.items()
        ]
        return RoundScores(
            clip=mean_interval(before, confidence=confidence),
            clips={action: mean_interval(scores, confidence=confidence) for action, scores in after.items()},
            ranking=_placed(ranked(scored), each, verdict),
            verdict=verdict,
        )

    def _race(
        self, each: Round, before: tuple[float, ...], scoring: "_RoundScoring"
    ) -> tuple[Verdict[AnyAction], dict[AnyAction, tuple[float, ...]]]:
        assert each.contest is not None
        price_ms = self._experiment.rules.price_ms
        now_ms = price_ms(each.architecture)
        race = Race(
            {action: now_ms - price_ms(action.apply(each.architecture)) for action in each.contest.actions},
            num_prompts=len(before),
            chunk_size=self._validation.chunk_size,
            num_places=each.contest.num,
            direction=Direction.HIGHEST if each.contest.highest else Direction.LOWEST,
            ordered=each.contest.ordered,
            latency_error=self._experiment.latency_error,
            settings=self._experiment.racing,
        )
        after: dict[AnyAction, tuple[float, ...]] = {}
        while not race.finished:
            look = race.next_look()
            num_chunks = -(-look.num_prompts // self._validation.chunk_size)
            latest = scoring.extend(look.contestants, num_chunks)
            after |= latest
            race.observe(
                {
                    action: losses(
                        before[: len(scores)], scores, higher_is_better=self._experiment.score.higher_is_better
                    )
                    for action, scores in latest.items()
                }
            )
        return race.verdict, after


class _RoundScoring:
    """Scores of one round's architectures, chunk after chunk."""

    def __init__(
        self, scorer: Scorer, each: Round, weights_digest: str, num_chunks: int, on_chunk: Callable[[int, int], None]
    ) -> None:
        self._scorer, self._round, self._weights_digest = scorer, each, weights_digest
        self._num_chunks, self._on_chunk = num_chunks, on_chunk
        self._scores: dict[AnyAction, tuple[float, ...]] = {}
        self._chunks: dict[AnyAction, int] = {}
        self._num_done = 0

    def base(self) -> tuple[float, ...]:
        """Scores of the round's own architecture on every prompt; its first pictures are kept."""
        architecture = self._round.architecture
        remaining = self._num_chunks * len(self._round.options)
        scores = self._score([architecture], range(self._num_chunks), remaining, picture_of=architecture)
        return scores[architecture]

    def extend(self, actions: tuple[AnyAction, ...], num_chunks: int, /) -> dict[AnyAction, tuple[float, ...]]:
        """Scores of removals on the first `num_chunks` chunks; they all have equally many so far."""
        options = {action: action.apply(self._round.architecture) for action in actions}
        (start,) = {self._chunks.get(action, 0) for action in actions} or {num_chunks}
        remaining = (self._num_chunks - num_chunks) * len(actions)
        scores = self._score(list(options.values()), range(start, num_chunks), remaining)
        for action, option in options.items():
            self._scores[action] = self._scores.get(action, ()) + scores[option]
            self._chunks[action] = num_chunks
        return {action: self._scores[action] for action in actions}

    def _score(
        self,
        architectures: list[Architecture],
        chunks: range,
        remaining: int,
        *,
        picture_of: Architecture | None = None,
    ) -> dict[Architecture, tuple[float, ...]]:
        before = self._num_done

        def on_chunk(done: int, total: int) -> None:
            self._num_done = before + done
            self._on_chunk(self._num_done, before + total + remaining)

        return self._scorer.score(
            architectures,
            weights_digest=self._weights_digest,
            on_chunk=on_chunk,
            chunks=chunks,
            picture_of=picture_of,
        )


def _placed(
    ranking: tuple[ScoredAction, ...], each: Round, verdict: Verdict[AnyAction] | None
) -> tuple[ScoredAction, ...]:
    """A ranking with a race's chosen at the end where Algorithm 1 takes from.

    Means over different prompts do not rank the chosen before the dropped; the verdict does.
    """
    if verdict is None or each.contest is None:
        return ranking
    by_action = {scored.action: scored for scored in ranking}
    chosen = tuple(by_action[action] for action in verdict.selected)
    others = tuple(scored for scored in ranking if scored not in chosen)
    return (*others, *reversed(chosen)) if each.contest.highest else (*chosen, *others)
