"""Calibration: a table's predictions against whole models that were measured, and when to distrust a table.

What matters is not one number. A *bias* that all predictions share (the machine runs at another pace than when the
table was made) spoils milliseconds, but neither ranks nor shares of the base model's latency; what is left when it is
divided out spoils those too. Pure arithmetic; `latency.measuring.calibrate` measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import numpy as np

from latency.documents.sums import TRUSTED_SUM, cause_of, within
from latency.pricing.row import median_error
from latency.pricing.scenario import Check, EndToEnd, LatencyTableError
from latency.pricing.table import LatencyTable
from latency.timing.estimator import Array, kendall_tau, mean_absolute_percentage_error
from search_spaces import Architecture, UNetSpace

# Interleaved tables predicted random sub-networks to 2.6 .. 3.5 %, tau 0.78 .. 0.94; one measured block after block
# to 7.6 % (protocols compared on the same machine, docs/latency_tables.md).
TRUSTED_MAPE: Final = 0.10
TRUSTED_TAU: Final = 0.80
TRUSTED_NOISE: Final = 0.05  # shipped tables: 0.2 .. 2.9 %; one that was measured beside other work: 9.5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredModel:
    """A whole model, predicted and measured.

    Attributes:
        architecture: Which one.
        predicted_ms: What the table says.
        measured_ms: What the device needed.
    """

    architecture: Architecture
    predicted_ms: float
    measured_ms: float

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted_ms / self.measured_ms

    @property
    def error(self) -> float:
        """|predicted - measured| / measured."""
        return abs(self.ratio - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Predictions against measurements.

    Attributes:
        base: The base model, which the table's rows sum up to by their making; it counts in no figure below.
        subnetworks: Other architectures, at least one.
    """

    base: MeasuredModel
    subnetworks: tuple[MeasuredModel, ...]

    def __post_init__(self) -> None:
        if not self.subnetworks:
            raise LatencyTableError("a calibration must have at least one measured sub-network, but there is none")

    @property
    def mape(self) -> float:
        """Mean absolute error, as a share."""
        return mean_absolute_percentage_error(*self._arrays())

    @property
    def bias(self) -> float:
        """Median of predicted over measured."""
        return median(model.ratio for model in self.subnetworks)

    @property
    def unbiased_mape(self) -> float:
        """Mean absolute error once the bias is divided out, as a share."""
        predicted, measured = self._arrays()
        return mean_absolute_percentage_error(predicted / self.bias, measured)

    @property
    def kendall_tau(self) -> float | None:
        """Rank agreement; None for a single sub-network."""
        return kendall_tau(*self._arrays()) if len(self.subnetworks) > 1 else None

    @property
    def worst(self) -> MeasuredModel:
        """The sub-network whose prediction is farthest off."""
        return max(self.subnetworks, key=lambda model: model.error)

    def _arrays(self) -> tuple[Array, Array]:
        predicted = np.asarray([model.predicted_ms for model in self.subnetworks])
        return predicted, np.asarray([model.measured_ms for model in self.subnetworks])


def calibration_of(
    table: LatencyTable, measured_ms: Mapping[Architecture, float], /, *, space: UNetSpace
) -> Calibration:
    """Compare a table with measurements.

    Args:
        table: The table.
        measured_ms: Milliseconds of the base model and of other architectures, of the table's workload.
        space: Space of all of them.

    Raises:
        LatencyTableError: The base model, or everything else, is missing; or the table does not price them all.
    """
    if space.base not in measured_ms:
        raise LatencyTableError("a calibration must have a measurement of the base model, but there is none")
    sites = {architecture: space.sites(architecture, **table.workload.sizes) for architecture in measured_ms}
    table.require(site.signature for own in sites.values() for site in own)
    models = {
        architecture: MeasuredModel(
            architecture=architecture,
            predicted_ms=table.predict(sites[architecture]).total_ms,
            measured_ms=ms,
        )
        for architecture, ms in measured_ms.items()
    }
    return Calibration(base=models.pop(space.base), subnetworks=tuple(models.values()))


def check_of(table: LatencyTable, end_to_end: EndToEnd, calibration: Calibration | None, /) -> Check:
    """What a table says about itself.

    Args:
        table: The table.
        end_to_end: The base model, measured together with the table's rows.
        calibration: None = no other architecture was measured.
    """
    check = Check(sum_over_end_to_end=table.base_ms / end_to_end.median_ms)
    if calibration is None:
        return check
    return replace(
        check,
        subnetwork_mape=calibration.mape,
        kendall_tau=calibration.kendall_tau,
        num_subnetworks=len(calibration.subnetworks),
        bias=calibration.bias,
        unbiased_mape=calibration.unbiased_mape,
        worst_error=calibration.worst.error,
        worst_arch_id=calibration.worst.architecture.arch_id,
    )


def calibrated(table: LatencyTable, calibration: Calibration, /) -> LatencyTable:
    """The table with a calibration in its check; rows and end-to-end latency stay as they are.

    Where the table has no end-to-end latency, the calibration's own is what the blocks' sum is compared with.
    """
    ms = calibration.base.measured_ms
    own = table.end_to_end or EndToEnd(median_ms=ms, p10_ms=ms, p90_ms=ms, num_samples=1)
    return replace(table, check=check_of(table, own, calibration))


def distrust(table: LatencyTable, /) -> str | None:
    """Why a search should not rely on a table, and what to do about it, in one line; None where it can."""
    if (noise := _noise(table)) > TRUSTED_NOISE:
        return (
            f"the latency table is noisy: the whole model's median is known to {noise:.1%} (at most "
            f"{TRUSTED_NOISE:.0%}); measure it again, with more rounds and on a device that does nothing else"
        )
    check = table.check
    if check is None or check.subnetwork_mape is None:
        return (
            "the latency table is not calibrated: nobody compared its predictions with measured architectures; "
            "`nas latency calibrate TABLE --model MODEL` does"
        )
    tau = check.kendall_tau
    if check.subnetwork_mape <= TRUSTED_MAPE and (tau is None or tau >= TRUSTED_TAU):
        return None
    rank = "" if tau is None else f", with Kendall tau {tau:.2f} (at least {TRUSTED_TAU:.2f})"
    law = (
        f"the latency table is badly calibrated: predictions for {check.num_subnetworks} sub-networks are off by "
        f"{check.subnetwork_mape:.1%} (at most {TRUSTED_MAPE:.0%}){rank}"
    )
    only_bias = check.bias is not None and check.unbiased_mape is not None and check.unbiased_mape <= TRUSTED_MAPE
    if only_bias and (tau is None or tau >= TRUSTED_TAU):
        return (
            f"{law}; all of them by a factor of about {check.bias:.2f}: {_why_biased(check)}. Shares of a latency hold "
            "(`search.target_ratio`), milliseconds do not"
        )
    return f"{law}; measure the table again, with more rounds and on a device that does nothing else"


def _noise(table: LatencyTable) -> float:
    """Standard error of the whole model's median, as a share of it; 0 where nothing tells."""
    if (whole := table.end_to_end) is None:
        return 0.0
    return median_error(whole.p10_ms, whole.p90_ms, num_samples=whole.num_samples) / whole.median_ms


def _why_biased(check: Check) -> str:
    """What makes all predictions too small or too large alike; the blocks' sum tells, which was timed with the rows."""
    assert check.bias is not None
    ratio = check.sum_over_end_to_end
    if not within(ratio, TRUSTED_SUM) and (ratio > 1) == (check.bias > 1):
        return f"so are the blocks, which sum to {ratio:.2f} of the whole: {cause_of(ratio)}"
    return (
        "the device ran at another pace when the whole models were timed than when the blocks were; for true "
        "milliseconds measure the table again, all in one go"
    )
