"""Per-prompt scores of a run as a frame; only what is asked for is read."""

from collections.abc import Collection, Sequence
from os import PathLike

import pandas as pd

from nas.runs.frames.opened import OpenedRun
from nas.scores.store import ScoreStore


def score_frame(
    run: OpenedRun,
    /,
    *,
    columns: Sequence[str] | None = None,
    rounds: Collection[int] | None = None,
    arch_ids: Collection[str] | None = None,
    store: str | PathLike[str] | None = None,
) -> pd.DataFrame:
    """One row per prompt that an architecture was scored on. Its columns stand in `Run.scores`."""
    if store is None and not any(event["event"] == "trained" for event in run.events):
        return ScoreStore.empty_frame(score=run.score, columns=columns)
    kept = run.store(store)
    frames = [
        kept.frame(
            score=run.score, weights_digest=weights, protocol_digest=run.protocols, arch_id=wanted, columns=columns
        )
        for weights, wanted in _wanted(run, rounds, arch_ids).items()
    ]
    filled = [frame for frame in frames if not frame.empty]
    if not filled:
        return kept.frame(score=run.score, weights_digest=(), columns=columns)
    return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)


def _wanted(
    run: OpenedRun, rounds: Collection[int] | None, arch_ids: Collection[str] | None
) -> dict[str, str | Collection[str]]:
    """Digests of architectures by those of weights, in the order of trainings; "*" = all that were scored with them."""
    wanted: dict[str, str | Collection[str]] = {}
    for event in run.events:
        if event["event"] == "trained" and (rounds is None or event["round"] in rounds):
            wanted[event["weights_digest"]] = "*" if arch_ids is None else set(arch_ids)
    if rounds is not None:  # other rounds may have had the same weights
        scored = {e["arch_id"] for e in run.events if e["event"] == "evaluation" and e["round"] in rounds}
        wanted = {weights: scored if ids == "*" else scored & set(ids) for weights, ids in wanted.items()}
    return wanted
