"""The pictures that a run kept, as a frame: each round's own, and a few of each scored action."""

from collections.abc import Collection, Iterator
from os import PathLike
from typing import Any, Final

import pandas as pd

from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.rounds import scored_with_weights
from nas.runs.frames.tidy import ANY, TEXT, WHOLE, tidy

_COLUMNS: Final = {
    "round": WHOLE,
    "arch_id": TEXT,
    "action": ANY,
    "prompt_id": TEXT,
    "caption": TEXT,
    "png": ANY,
}


def picture_frame(
    run: OpenedRun,
    /,
    *,
    rounds: Collection[int] | None = None,
    actions: Collection[str | None] | None = None,
    store: str | PathLike[str] | None = None,
) -> pd.DataFrame:
    """One row per picture. Its columns stand in `Run.pictures`."""
    rows = list(_rows(run, rounds, actions, store))
    return tidy(rows, _COLUMNS)


def _rows(
    run: OpenedRun,
    rounds: Collection[int] | None,
    actions: Collection[str | None] | None,
    store: str | PathLike[str] | None,
) -> Iterator[tuple[Any, ...]]:
    kept = run.own_store(store)
    if kept is None:
        return
    for event, weights in scored_with_weights(run.events):
        is_wanted = (rounds is None or event["round"] in rounds) and (actions is None or event["action"] in actions)
        if is_wanted and weights is not None:
            for prompt, png in kept.samples(
                weights_digest=weights, protocol_digest=run.protocols, arch_id=event["arch_id"],
                whole=event["action"] is None,
            ):  # fmt: skip
                yield event["round"], event["arch_id"], event["action"], prompt.prompt_id, prompt.caption, png
