"""Report: a file that a profiler wrote, before anybody knows which."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latency.importers.reading import ReportError
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.strict_text import TextError, decoded


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """A file's name and content.

    Attributes:
        name: File name, for messages and for finding the model file that it is about.
        data: Content.
    """

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def text(self) -> str:
        """The content as text.

        Raises:
            ReportError: It is none.
        """
        try:
            return decoded(self.data)
        except TextError as error:
            raise ReportError(str(error)) from error

    @property
    def looks_like_json(self) -> bool:
        """Whether the text begins as JSON documents do."""
        return self.text.lstrip()[:1] in ("{", "[")

    @cached_property
    def document(self) -> Any:
        """The content as JSON; None where it does not even begin as JSON.

        Raises:
            ReportError: It begins as JSON, but is none.
        """
        if not self.looks_like_json:
            return None
        try:
            return parse_json(self.text)
        except JsonError as error:
            raise ReportError(str(error)) from error

    def events(self) -> list[dict[str, Any]]:
        """The objects of a JSON list; empty where the document is something else."""
        return [item for item in self.document if isinstance(item, dict)] if isinstance(self.document, list) else []


def read_files(paths: Sequence[Path], /) -> tuple[Report, ...]:
    """Read reports from disk.

    They are named by their file names; where two have the same (some tools always write the same name, into folders),
    all are named by their paths from the folder that holds them all.

    Raises:
        FileNotFoundError: Some are missing; the message lists all of them.
    """
    if absent := [str(path) for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"there is no report {', '.join(absent)}")
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        folder = os.path.commonpath([path.resolve().parent for path in paths])
        names = [path.resolve().relative_to(folder).as_posix() for path in paths]
    return tuple(Report(name=name, data=path.read_bytes()) for name, path in zip(names, paths, strict=True))
