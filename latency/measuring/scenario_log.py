"""A log of measurements on disk: what was measured in the first line, an entry in each other.

Whoever goes on with a log must be measuring the same; a log of something else is refused with every difference.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from latency.documents.plain_values import validated
from latency.pricing.scenario import LatencyTableError
from search_spaces.files.json_lines import append_lines, has_lines, held, read_lines
from search_spaces.files.nested import Absent, differences
from search_spaces.files.strict_json import JsonError

SCHEMA_VERSION: Final = 1


class SampleLogError(LatencyTableError):
    """A file of samples that belongs to another measurement, or is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line: everything that makes samples comparable, as plain JSON."""

    schema_version: int
    scenario: dict[str, Any]


H = TypeVar("H", bound=Head)
E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioLog(Generic[H, E]):
    """One file.

    Attributes:
        path: The file; made with the first entry.
        scenario: What is measured, as plain JSON.
        head: Type of the first line.
        entry: Type of each other line.
        holds: What it must hold, for messages: "the samples of this measurement".
        remedy: What to do with a file that is refused, for messages.
    """

    path: Path
    scenario: Mapping[str, Any]
    head: type[H]
    entry: type[E]
    holds: str
    remedy: str

    def read(self, flaws: Callable[[H, list[E]], Iterable[str]], /) -> tuple[H, list[E]] | None:
        """The first line and all entries; None where there is none yet.

        Args:
            flaws: Sentences about what is wrong with well-formed lines of this scenario.

        Raises:
            SampleLogError: The file is another measurement's, or no such log; the message says what differs.
        """
        wrong: list[str] = []
        try:
            documents = read_lines(self.path)
        except JsonError as error:
            raise SampleLogError(f"{error}; it must hold {self.holds}: {self.remedy}") from error
        if not documents:
            return None
        head = validated(self.head, documents[0], place="line 1", wrong=wrong)
        entries = [
            validated(self.entry, document, place=f"line {number}", wrong=wrong)
            for number, document in enumerate(documents[1:], start=2)
        ]
        if wrong := wrong or [*self._differences(head), *flaws(head, entries)]:
            raise SampleLogError(f"{self.path} must hold {self.holds}, but\n  " + "\n  ".join([*wrong, self.remedy]))
        return head, entries

    def append(self, entry: Mapping[str, Any], /, *, head: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Add an entry, after the first line where there is none yet; it is on the disk when this returns.

        Args:
            entry: Plain values.
            head: What the first line holds beside the scenario.

        Raises:
            StorageError: The disk refuses.
        """
        with held(self.path):
            self.append_held(entry, head=head)

    def append_held(self, entry: Mapping[str, Any], /, *, head: Mapping[str, Any] = MappingProxyType({})) -> None:
        """The same for whoever holds the file (`search_spaces.files.json_lines.held`)."""
        first = {"schema_version": SCHEMA_VERSION, "scenario": dict(self.scenario), **head}
        append_lines(self.path, [entry] if has_lines(self.path) else [first, entry])

    def _differences(self, head: H) -> Iterator[str]:
        if head.schema_version != SCHEMA_VERSION:
            yield f"`schema_version` is {head.schema_version} instead of {SCHEMA_VERSION}"
        ours = json.loads(json.dumps(self.scenario))
        for name, pair in differences(head.scenario, ours).items():
            theirs, own = (None if value is Absent.ABSENT else value for value in pair)
            if theirs != own:  # a setting that older files do not know and that is off
                yield f"{name} is {theirs!r} instead of {own!r}"
