"""Where figures come from: matplotlib, which the extra `plots` brings."""

from typing import TYPE_CHECKING

from latency.exporters.extras import load_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_plots() -> None:
    """Check that figures can be drawn, before hours are spent on what they show.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    load_extra("matplotlib.figure", extra="plots")


def new_figure(*, width: float, height: float) -> "Figure":
    """An empty figure that no window manager knows of.

    Args:
        width: In inches.
        height: In inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure: Figure = load_extra("matplotlib.figure", extra="plots").Figure(
        figsize=(width, height), layout="constrained"
    )
    return figure
