"""The measured prices of one machine on disk, architecture by architecture: a search that goes on finds them again.

One JSON object a line (`latency.documents.line_log`). The first says what was measured where and how, the others hold
an architecture each. Another machine's file, or one of other settings, is refused with every difference.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any, Final

from latency.documents.line_log import append_lines, differences, whole_lines
from latency.documents.strict_json import parse_json, validated
from latency.pricing.scenario import LatencyTableError

SCHEMA_VERSION: Final = 1


class PriceLogError(LatencyTableError):
    """A file of prices that belongs to another machine or setting, or is none."""


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
            raise ValueError(f"times must be positive and finite, but got {self.ms}, {self.error_ms}, {self.seconds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    schema_version: int
    scenario: dict[str, Any]


class PriceLog:
    """One machine's prices of one model.

    Args:
        path: The file; made when the first architecture has been measured.
        scenario: Everything that makes prices comparable, as plain JSON.
    """

    def __init__(self, path: Path, /, *, scenario: Mapping[str, Any]) -> None:
        self.path = path
        self._scenario: dict[str, Any] = json.loads(json.dumps(scenario))

    def read(self) -> dict[str, MeasuredPrice]:
        """Every price by `arch_id`; the first counts, so that what a search has seen once stays.

        Raises:
            PriceLogError: The file is of another machine or setting, or no file of prices.
        """
        if not (lines := whole_lines(self.path)):
            return {}
        wrong: list[str] = []
        try:
            documents = [parse_json(line) for line in lines]
        except LatencyTableError as error:
            raise PriceLogError(f"{self.path} holds no measured prices: a line {error}") from error
        head = validated(_Head, documents[0], place="line 1", wrong=wrong)
        prices = [
            validated(MeasuredPrice, each, place=f"line {number}", wrong=wrong)
            for number, each in enumerate(documents[1:], start=2)
        ]
        if not wrong:
            if head.schema_version != SCHEMA_VERSION:
                wrong.append(f"`schema_version` is {head.schema_version} instead of {SCHEMA_VERSION}")
            wrong += differences(head.scenario, self._scenario)
        if wrong:
            raise PriceLogError(
                f"{self.path} must hold prices that were measured on this machine with these settings, but\n  "
                + "\n  ".join(wrong)
                + "\ngive the settings that it was made with, or another `cache`, or delete it to measure afresh"
            )
        return {price.arch_id: price for price in reversed(prices)}

    def append(self, price: MeasuredPrice, /) -> None:
        """Add a price; it is on the disk when this returns."""
        kept = whole_lines(self.path)
        head = [] if kept else [{"schema_version": SCHEMA_VERSION, "scenario": self._scenario}]
        append_lines(self.path, [*head, asdict(price)], kept=kept)
