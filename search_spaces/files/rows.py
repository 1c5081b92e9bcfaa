"""Rows of files that somebody else made, JSON lines or CSV with a header: one error for all that is wrong in them."""

import csv
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.strict_text import listed, opened_text, read_text
from search_spaces.files.user_error import UserError

DELIMITERS: Final[Mapping[str, str]] = {".csv": ",", ".tsv": "\t"}
EMPTY: Final = frozenset({"nan", "none", "null", "<na>"})  # what programs write into an empty cell
MAX_SHOWN: Final = 20  # problems, as many as a person reads
_LINE_END: Final = re.compile(r"\r\n|\r|\n")  # not those of str.splitlines, which may stand inside of JSON's strings


class RowsError(UserError):
    """A file whose rows cannot be used; the message names the file, every wrong line and what is wrong with it."""


@dataclass(slots=True)
class Problems:
    """What is wrong in a file, by line; what is wrong in the same way in many lines is said once."""

    path: Path
    _lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: int, message: str, /) -> None:
        """Note a problem of a line, counted from 1."""
        self._lines.setdefault(message, []).append(line)

    def check(self) -> None:
        """Check that there were none.

        Raises:
            RowsError: There were; all are told at once.
        """
        if not self._lines:
            return
        num = sum(map(len, self._lines.values()))
        told = [f"  {_places(lines)} {message}" for message, lines in self._lines.items()]
        if len(told) > MAX_SHOWN:
            told = [*told[:MAX_SHOWN], f"  and {len(told) - MAX_SHOWN} more"]
        raise RowsError("\n".join([f"{self.path} has {num} problem{'s'[: num > 1]}:", *told]))


def lines_of(text: str, /) -> list[str]:
    """The lines of a text, whatever system wrote it."""
    return _LINE_END.split(text)


def read_rows(path: Path, /, *, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a file with their lines: of CSV (.csv, .tsv) with a header, of JSON lines otherwise.

    The file is read as rows are asked for, so that one of a million rows takes no more memory than one of ten.

    Args:
        path: File.
        problems: Takes note of lines that are no rows.

    Raises:
        TextError: It is no text; the message names the file.
        OSError: It cannot be opened.
    """
    delimiter = DELIMITERS.get(path.suffix.lower())
    with opened_text(path) as file:
        try:
            if delimiter is not None:
                yield from _csv_rows(file, delimiter, problems)
            else:
                yield from _json_rows(file, problems)
        except UnicodeDecodeError:
            read_text(path)  # which says where in the file
            raise


def _json_rows(file: Iterable[str], problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line.rstrip("\r\n"))
        except JsonError as error:
            problems.add(number, str(error))
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.add(number, f"must be a JSON object, but is a {type(row).__name__}")


def text_in(row: Mapping[str, Any], /, *, keys: tuple[str, ...]) -> str:
    """The text under the first of some keys that a row has.

    Raises:
        UserError: There is none, or it is no text; the message begins with "must" and names no place.
    """
    key = next((key for key in keys if key in row), None)
    if key is None:
        have = listed(sorted(row)) or "nothing"
        raise UserError(f"must have {' or '.join(f'`{key}`' for key in keys)}, but has {have}")
    value = row[key]
    if not isinstance(value, str):
        raise UserError(f"must have a string as `{key}`, but got {_shown(value)}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"must have text as `{key}`, but holds half of a UTF-16 pair; write the whole letter")
    if value.strip().lower() in EMPTY:
        raise UserError(
            f"must have text as `{key}`, but has {value.strip()}, as programs write an empty cell; write the text, or "
            "leave the row out"
        )
    return value


def _csv_rows(file: Iterable[str], delimiter: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            problems.add(reader.line_num, f"must be a row of {delimiter!r}-separated cells, but is not: {error}")
            return  # a quote that nobody closed swallows all that follows
        if cells is None:
            return
        if not cells:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if len(set(header)) < len(header):
                problems.add(reader.line_num, f"must name every column once, but got {listed(header)}")
                return
        elif len(cells) != len(header):
            problems.add(
                reader.line_num,
                f"must have {len(header)} cells as the header, but has {len(cells)}; quote {delimiter!r}",
            )
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _places(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:3]))
    if len(lines) == 1:
        return f"line {shown}"
    return f"lines {shown}" + (f" and {len(lines) - 3} more" if len(lines) > 3 else "")


def _shown(value: Any) -> str:
    """A JSON value that is no text, in a few words."""
    match value:
        case None:
            return "null"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return reprlib.repr(value).lower()
