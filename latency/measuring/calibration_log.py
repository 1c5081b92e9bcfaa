"""The whole models that a calibration has measured, on disk one by one: killed, it goes on with the next.

A `ScenarioLog` whose entries are a sub-network each, with the base model that was measured in the same rounds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from latency.measuring.scenario_log import Head, ScenarioLog
from latency.timing.estimator import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedSamples:
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


class CalibrationLog:
    """One table's file.

    Args:
        path: The file; made when the first sub-network is measured.
        scenario: Everything that makes samples comparable, as plain JSON; a file of another scenario is refused.
    """

    def __init__(self, path: Path, /, *, scenario: Mapping[str, Any]) -> None:
        self._log = ScenarioLog(
            path=path,
            scenario=scenario,
            head=Head,
            entry=PairedSamples,
            holds="whole models of this table's scenario",
            remedy="give the options that it was made with, or delete it to measure afresh",
        )

    def read(self) -> dict[str, PairedSamples]:
        """All that is finished, by the sub-network's `arch_id`; the latest where one was measured again.

        Raises:
            SampleLogError: The file is another calibration's, or none; the message says what differs.
        """
        found = self._log.read(_flaws)
        return {} if found is None else {pair.arch_id: pair for pair in found[1]}

    def append(self, pair: PairedSamples, /) -> None:
        """Add what is finished; it is on the disk when this returns.

        Raises:
            StorageError: The disk refuses.
        """
        self._log.append(asdict(pair))


def _flaws(_head: Head, pairs: list[PairedSamples]) -> Iterator[str]:
    """What makes samples unusable."""
    for number, pair in enumerate(pairs, start=2):
        both = (pair.subnetwork, pair.base)
        times = [ms for samples in both for ms in (*samples.call_ms, *samples.reference_ms)]
        lengths = {len(part) for samples in both for part in (samples.call_ms, samples.reference_ms)}
        if len(lengths) != 1 or not times:
            yield f"line {number}: both models must have the same rounds, at least one, but they have {sorted(lengths)}"
        elif not all(0 < ms < float("inf") for ms in times):
            yield f"line {number}: times must be positive and finite"
