"""The samples of a measurement on disk, round by round: killed or refused, it goes on where it stood.

One JSON object a line (`latency.documents.line_log`). The first says what was measured, the others hold a round each.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from latency.documents.line_log import append_lines, differences, whole_lines
from latency.documents.strict_json import parse_json, validated
from latency.pricing.scenario import LatencyTableError
from latency.timing.estimator import Samples

K = TypeVar("K")
SCHEMA_VERSION: Final = 1


class SampleLogError(LatencyTableError):
    """A file of samples that belongs to another measurement, or is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    schema_version: int
    scenario: dict[str, Any]
    calls: dict[str, int]  # by label


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    number: int
    start: int  # of the process, counted from 1
    call_ms: dict[str, float]
    reference_ms: dict[str, float]


class SampleLog(Generic[K]):
    """One measurement's file.

    Args:
        path: The file; made at the end of the first round.
        scenario: Everything that makes samples comparable, as plain JSON; a file of another scenario is refused.
        labels: A text for every task.

    Attributes:
        num_starts: Processes that have added rounds, so far.
    """

    def __init__(self, path: Path, /, *, scenario: Mapping[str, Any], labels: Mapping[K, str]) -> None:
        self.path, self._labels = path, dict(labels)
        self._scenario: dict[str, Any] = json.loads(json.dumps(scenario))
        self.num_starts = 0
        self._has_appended = False

    def read(self) -> dict[K, Samples]:
        """The samples of all finished rounds; empty when there are none.

        Raises:
            SampleLogError: The file is another measurement's, or no file of samples; the message says what differs.
        """
        if not (lines := whole_lines(self.path)):
            return {}
        head, rounds = self._parsed(lines)
        self.num_starts = max((each.start for each in rounds), default=0)
        if not rounds:
            return {}
        return {
            task: Samples(
                call_ms=tuple(each.call_ms[label] for each in rounds),
                reference_ms=tuple(each.reference_ms[label] for each in rounds),
                calls=head.calls[label],
            )
            for task, label in self._labels.items()
        }

    def append(self, samples: Mapping[K, Samples], /) -> None:
        """Add the last round of samples that hold one more than the file; it is on the disk when this returns."""
        if not self._has_appended:
            self.num_starts, self._has_appended = self.num_starts + 1, True
        by_label = {self._labels[task]: each for task, each in samples.items()}
        lines = []
        if not (kept := whole_lines(self.path)):
            calls = {label: each.calls for label, each in by_label.items()}
            lines.append({"schema_version": SCHEMA_VERSION, "scenario": self._scenario, "calls": calls})
        lines.append(
            {
                "number": len(next(iter(by_label.values())).call_ms),
                "start": self.num_starts,
                "call_ms": {label: each.call_ms[-1] for label, each in by_label.items()},
                "reference_ms": {label: each.reference_ms[-1] for label, each in by_label.items()},
            }
        )
        append_lines(self.path, lines, kept=kept)

    def _parsed(self, lines: list[bytes]) -> tuple[_Head, list[_Round]]:
        wrong: list[str] = []
        try:
            documents = [parse_json(line) for line in lines]
        except LatencyTableError as error:
            raise SampleLogError(f"{self.path} holds no samples: a line {error}") from error
        head = validated(_Head, documents[0], place="line 1", wrong=wrong)
        rounds = [
            validated(_Round, each, place=f"line {number}", wrong=wrong)
            for number, each in enumerate(documents[1:], start=2)
        ]
        if not wrong:
            wrong = [*self._strange(head)] or [*self._inconsistent(rounds)]
        if wrong:
            raise SampleLogError(
                f"{self.path} must hold the samples of this measurement, but\n  "
                + "\n  ".join(wrong)
                + "\ngive the options that it was made with, or another `--out`, or delete it to measure afresh"
            )
        return head, rounds

    def _strange(self, head: _Head) -> Iterator[str]:
        """What the file's first line says otherwise."""
        if head.schema_version != SCHEMA_VERSION:
            yield f"`schema_version` is {head.schema_version} instead of {SCHEMA_VERSION}"
        yield from differences(head.scenario, self._scenario)
        if strange := sorted(head.calls.keys() ^ set(self._labels.values())):
            yield f"its tasks differ in {len(strange)}, such as {strange[0]}"
        if any(calls < 1 for calls in head.calls.values()):
            yield "some `calls` are below 1"

    def _inconsistent(self, rounds: list[_Round]) -> Iterator[str]:
        labels = set(self._labels.values())
        for number, each in enumerate(rounds, start=1):
            if each.number != number:
                yield f"round {number} is numbered {each.number}"
            if not (each.call_ms.keys() == each.reference_ms.keys() == labels):
                yield f"round {number} does not hold every task once"
            if not all(0 < ms < float("inf") for ms in (*each.call_ms.values(), *each.reference_ms.values())):
                yield f"round {number} holds times that are not positive"
