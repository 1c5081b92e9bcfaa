"""The measured prices of one machine on disk, architecture by architecture: a search that goes on finds them again.

A `ScenarioLog` whose entries are an architecture each. Another machine's file, or one of other settings, is refused
with every difference.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from latency.measuring.scenario_log import Head, ScenarioLog
from search_spaces.files.json_lines import held
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPrice:
    """One architecture's price.

    Attributes:
        arch_id: Whose.
        ms: Milliseconds of one forward pass.
        error_ms: Their standard error.
        seconds: What measuring it took, all in all.
    """

    arch_id: str
    ms: float
    error_ms: float
    seconds: float

    def __post_init__(self) -> None:
        if not (0 < self.ms < inf and 0 <= self.error_ms < inf and 0 <= self.seconds < inf):
            raise UserError(f"times must be positive and finite, but got {self.ms}, {self.error_ms}, {self.seconds}")


class PriceLog:
    """One machine's prices of one model.

    Args:
        path: The file; made when the first architecture has been measured.
        scenario: Everything that makes prices comparable, as plain JSON.
    """

    def __init__(self, path: Path, /, *, scenario: Mapping[str, Any]) -> None:
        self.path = path
        self._log = ScenarioLog(
            path=path,
            scenario=scenario,
            head=Head,
            entry=MeasuredPrice,
            holds="prices that were measured on this machine with these settings",
            remedy="give the settings that it was made with, or another `cache`, or delete it to measure afresh",
        )

    def read(self) -> dict[str, MeasuredPrice]:
        """Every price by `arch_id`; the first counts, so that what a search has seen once stays.

        Raises:
            SampleLogError: The file is of another machine or setting, or no file of prices.
        """
        found = self._log.read(lambda head, prices: ())
        return {} if found is None else {price.arch_id: price for price in reversed(found[1])}

    def append(self, price: MeasuredPrice, /) -> dict[str, MeasuredPrice]:
        """Add a price, unless another process has added one of the same architecture meanwhile.

        Returns:
            Every price that stands on the disk now.

        Raises:
            SampleLogError: Another process has made the file, on another machine or with other settings.
            StorageError: The disk refuses.
        """
        with held(self.path):
            if price.arch_id not in self.read():
                self._log.append_held(asdict(price))
            return self.read()
