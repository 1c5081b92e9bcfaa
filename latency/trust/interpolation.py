"""Filling missing rows: per kind of block, a straight line through log time over log multiply-accumulates.

For a device that lacks a few measurements, never the default: a fitted row is marked, and its spread is the error of
predicting each measured row of its kind from the others (leave one out). The exponent absorbs what makes small blocks
relatively dear; launch overhead or a cache that overflows does not lie on a line, and shows in the error.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import linear_regression
from typing import Final

import numpy as np

from latency.pricing.row import TableRow
from latency.pricing.scenario import LatencyTableError, Method
from latency.timing.estimator import Array
from search_spaces import BlockKind, BlockSignature

MIN_ROWS: Final = 3  # with different MACs: a line through two points has no error to tell
Z_90: Final = 1.2816  # standard deviations to the 90th percentile of a normal distribution
MAX_LOG: Final = 30.0  # of ms: a nanosecond to a hundred thousand years; a fit that leaves this is no latency
MAX_LOG_ERROR: Final = 2.3  # a factor of ten; such a line says nothing


class InterpolationError(LatencyTableError):
    """Rows that cannot be fitted; the message lists all of them."""


class Fill(StrEnum):
    """What to do about blocks that nobody measured."""

    NOTHING = "nothing"
    INTERPOLATE = "interpolate"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFit:
    """The line of one kind: ms = exp(intercept) x MACs^slope.

    Attributes:
        kind: The kind.
        slope: Exponent of the MACs.
        intercept: Log of ms at one MAC.
        num_rows: Rows that it goes through.
        mean_error: Leave-one-out: mean |predicted - measured| / measured.
        worst_error: Leave-one-out: the largest of them.
        log_spread: Leave-one-out: root mean square of log(predicted / measured).
    """

    kind: BlockKind
    slope: float
    intercept: float
    num_rows: int
    mean_error: float
    worst_error: float
    log_spread: float

    def milliseconds(self, signature: BlockSignature, /) -> float:
        """Fitted time of a block."""
        exponent = self.intercept + self.slope * _log_macs(signature)
        if abs(exponent) > MAX_LOG:
            raise InterpolationError(
                f"{signature}: a fitted time must be a number, but the fit of {self.kind} gives none"
            )
        return math.exp(exponent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Rows made from others, and the fits that made them."""

    rows: tuple[TableRow, ...]
    fits: tuple[KindFit, ...]


def filled(missing: Iterable[BlockSignature], /, *, rows: Sequence[TableRow]) -> Filled:
    """Rows for missing signatures.

    Args:
        missing: What has no row.
        rows: What has one; rows that are fitted themselves are left out.

    Raises:
        InterpolationError: A kind has fewer than `MIN_ROWS` rows of different MACs; the message lists all such kinds.
    """
    wanted = tuple(missing)
    fits: dict[BlockKind, KindFit] = {}
    wrong = []
    for kind in sorted({signature.kind for signature in wanted}):
        measured = [row for row in rows if row.signature.kind is kind and row.source is not Method.INTERPOLATED]
        num = len({round(_log_macs(row.signature), 6) for row in measured})
        if kind is BlockKind.REST or num < MIN_ROWS:
            wrong.append(f"{kind}: at least {MIN_ROWS} measured rows of different size are needed, but there are {num}")
        else:
            try:
                fits[kind] = _fit(kind, measured)
            except InterpolationError as error:
                wrong.append(str(error))
    if wrong:
        raise InterpolationError("rows cannot be interpolated:\n" + "\n".join(wrong) + "\nmeasure them")
    return Filled(rows=tuple(_row(signature, fits[signature.kind]) for signature in wanted), fits=tuple(fits.values()))


def _fit(kind: BlockKind, rows: Sequence[TableRow]) -> KindFit:
    x = np.asarray([_log_macs(row.signature) for row in rows])
    y = np.log([row.median_ms for row in rows])
    slope, intercept = linear_regression(x, y)
    left_out = np.asarray([_predicted_without(x, y, index) for index in range(len(rows))])
    if (worst := float(np.abs(left_out - y).max())) > MAX_LOG_ERROR:
        raise InterpolationError(
            f"{kind}: rows must lie near a line, but one is off by more than a factor of {math.exp(MAX_LOG_ERROR):.0f} "
            f"(log error {worst:.1f}); look for a wrong unit"
        )
    errors = np.abs(np.expm1(left_out - y))
    return KindFit(
        kind=kind,
        slope=float(slope),
        intercept=float(intercept),
        num_rows=len(rows),
        mean_error=float(errors.mean()),
        worst_error=float(errors.max()),
        log_spread=float(np.sqrt(np.mean((left_out - y) ** 2))),
    )


def _predicted_without(x: Array, y: Array, index: int) -> float:
    slope, intercept = linear_regression(np.delete(x, index), np.delete(y, index))
    return float(intercept + slope * x[index])


def _log_macs(signature: BlockSignature) -> float:
    return math.log(max(1, signature.num_macs))


def _row(signature: BlockSignature, fit: KindFit) -> TableRow:
    ms, factor = fit.milliseconds(signature), math.exp(Z_90 * fit.log_spread)
    return TableRow(
        signature=signature,
        median_ms=ms,
        p10_ms=ms / factor,
        p90_ms=ms * factor,
        min_ms=ms / factor,
        mean_ms=ms,
        std_ms=ms * math.expm1(fit.log_spread),
        num_samples=1,
        source=Method.INTERPOLATED,
        note=f"fitted to {fit.num_rows} rows of {fit.kind}: ms ~ MACs^{fit.slope:.2f}; "
        f"leave-one-out error {fit.mean_error:.1%}, worst {fit.worst_error:.1%}",
    )
