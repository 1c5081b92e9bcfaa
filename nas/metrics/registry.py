"""The distances by name: what each is, what it needs, and how many pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.metrics.estimate import Estimate, Features, MetricError
from nas.metrics.frechet import fid, least_for_fid
from nas.metrics.kernel import cmmd, kid
from nas.metrics.monge import mind
from nas.metrics.neighbours import NUM_NEIGHBOURS, precision, recall

LEAST: Final = 10  # pictures on either side, below which no interval means anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number of two sets of pictures.

    Attributes:
        name: Of its column.
        label: As people write it.
        estimate: Of generated and real features, float64 (n, d) and (m, d).
        higher_is_better: False of distances.
        of_clip: Whether it is defined for CLIP's unit vectors only.
        least: Pictures that it needs on either side, by the features' number of dimensions.
    """

    name: str
    label: str
    estimate: Callable[[Features, Features], Estimate]
    higher_is_better: bool = False
    of_clip: bool = False
    least: Callable[[int], int] = lambda num_dimensions: LEAST

    def shortage(self, *, num_made: int, num_real: int, num_dimensions: int) -> str:
        """What is missing, in words; "" where nothing is."""
        least = self.least(num_dimensions)
        if min(num_made, num_real) >= least:
            return ""
        return (
            f"{self.label} of features with {num_dimensions:,} dimensions needs at least {least:,} generated and "
            f"{least:,} real pictures, but there are {num_made:,} and {num_real:,}"
        )

    def of(self, made: Features, real: Features, /) -> Estimate:
        """The number.

        Raises:
            MetricError: Too few pictures, or features of two lengths, or some that are not finite.
        """
        if made.ndim != 2 or real.ndim != 2 or made.shape[1] != real.shape[1]:
            raise MetricError(f"features must be rows of one length, but got shapes {made.shape} and {real.shape}")
        if missing := self.shortage(num_made=len(made), num_real=len(real), num_dimensions=made.shape[1]):
            raise MetricError(f"{missing}; give more captions and pictures, or ask for KID, CMMD or MIND")
        if not (np.isfinite(made).all() and np.isfinite(real).all()):
            raise MetricError("features must be finite, but some are not; use a wider `execution.precision`")
        return self.estimate(made.astype(np.float64), real.astype(np.float64))


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(name="kid", label="KID", estimate=kid),
        Metric(name="cmmd", label="CMMD", estimate=cmmd, of_clip=True),
        Metric(name="mind", label="MIND", estimate=mind),
        Metric(name="fid", label="FID", estimate=fid, least=lambda d: max(LEAST, least_for_fid(d))),
        Metric(name="precision", label="precision", estimate=precision, higher_is_better=True),
        Metric(name="recall", label="recall", estimate=recall, higher_is_better=True),
    )
}
assert NUM_NEIGHBOURS < LEAST * 0.9, "every group that is left out leaves neighbours enough"
