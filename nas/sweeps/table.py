"""The table of a sweep, a row per trial: written whole, read strictly, and never in place of somebody else's."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from nas.reports.exporting.tables import is_table
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.paths import local_path
from search_spaces.files.replacing import check_replaceable
from search_spaces.files.rows import Problems, read_rows, text_in
from search_spaces.files.user_error import UserError

TABLE: Final = "trials.csv"
_PARQUET: Final = "trials.parquet"
FIRST_COLUMN: Final = "trial"


def check_table(out: Path, /) -> None:
    """Check that the table can be written to a sweep's folder.

    Raises:
        PlaceError: Something else stands in its place; it was not touched.
        StorageError: The disk refuses.
    """
    for name in (TABLE, _PARQUET):
        check_replaceable(out / name, partial(is_table, first=FIRST_COLUMN), kind="the table of a sweep")


def write_trials(table: pd.DataFrame, /, *, out: Path) -> None:
    """Write the table, as CSV and parquet.

    Raises:
        StorageError: The disk refuses; each file is as it was or new.
    """
    write_text(out / TABLE, table.to_csv(index=False))
    with whole(out / _PARQUET) as part:
        table.to_parquet(part, index=False)


def trials_of(folder: Path, /) -> tuple[Path, ...]:
    """The runs of a sweep that is done, the best first; none where a folder holds no sweep.

    Raises:
        UserError: Its table is not what a sweep writes; the message names every wrong line.
    """
    file = local_path(folder) / TABLE
    if not file.is_file():
        return ()
    problems, found = Problems(file), list[tuple[float, str]]()
    for line, row in read_rows(file, problems=problems):
        try:
            found.append((_objective(row), _run(row)))
        except UserError as error:
            problems.add(line, str(error))
    problems.check()
    if not found:
        raise UserError(f"{file} must tell of a trial, but tells of none; `nas sweep` writes it")
    best_first = sorted(found, key=lambda trial: -trial[0])
    return tuple(local_path(folder) / "trials" / name for _, name in best_first)


def _objective(row: Mapping[str, Any]) -> float:
    text = text_in(row, keys=("objective",))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"must have a number as `objective`, but has {text!r:.40}")
    return value


def _run(row: Mapping[str, Any]) -> str:
    name = text_in(row, keys=("run",))
    if name in ("", "..") or Path(name).name != name:
        raise UserError(f"must have the name of a folder in trials as `run`, but has {name!r:.40}")
    return name
