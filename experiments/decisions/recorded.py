"""A recording as arrays: what every removal loses on every caption, and what a round would have to choose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from experiments.decisions.bundled import PASSES_PER_PICTURE, prices_of, space_of
from nas.evaluation.settings import CLIP_GLIMPSE
from nas.values.group import Choice
from nas.values.sample import Floats
from search_spaces.files.user_error import UserError
from search_spaces.unets.stock_space import SpaceForm

BASE: Final = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """A recording of one space.

    Attributes:
        actions: Of the base, as text.
        losses: (K, N) score lost on each caption.
        saved_ms: (K,) by each.
        base_ms: Of the base.
        excludes: Pairs of actions that cannot both be executed.
        passes_per_picture: UNet passes of one picture.
        captions: In the order of the losses.
    """

    actions: tuple[str, ...]
    losses: Floats
    saved_ms: Floats
    base_ms: float
    excludes: frozenset[tuple[int, int]]
    passes_per_picture: int = PASSES_PER_PICTURE
    captions: tuple[str, ...] = ()

    def choice(self, ratio: float, /, *, larger_first: bool = True) -> Choice:
        """All removals that a target asks for at once, as if losses added up."""
        return Choice(
            saved_ms=tuple(self.saved_ms.tolist()),
            num=len(self.actions),
            needed_ms=(1 - ratio) * self.base_ms,
            excludes=self.excludes,
            larger_first=larger_first,
        )


def read_recorded(folder: Path, form: SpaceForm, /) -> Recorded:
    """The recording of `experiments.decisions.record`, as far as it goes; removals that save nothing are left out.

    Raises:
        UserError: There is none, or none with a removal that saves something.
    """
    path = folder / f"{form.value}.parquet"
    frame = read_table(path, columns=("action", "prompt", "score", "saved_ms"))
    scores = frame.pivot(index="action", columns="prompt", values="score")
    saved_ms = frame.groupby("action")["saved_ms"].first()
    space = space_of(form)
    actions = [action for action in sorted(space.removals(space.base)) if saved_ms.get(str(action), 0.0) > 0]
    after = {action: action.apply(space.base) for action in actions}
    excludes = frozenset(
        (one, other)
        for (one, a), (other, b) in combinations(enumerate(actions), 2)
        if space.why_not(b, architecture=after[a]) is not None or space.why_not(a, architecture=after[b]) is not None
    )
    names = [str(action) for action in actions]
    if BASE not in scores.index or not names:
        raise UserError(
            f"{path} must hold scores of the base and of a removal, but is of {len(scores)} networks; let "
            "`python -m experiments.decisions.record` go on, which continues"
        )
    own = frame[frame["action"] == BASE]
    base = scores.loc[BASE].to_numpy(dtype=np.float64)
    return Recorded(
        actions=tuple(names),
        losses=base - scores.loc[names].to_numpy(dtype=np.float64),
        saved_ms=saved_ms.loc[names].to_numpy(dtype=np.float64),
        base_ms=prices_of(space)(space.base),
        excludes=excludes,
        passes_per_picture=passes_of(frame),
        captions=tuple(own.sort_values("prompt")["caption"]) if "caption" in own else (),
    )


def passes_of(frame: pd.DataFrame, /) -> int:
    """UNet passes of a recording's pictures; recordings of four steps alone did not say."""
    return int(frame["passes"].iloc[0]) if "passes" in frame else PASSES_PER_PICTURE


def read_table(path: Path, /, *, columns: Sequence[str]) -> pd.DataFrame:
    """A table that a command of this study wrote.

    Args:
        path: Of the parquet file.
        columns: Some that it must have.

    Raises:
        UserError: There is none, or it is no such table.
    """
    if not path.is_file():
        raise UserError(
            f"{path} must be a recording, but is not there; docs/decisions_under_noise.md says how to make it"
        )
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's too
        raise UserError(f"{path} must be a parquet file, but cannot be read ({error}); make it again") from error
    if missing := sorted(set(columns) - set(frame)):
        raise UserError(
            f"{path} must have the columns {', '.join(columns)}, but lacks {', '.join(missing)}; make it again"
        )
    return frame


def part_of(recorded: Recorded, other: Recorded, /) -> Recorded:
    """A recording's removals of another one, in its order, on the same captions.

    Raises:
        UserError: It lacks some of them, or the captions differ.
    """
    missing = set(other.actions) - set(recorded.actions)
    if missing or recorded.captions != other.captions:
        raise UserError(
            "a recording must hold the removals and the captions of the one that judges it, but lacks "
            f"{sorted(missing) or 'none'} and has {len(recorded.captions)} captions where that has "
            f"{len(other.captions)}, in all or in part others; record both with the same `--num-prompts`"
        )
    rows = [recorded.actions.index(action) for action in other.actions]
    return replace(
        other,
        losses=recorded.losses[rows],
        passes_per_picture=recorded.passes_per_picture,
    )


def read_changes(folder: Path, actions: Sequence[str], /) -> dict[str, Floats]:
    """Numbers (K, P) of what `experiments.decisions.screens` measured, by name: distances of one pass, and glimpses.

    Raises:
        UserError: There are none, or not of all actions.
    """
    frame = read_table(folder / "screens.parquet", columns=("action", "prompt", "score_name", "passes", "score"))
    if missing := set(actions) - set(frame["action"]):
        raise UserError(
            f"{folder} must hold cheap scores of every removal of the recording, but lacks {len(missing)} of them, "
            f"such as {min(missing)}; run `python -m experiments.decisions.screens` on this recording again"
        )
    tables = {
        str(name): own.pivot(index="action", columns="prompt", values="score").loc[list(actions)].to_numpy(np.float64)
        for name, own in frame[(frame["passes"] == 1) | (frame["score_name"] == CLIP_GLIMPSE)].groupby("score_name")
    }
    return {  # a distance is never negative
        name: table for name, table in tables.items() if name == CLIP_GLIMPSE or (table >= 0).all()
    }
