"""Every frame of a run as a CSV or parquet file."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nas.runs.frames.methods import FRAMES
from nas.runs.run import Run
from search_spaces.files.durable.writing import whole
from search_spaces.files.replacing import check_replaceable
from search_spaces.files.user_error import UserError


def write_tables(run: Run, out: Path, /, *, suffix: str) -> Iterator[tuple[Path, str]]:
    """Write a file per frame; pictures in CSV are PNG files beside it.

    Args:
        run: The run.
        out: Folder.
        suffix: "csv" or "parquet".

    Yields:
        Each file and how many rows it has.

    Raises:
        PlaceError: Something else than such a table stands there; it was not touched.
        StorageError: The disk refuses.
    """
    for name in FRAMES:
        try:
            frame = getattr(run, name)()
        except UserError as error:  # its scores lie in a store that others share
            yield out, f"no {name}: {error}"
            continue
        path = out / f"{name}.{suffix}"
        if suffix == "csv" and name == "pictures":
            frame = _with_files(frame, out / "pictures")
        check_replaceable(path, partial(is_table, first=frame.columns[0]), kind=f"the table of {name}")
        with whole(path) as part:
            part.write_bytes(_bytes(frame, suffix))
        yield path, f"{len(frame):,} rows"


def is_table(path: Path, *, first: str) -> bool:
    """Whether a file begins as a table with this first column does, whose other columns an older version may lack."""
    with path.open("rb") as file:
        head = file.read(len(first) + 1)
    return head.startswith(b"PAR1") if path.suffix == ".parquet" else head == f"{first},".encode()


def _bytes(frame: pd.DataFrame, suffix: str) -> bytes:
    if suffix == "csv":
        return frame.to_csv(index=False).encode()
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _with_files(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The frame with a file's name in the place of each picture."""
    names: list[Any] = []
    for row in frame.to_dict(orient="records"):
        path = folder / f"round-{row['round']:03d}-{row['arch_id']}-{row['prompt_id']}.png"
        with whole(path) as part:
            part.write_bytes(row["png"])
        names.append(f"{folder.name}/{path.name}")
    frame = frame.drop(columns="png")
    frame["file"] = pd.Series(names, index=frame.index, dtype=object)
    return frame
