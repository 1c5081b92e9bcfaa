"""Predicted against measured latency of whole models, as a scatter plot."""

from typing import TYPE_CHECKING, Final

from latency.figures.canvas import new_figure
from latency.pricing.scenario import Device, Runtime
from latency.trust.calibration import TRUSTED_MAPE, Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE: Final = "#0072b2"
RED: Final = "#d55e00"
GREY: Final = "#b8b8b8"
MARGIN: Final = 0.04


def calibration_figure(calibration: Calibration, /, *, device: Device, runtime: Runtime) -> "Figure":
    """A point per sub-network, the base model and the worst one marked, the trusted error shaded.

    Args:
        calibration: Predictions and measurements.
        device: For the title.
        runtime: For the title.
    """
    base, worst, models = calibration.base, calibration.worst, calibration.subnetworks
    every = [ms for model in (base, *models) for ms in (model.measured_ms, model.predicted_ms)]
    low, high = min(every) * (1 - MARGIN), max(every) * (1 + MARGIN)
    figure = new_figure(width=5.5, height=5.5)
    axes = figure.subplots()
    ends = [low, high]
    lower, upper = ([end * share for end in ends] for share in (1 - TRUSTED_MAPE, 1 + TRUSTED_MAPE))
    axes.fill_between(ends, lower, upper, color=GREY, alpha=0.3, linewidth=0, label=f"within {TRUSTED_MAPE:.0%}")
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.scatter(
        [m.measured_ms for m in models], [m.predicted_ms for m in models], s=24, color=BLUE, label="sub-networks"
    )
    for model, marker, label in ((base, "s", "whole UNet"), (worst, "o", f"worst, off by {worst.error:.1%}")):
        axes.scatter(
            model.measured_ms, model.predicted_ms, s=70, marker=marker, facecolors="none", edgecolors=RED, label=label
        )
    axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="Measured (ms)", ylabel="Predicted (ms)")
    tau = "" if calibration.kendall_tau is None else f", Kendall tau {calibration.kendall_tau:.2f}"
    axes.set_title(
        f"{device.name}, {runtime.name} {runtime.version}\n"
        f"mean error {calibration.mape:.1%}, bias {calibration.bias:.3f}{tau}",
        fontsize="medium",
        parse_math=False,  # a name may hold what matplotlib takes for formulas
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    return figure
