"""What makes scores: versions and the kind of machine. The same pictures differ in their last bits between kinds.

Losses are small differences of two scores. They are taken of scores that one kind of machine and one set of versions
made, so that what another kind adds cancels instead of becoming part of every loss.
"""

import pandas as pd

from nas.scores.stored.keys import UNKNOWN_MAKER

__all__ = ["UNKNOWN_MAKER", "of_one_maker"]


def of_one_maker(*frames: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """The rows of frames of scores that may be paired: of the maker that made most of what all of them hold.

    Args:
        frames: With a column `made_by`, as `ScoreStore.frame` gives it.
    """
    counts = [frame["made_by"].value_counts(sort=False) for frame in frames]
    makers = list(counts[0].index) if counts else []
    if not makers:
        return frames
    best = max(makers, key=lambda maker: min(int(count.get(maker, 0)) for count in counts))
    return tuple(frame[frame["made_by"] == best] for frame in frames)
