"""Rounds, scored actions and races of a trace as pandas frames.

`weights_digest` and `arch_id` are those of the score store, so that one merge on both joins its rows to rounds and
actions. A column named `clip` or `d_clip` has another score's name in its place where the search was by another score.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any, Final

import pandas as pd

from nas.runs.frames.tidy import ANY, NUMBER, TEXT, WHOLE, numbers, tidy
from nas.scores.store import CLIP_COLUMN

_FEW: Final = 3  # actions that a sentence names
_DIGESTS: Final = {"arch_id": TEXT, "weights_digest": ANY}
_OWN: Final = {"round": WHOLE, **_DIGESTS, "predicted_latency_ms": NUMBER, "num_prompts": WHOLE}
CERTAINTY: Final = ("chance_right", "expected_loss")


def score_of(events: Sequence[Mapping[str, Any]], /) -> str:
    """The name of the score that a search was by."""
    named = (event["score"]["name"] for event in events if event.get("score"))
    return next(named, CLIP_COLUMN)  # traces of CLIP do not name it


def evaluation_frame(events: Sequence[Mapping[str, Any]], /, *, score: str = CLIP_COLUMN) -> pd.DataFrame:
    """One row per scored action, such as a removal, in the order of scoring.

    Its columns stand in `Run.evaluations`.

    Args:
        events: Of a trace.
        score: Name of the score, which names the columns.
    """
    rows = [
        (
            event["round"],
            event["action"],
            event["arch_id"],
            weights,
            event["d_clip"]["num_prompts"],
            *_interval(event["d_clip"]),
            event["d_latency_ms"],
            event["value"],
        )
        for event, weights in scored_with_weights(events)
        if event["action"] is not None
    ]
    loss = numbers(*_names(f"d_{score}"), "d_latency_ms", "value")
    return tidy(rows, {"round": WHOLE, "action": TEXT, **_DIGESTS, "num_prompts": WHOLE, **loss})


def round_frame(events: Sequence[Mapping[str, Any]], /, *, score: str = CLIP_COLUMN) -> pd.DataFrame:
    """One row per round, and what was then decided; a round without a reference has a row per scored architecture.

    Its columns stand in `Run.rounds`.

    Args:
        events: Of a trace.
        score: Name of the score, which names the columns.
    """
    decisions = {event["round"]: event for event in events if event["event"] == "decision"}
    rows = [
        (
            event["round"],
            event["arch_id"],
            weights,
            event["predicted_latency_ms"],
            event["clip"]["num_prompts"],
            *_interval(event["clip"]),
            event["num_params"],
            " ".join(decisions.get(event["round"], {}).get("actions", [])),
            *certainty(decisions.get(event["round"], {})),
        )
        for event, weights in scored_with_weights(events)
        if is_of_round(event)
    ]
    kinds = _OWN | numbers(*_names(score)) | {"num_params": WHOLE, "actions": TEXT, **numbers(*CERTAINTY)}
    return tidy(rows, kinds)


def architecture_frame(events: Sequence[Mapping[str, Any]], /, *, score: str = CLIP_COLUMN) -> pd.DataFrame:
    """One row per architecture that was scored as a whole. Its columns stand in `Run.architectures`.

    Args:
        events: Of a trace.
        score: Name of the score, which names the columns.
    """
    rows = dict[tuple[str, str | None], tuple[Any, ...]]()
    for event, weights in scored_with_weights(events):
        if event["action"] is None:
            rows.setdefault(
                (event["arch_id"], weights),
                (
                    event["round"],
                    event["arch_id"],
                    weights,
                    event["predicted_latency_ms"],
                    event["clip"]["num_prompts"],
                    *_interval(event["clip"]),
                    event["num_params"],
                ),
            )
    return tidy(list(rows.values()), _OWN | numbers(*_names(score)) | {"num_params": WHOLE})


def is_of_round(event: Mapping[str, Any], /) -> bool:
    """Whether what was scored is a round's own architecture, rather than one whose losses are paired to it."""
    return event["action"] is None and event.get("d_clip") is None


def race_frame(events: Sequence[Mapping[str, Any]], /) -> pd.DataFrame:
    """One row per round that was raced. Its columns stand in `Run.races`."""
    rows = [
        (
            event["round"],
            event["num_pictures"],
            event["num_pictures_exhaustive"],
            " ".join(event["chosen"]),
            "; ".join(" ~ ".join(pair) for pair in event["ties"]),
        )
        for event in events
        if event["event"] == "race"
    ]
    counts = dict.fromkeys(("round", "num_pictures", "num_pictures_exhaustive"), WHOLE)
    return tidy(rows, counts | {"chosen": TEXT, "ties": TEXT})


def certainty(decision: Mapping[str, Any], /) -> tuple[float, float]:
    """The columns `CERTAINTY` of a decision's event; NaN where it does not say so."""
    known = decision.get("certainty") or {}
    return known.get("chance", nan), known.get("expected_loss", nan)


def screened_rounds(events: Sequence[Mapping[str, Any]], /) -> list[str]:
    """A sentence per round whose actions a cheap score screened: who got no prompt, and whether it decided alone."""
    sentences, num_prompts, num_measured = [], 0, 0
    for event in events:
        if event["event"] == "measurement" and event.get("by") is not None:
            num_prompts = (event.get("reference") or event)["num_prompts"]  # there may be fewer than were asked for
            num_measured = len(event["subjects"])
        elif event["event"] == "screen":
            at, by, free = f"round {event['round']}", event["by"], event["free"]
            num = len(free) + len(event["dropped"])
            named = f" ({', '.join(free[:_FEW])}{', ...' if len(free) > _FEW else ''})" if free else ""
            if num == num_measured:
                nothing = f", {len(free)} of them change nothing{named}" if free else ""
                said = f"{by} decided alone, on {num_prompts} prompts for each of {num} actions{nothing}"
            else:
                said = f"{num} actions took no prompt by {by}, {len(free)} of them since they change nothing{named}"
            sentences.append(f"{at}: {said}")
    return sentences


def scored_with_weights(
    events: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """What was scored, each with the digest of the weights that the training before it gave."""
    weights: str | None = None
    for event in events:
        if event["event"] == "trained":
            weights = None if event.get("job") is not None else event["weights_digest"]
        elif event["event"] == "evaluation":
            yield event, weights


def _interval(interval: Mapping[str, float]) -> tuple[float, float, float]:
    return interval["mean"], interval["low"], interval["high"]


def _names(mean: str) -> tuple[str, str, str]:
    return mean, f"{mean}_low", f"{mean}_high"
