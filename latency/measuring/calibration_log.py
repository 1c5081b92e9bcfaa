"""The whole models that a calibration has measured, on disk one by one: killed, it goes on with the next.

One JSON object a line (`latency.documents.line_log`). The first says what was measured, the others hold a sub-network
each, with the base model that was measured in the same rounds.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from latency.documents.line_log import append_lines, differences, whole_lines
from latency.documents.strict_json import parse_json, validated
from latency.measuring.sample_log import SampleLogError
from latency.pricing.scenario import LatencyTableError
from latency.timing.estimator import Samples

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """A sub-network and the base model, measured in the same rounds.

    Attributes:
        arch_id: Of the sub-network.
        subnetwork: Its samples.
        base: The base model's.
    """

    arch_id: str
    subnetwork: Samples
    base: Samples

    @property
    def num_rounds(self) -> int:
        """Rounds of both."""
        return len(self.base.call_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    schema_version: int
    scenario: dict[str, Any]


class CalibrationLog:
    """One table's file.

    Args:
        path: The file; made when the first sub-network is measured.
        scenario: Everything that makes samples comparable, as plain JSON; a file of another scenario is refused.
    """

    def __init__(self, path: Path, /, *, scenario: Mapping[str, Any]) -> None:
        self.path = path
        self._scenario: dict[str, Any] = json.loads(json.dumps(scenario))

    def read(self) -> dict[str, Duel]:
        """All that is finished, by the sub-network's `arch_id`; the latest where one was measured again.

        Raises:
            SampleLogError: The file is another calibration's, or none; the message says what differs.
        """
        if not (lines := whole_lines(self.path)):
            return {}
        wrong: list[str] = []
        try:
            documents = [parse_json(line) for line in lines]
        except LatencyTableError as error:
            raise SampleLogError(f"{self.path} holds no calibration: a line {error}") from error
        head = validated(_Head, documents[0], place="line 1", wrong=wrong)
        duels = [
            validated(Duel, each, place=f"line {number}", wrong=wrong)
            for number, each in enumerate(documents[1:], start=2)
        ]
        if not wrong:
            if head.schema_version != SCHEMA_VERSION:
                wrong.append(f"`schema_version` is {head.schema_version} instead of {SCHEMA_VERSION}")
            wrong += differences(head.scenario, self._scenario)
            wrong += [f"line {n}: {why}" for n, duel in enumerate(duels, start=2) if (why := _flaw(duel))]
        if wrong:
            raise SampleLogError(
                f"{self.path} must hold whole models of this table's scenario, but\n  "
                + "\n  ".join(wrong)
                + "\ngive the options that it was made with, or delete it to measure afresh"
            )
        return {duel.arch_id: duel for duel in duels}

    def append(self, duel: Duel, /) -> None:
        """Add what is finished; it is on the disk when this returns."""
        kept = whole_lines(self.path)
        head = [] if kept else [{"schema_version": SCHEMA_VERSION, "scenario": self._scenario}]
        append_lines(self.path, [*head, asdict(duel)], kept=kept)


def _flaw(duel: Duel) -> str:
    """What makes samples unusable; "" where nothing does."""
    both = (duel.subnetwork, duel.base)
    times = [ms for each in both for ms in (*each.call_ms, *each.reference_ms)]
    lengths = {len(part) for each in both for part in (each.call_ms, each.reference_ms)}
    if len(lengths) != 1 or not times:
        return f"both models must have the same rounds, at least one, but they have {sorted(lengths)}"
    if not all(0 < ms < float("inf") for ms in times):
        return "times must be positive and finite"
    return ""
