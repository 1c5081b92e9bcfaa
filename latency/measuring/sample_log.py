"""The samples of a measurement on disk, round by round: killed or refused, it goes on where it stood.

A `ScenarioLog` whose entries are a round each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from latency.measuring.scenario_log import Head, ScenarioLog
from latency.timing.estimator import Samples

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head(Head):
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
        self._labels = dict(labels)
        self._log = ScenarioLog(
            path=path,
            scenario=scenario,
            head=_Head,
            entry=_Round,
            holds="the samples of this measurement",
            remedy="give the options that it was made with, or another `--out`, or delete it to measure afresh",
        )
        self.num_starts = 0
        self._has_appended = False

    def read(self) -> dict[K, Samples]:
        """The samples of all finished rounds; empty when there are none.

        Raises:
            SampleLogError: The file is another measurement's, or no file of samples; the message says what differs.
        """
        if (found := self._log.read(self._flaws)) is None:
            return {}
        head, rounds = found
        self.num_starts = max((round_.start for round_ in rounds), default=0)
        if not rounds:
            return {}
        return {
            task: Samples(
                call_ms=tuple(round_.call_ms[label] for round_ in rounds),
                reference_ms=tuple(round_.reference_ms[label] for round_ in rounds),
                calls=head.calls[label],
            )
            for task, label in self._labels.items()
        }

    def append(self, samples: Mapping[K, Samples], /) -> None:
        """Add the last round of samples that hold one more than the file; it is on the disk when this returns."""
        if not self._has_appended:
            self.num_starts, self._has_appended = self.num_starts + 1, True
        by_label = {self._labels[task]: of_task for task, of_task in samples.items()}
        last = _Round(
            number=len(next(iter(by_label.values())).call_ms),
            start=self.num_starts,
            call_ms={label: of_task.call_ms[-1] for label, of_task in by_label.items()},
            reference_ms={label: of_task.reference_ms[-1] for label, of_task in by_label.items()},
        )
        self._log.append(asdict(last), head={"calls": {label: of_task.calls for label, of_task in by_label.items()}})

    def _flaws(self, head: _Head, rounds: list[_Round]) -> Iterator[str]:
        labels = set(self._labels.values())
        if strange := sorted(head.calls.keys() ^ labels):
            yield f"its tasks differ in {len(strange)}, such as {strange[0]}"
            return
        if any(calls < 1 for calls in head.calls.values()):
            yield "some `calls` are below 1"
        for number, round_ in enumerate(rounds, start=1):
            if round_.number != number:
                yield f"round {number} is numbered {round_.number}"
            if not (round_.call_ms.keys() == round_.reference_ms.keys() == labels):
                yield f"round {number} does not hold every task once"
            if not all(0 < ms < float("inf") for ms in (*round_.call_ms.values(), *round_.reference_ms.values())):
                yield f"round {number} holds times that are not positive"
