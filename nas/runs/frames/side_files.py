"""What a run wrote beside its trace as frames: prices by block, losses by step, work by worker."""

from collections.abc import Iterator, Mapping
from math import nan
from typing import Any, Final

import numpy as np
import pandas as pd

from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.rounds import is_of_round
from nas.runs.frames.tidy import ANY, NUMBER, TEXT, TRUTH, WHOLE, WHOLE_OR_NONE, numbers, tidy
from nas.runs.records.lines import Breakdown, Losses, Timing
from nas.runs.trace import losses_of
from search_spaces.unets.view import paper_stages

BASE: Final = -1  # in place of a round
_BLOCK: Final = {
    "arch_id": TEXT,
    "round": WHOLE,
    "stage": TEXT,
    "paper_stage": TEXT,
    "position": WHOLE,
    "kind": TEXT,
    "name": TEXT,
    "ms": NUMBER,
    "num_params": WHOLE,
}
_STEP: Final = {"round": WHOLE, "job": WHOLE, "recovering": TRUTH, "step": WHOLE, "loss": NUMBER}
_TIMING: Final = {
    "phase": TEXT,
    "round": WHOLE,
    "worker": TEXT,
    "arch_id": TEXT,
    "action": ANY,
    "chunk": WHOLE_OR_NONE,
    "job": WHOLE_OR_NONE,
    "num_pictures": WHOLE,
    **numbers("start", "end", "seconds"),
}


def block_frame(run: OpenedRun, /) -> pd.DataFrame:
    """One row per block of the base model and of each round's architecture. Its columns stand in `Run.blocks`."""
    known = {row["arch_id"]: row for row in run.records(Breakdown).rows}
    names = paper_stages(run.base) if run.base is not None else {}
    rows = [
        (arch_id, number, *_block(block, names))
        for number, arch_id in _architectures(run)
        if arch_id in known
        for block in known[arch_id]["blocks"]
    ]
    return tidy(rows, _BLOCK)


def _architectures(run: OpenedRun) -> Iterator[tuple[int, str]]:
    """The base model, then each round's own architecture."""
    if run.base_id is not None:
        yield BASE, run.base_id
    for event in run.events:
        if event["event"] == "evaluation" and is_of_round(event):
            yield event["round"], event["arch_id"]


def _block(block: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Any, ...]:
    ms = nan if block["ms"] is None else block["ms"]
    stage = block["stage"]
    paper_stage = names.get(stage, "")
    return (stage, paper_stage, block["position"], block["kind"], block["name"], ms, block["num_params"])


def training_frame(run: OpenedRun, /) -> pd.DataFrame:
    """One row per training step. Its columns stand in `Run.training`."""
    losses: dict[tuple[int, int, bool], dict[int, float]] = {}
    for event in run.events:  # traces of older versions hold them
        for step, loss in enumerate(losses_of(event) if event["event"] == "trained" else ()):
            key = (event["round"], event.get("job") or 0, event["recovering"])
            losses.setdefault(key, {})[step] = loss
    for line in run.records(Losses).rows:
        steps = losses.setdefault((line["round"], line["job"], line["recovering"]), {})
        steps |= dict(enumerate(line["losses"], start=line["first_step"]))
    rows = [
        (*key, step, loss) for key, steps in sorted(losses.items()) for step, loss in sorted(steps.items())
    ]  # rounds, and the jobs of a round, follow each other
    frame = tidy(rows, _STEP)
    frame.insert(4, "global_step", np.arange(len(frame)))
    return frame


def timing_frame(run: OpenedRun, /) -> pd.DataFrame:
    """One row per piece of work. Its columns stand in `Run.timings`."""
    names = list(_TIMING)[:-1]
    rows = [(*(row[name] for name in names), row["end"] - row["start"]) for row in run.records(Timing).rows]
    return tidy(rows, _TIMING)
