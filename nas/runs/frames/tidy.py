"""Rows to a frame whose columns keep what they hold: None stays None, also among texts."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd


def tidy(rows: Sequence[tuple[Any, ...]], columns: Sequence[str], /, *, objects: Collection[str] = ()) -> pd.DataFrame:
    """A frame of rows.

    Args:
        rows: A tuple per row.
        columns: Their names.
        objects: Columns whose values may be None, or bytes; pandas would have NaN there, or be slow.
    """
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in objects:
        at = list(columns).index(name)
        frame[name] = pd.Series([row[at] for row in rows], index=frame.index, dtype=object)
    return frame
