"""Reading and writing latency tables: one JSON document each, and its flat CSV twin.

What is written can be read; a file is replaced as a whole or not at all.
"""

import csv
import io
import json
import warnings
from dataclasses import asdict
from os import PathLike
from pathlib import Path

from latency.documents.document import KEY_FIELDS, VALUE_FIELDS, from_document, to_document
from latency.documents.sums import POSSIBLE_SUM, TRUSTED_SUM, sum_law, within
from latency.pricing.scenario import LatencyTableError
from latency.pricing.table import LatencyTable
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import local_path, no_such_file
from search_spaces.files.replacing import check_replaceable
from search_spaces.files.strict_json import JsonError, parse_json, read_json


class LatencyTableWarning(UserWarning):
    """A table that can be used but should not be trusted."""


def read_table(path: str | PathLike[str], /) -> LatencyTable:
    """Read a table from its file; `read_latency_table` takes the names of shipped ones too.

    Warns:
        LatencyTableWarning: The blocks sum to less than 0.9 or more than 1.1 of the end-to-end latency.

    Raises:
        FileNotFoundError: There is no such file.
        LatencyTableError: Not a table of this schema; the message names every violation and its place.
    """
    path = local_path(path)
    if not path.is_file():
        remedy = f"make one with `nas latency measure MODEL --out {path}`"
        raise FileNotFoundError(no_such_file(path, what="latency table", remedy=remedy))
    try:
        table = from_document(parse_json(path.read_bytes()))
    except (JsonError, LatencyTableError) as error:
        raise LatencyTableError(f"{path} is not a latency table that can be used:\n{error}") from error
    if table.check is not None:
        _check_possible(table.check.sum_over_end_to_end, path)
        if not within(table.check.sum_over_end_to_end, TRUSTED_SUM):
            warnings.warn(f"{path}: {sum_law(table.check.sum_over_end_to_end)}", LatencyTableWarning, stacklevel=2)
    return table


def write_table(table: LatencyTable, path: str | PathLike[str], /, *, allow_mismatch: bool = False) -> None:
    """Write a table as JSON.

    Args:
        table: The table.
        path: Where; an earlier table is replaced.
        allow_mismatch: Write it even where blocks and whole do not agree to a tenth.

    Raises:
        LatencyTableError: They do not; nothing is written.
        PlaceError: What stands there is no latency table; it was not touched.
        StorageError: The disk refuses; `path` is as it was.
    """
    path = local_path(path)
    check_table_place(path)
    if table.check is not None:
        _check_possible(table.check.sum_over_end_to_end, path)
        if not allow_mismatch and not within(table.check.sum_over_end_to_end, TRUSTED_SUM):
            raise LatencyTableError(
                f"{path} was not written: {sum_law(table.check.sum_over_end_to_end)}; or allow the mismatch "
                "(`--allow-mismatch`)"
            )
    write_text(path, table_text(table))


def check_table_place(path: Path, /) -> None:
    """Check that a table can be written to a path, before hours of work that are to end in it.

    Raises:
        PlaceError: What stands there is no latency table.
        StorageError: The disk refuses.
    """
    check_replaceable(path, _is_table, kind="a latency table")


def _is_table(path: Path) -> bool:
    """Whether a file is a latency table of any version, in order or not."""
    try:
        document = read_json(path)
    except JsonError:
        return False
    return isinstance(document, dict) and {"schema_version", "rows"} <= document.keys()


def write_csv(table: LatencyTable, path: str | PathLike[str], /) -> None:
    """Write the rows as CSV, one line each; sites are joined by spaces. The scenario stays in the JSON document."""
    write_text(local_path(path), csv_text(table))


def table_text(table: LatencyTable, /) -> str:
    """The JSON document, one row a line."""
    document = to_document(table)
    rows = ",\n".join(f"    {json.dumps(row)}" for row in document.pop("rows"))
    head = json.dumps(document, indent=2).removesuffix("\n}")
    return f'{head},\n  "rows": [\n{rows}\n  ]\n}}\n'


def csv_text(table: LatencyTable, /) -> str:
    """The CSV twin: the schema's row keys as columns, text in quotes, lines ended as RFC 4180 says."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=(*KEY_FIELDS, *VALUE_FIELDS), quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in table.rows:
        flat = asdict(row)
        writer.writerow(flat.pop("signature") | flat | {"sites": " ".join(row.sites)})
    return text.getvalue()


def _check_possible(ratio: float, path: Path) -> None:
    if not within(ratio, POSSIBLE_SUM):
        raise LatencyTableError(
            f"{path}: blocks must sum to {POSSIBLE_SUM[0]} .. {POSSIBLE_SUM[1]} of the end-to-end latency, "
            f"but got {ratio:.3f}; look for a wrong unit or batch size"
        )
