"""The tables that are shipped, by name: "shapes_cpu_torch_eager" means the file of that name in latency/tables."""

from os import PathLike
from pathlib import Path
from typing import Final

from latency.documents.store import read_table
from latency.pricing.table import LatencyTable
from search_spaces.files.paths import local_path, no_such_file

_FOLDER: Final = Path(__file__).parents[1] / "tables"


def shipped_tables() -> list[str]:
    """The names of all tables that are shipped: model, device and runtime."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def find_table(table: str | PathLike[str], /) -> Path:
    """The file of a latency table.

    Args:
        table: A file, or the name of a shipped table; where both are there, the file is meant.

    Raises:
        FileNotFoundError: Neither; the message lists the names.
        IsADirectoryError: A folder.
    """
    path = local_path(table)
    if path.is_file():
        return path
    if str(path) in (names := shipped_tables()):
        return _FOLDER / f"{path}.json"
    remedy = f"make one with `nas latency measure MODEL --out {path}`, or name a shipped one: {', '.join(names)}"
    absent = IsADirectoryError if path.is_dir() else FileNotFoundError
    raise absent(no_such_file(path, what="latency table", remedy=remedy))


def read_latency_table(table: str | PathLike[str], /) -> LatencyTable:
    """Read a latency table.

    Args:
        table: Its file (JSON), or the name of a shipped one, such as "shapes_cpu_torch_eager".

    Warns:
        LatencyTableWarning: The blocks sum to less than 0.9 or more than 1.1 of the end-to-end latency.

    Raises:
        FileNotFoundError: There is no such table; the message lists the shipped ones.
        LatencyTableError: Not a table of this schema; the message names every violation and its place.
    """
    return read_table(find_table(table))
