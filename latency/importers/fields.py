"""Typed access to the plain values of a report: every surprise is a `ReportError` that says where it stands."""

import csv
import io
import math
import re
import reprlib
from typing import Any, Final

from latency.importers.reading import ReportError

PER_MS: Final = {"ns": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1.0, "s": 1e-3}  # both signs that look like mu
DIGITS: Final = 9  # of ms: picoseconds, so that 14290.9 us are 14.2909 ms
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def milliseconds(value: Any, place: str, /, *, unit: str) -> float:
    """A time in milliseconds.

    Args:
        value: A number, or the text of one: several tools write numbers as strings.
        place: Where it stands.
        unit: A key of `PER_MS`, read from the format.

    Raises:
        ReportError: Not a number, or not finite.
    """
    return round(number(value, place) / PER_MS[unit], DIGITS)


def number(value: Any, place: str, /) -> float:
    """A finite number, or the text of one.

    Raises:
        ReportError: It is not.
    """
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ReportError(f"{place}: must be a number, but got {reprlib.repr(value)}")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ReportError(f"{place}: must be a finite number, but got {value}")
    return float(value)


def count(value: Any, place: str, /) -> int:
    """A whole number of at least 1, or the text of one.

    Raises:
        ReportError: It is not.
    """
    read = number(value, place)
    if read < 1 or read != int(read):
        raise ReportError(f"{place}: must be a whole number of at least 1, but got {reprlib.repr(value)}")
    return int(read)


def table(value: Any, place: str, /) -> dict[str, Any]:
    """An object of the report.

    Raises:
        ReportError: It is something else, or missing.
    """
    if not isinstance(value, dict):
        raise ReportError(f"{place}: must be an object, but got {reprlib.repr(value)}")
    return value


def text_or_empty(value: Any, /) -> str:
    """A string of the report; "" where there is none."""
    return value if isinstance(value, str) else ""


def csv_lines(text: str, /, *, delimiter: str) -> list[list[str]]:
    """Cells of a table of text, line by line; empty lines are left out.

    Raises:
        ReportError: The text is no such table.
    """
    try:
        return [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line]
    except csv.Error as error:
        raise ReportError(f"must be a table of text, but it cannot be read: {error}") from error


def semicolon_lines(text: str, /) -> list[list[str]]:
    """Cells between semicolons, which OpenVINO writes without any quoting; empty lines are left out."""
    return [line.split(";") for line in text.splitlines() if line]


def file_name(path: str, /) -> str:
    """Last part of a path of any operating system."""
    return re.split(r"[/\\]", path)[-1]
