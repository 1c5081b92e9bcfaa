"""Rows to a frame whose columns are of the same types, whatever stands in them: none, few or many rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import pandas as pd

from search_spaces.files.user_error import UserError

T = TypeVar("T")

WHOLE: Final = "int64"
WHOLE_OR_NONE: Final = "Int64"  # <NA> where there is none
NUMBER: Final = "float64"  # NaN where there is none
TRUTH: Final = "bool"
TEXT: Final = "str"  # NaN where there is none
ANY: Final = "object"  # texts, truths or bytes that may be None, and are None then


def tidy(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, str], /) -> pd.DataFrame:
    """A frame of rows.

    Args:
        rows: A tuple per row.
        kinds: The types of the columns by their names, in order.
    """
    frame = pd.DataFrame(rows, columns=list(kinds))
    for at, (name, kind) in enumerate(kinds.items()):
        if kind == ANY:  # pandas would have NaN for None
            frame[name] = pd.Series([row[at] for row in rows], index=frame.index, dtype=ANY)
    return frame.astype({name: kind for name, kind in kinds.items() if kind != ANY})


def numbers(*names: str) -> dict[str, str]:
    """Columns of numbers."""
    return dict.fromkeys(names, NUMBER)


def several(given: Iterable[T], /, *, name: str) -> tuple[T, ...]:
    """The values of an argument that takes several: a list, a set, a range or a column of a frame.

    Raises:
        UserError: It is a single one, whose letters would be taken for values.
    """
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise UserError(f"`{name}` must be a list, such as [{given!r}], but got {given!r}")
    return tuple(given)
