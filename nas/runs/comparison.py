"""What a search found beside what it started from, by the scores that it was chosen by: paired, prompt by prompt.

These are selection scores: the found architecture is the best of many on these very prompts, so that its own is too
high on average; and it is scored with the weights of its round, the start with those of the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.scores.intervals import Interval, paired_loss
from nas.scores.maker import of_one_maker
from nas.scores.store import ScoreStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The start of a search and its result, on the same prompts with the same noise.

    Attributes:
        loss: Lost from the start to the result per prompt, positive = worse; None where the store lacks either.
        same_weights: Whether both were scored with the same weights.
        num_actions: Actions that were scored in the first round.
        num_told_apart: Those of them whose loss is surely not 0.
    """

    loss: Interval | None
    same_weights: bool
    num_actions: int
    num_told_apart: int


def compared(
    events: Sequence[Mapping[str, Any]],
    /,
    *,
    store: ScoreStore,
    arch_id: str,
    weights_digest: str,
    score: str,
    higher_is_better: bool,
    confidence: float,
) -> Comparison:
    """Compare a result with the first architecture that its search scored.

    Args:
        events: Of the trace.
        store: Where the search keeps its scores.
        arch_id: Of the result.
        weights_digest: What the result was scored with.
        score: Name of the score.
        higher_is_better: Its direction.
        confidence: Of the interval.
    """
    first_weights = next(event["weights_digest"] for event in events if event["event"] == "trained")
    first = next(event for event in events if event["event"] == "evaluation" and event["action"] is None)
    protocol = next(event["digests"]["protocol"] for event in events if "digests" in event)
    frames = (
        store.frame(
            score=score, weights_digest=weights, protocol_digest=protocol, arch_id=arch,
            columns=["made_by", "prompt_id", score],
        )
        for weights, arch in ((first_weights, first["arch_id"]), (weights_digest, arch_id))
    )  # fmt: skip
    before, after = (
        dict(frame[["prompt_id", score]].itertuples(index=False, name=None)) for frame in of_one_maker(*frames)
    )
    prompts = [prompt for prompt in before if prompt in after]
    is_whole = len(prompts) >= first["clip"]["num_prompts"]
    loss = (
        paired_loss(
            [before[prompt] for prompt in prompts],
            [after[prompt] for prompt in prompts],
            confidence=confidence,
            higher_is_better=higher_is_better,
        )
        if is_whole
        else None
    )
    actions = [
        event["d_clip"]
        for event in events
        if event["event"] == "evaluation" and event["action"] is not None and event["round"] == first["round"]
    ]
    return Comparison(
        loss=loss,
        same_weights=first_weights == weights_digest,
        num_actions=len(actions),
        num_told_apart=sum(action["low"] > 0 or action["high"] < 0 for action in actions),
    )
