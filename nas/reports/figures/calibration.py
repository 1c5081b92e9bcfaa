"""How far to trust the milliseconds: predicted against measured, for all that was measured in one piece."""

from typing import TYPE_CHECKING, Final

from latency.documents.shipped import read_latency_table
from latency.pricing.table import LatencyTable
from nas.reports.facts import records, start_of
from nas.reports.style import BLUE, GREY, INK, RED, FigureError, digits, new_figure, note, plain, styled, tidy
from nas.runs.run import Run
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN: Final = 0.12


@styled
def calibration(run: Run, /) -> "Figure":
    """How far are predicted milliseconds from measured ones? The base model, and every export that was measured.

    The points of a table's own calibration draws `nas latency calibrate --plot`, while it measures them.

    Raises:
        FigureError: Nothing was measured in one piece.
    """
    table, exports = _table(run), run.exports()
    measured = exports[exports["measured_latency_ms"].notna() & exports["predicted_latency_ms"].notna()]
    points: list[tuple[str, float, float, str, str]] = [
        (plain(f"export, {row['form']}"), row["measured_latency_ms"], row["predicted_latency_ms"], RED, "o")
        for row in records(measured)
    ]
    if table is not None and table.end_to_end is not None:
        points.insert(0, ("base model, when the table was made", table.end_to_end.median_ms, _base_ms(run), BLUE, "s"))
    if not points:
        raise FigureError(
            f"{run.path} has nothing that was measured in one piece: its latency table is not at hand, and it has no "
            "export; `nas export` measures what it writes"
        )
    values = [ms for point in points for ms in point[1:3]]
    ends = [min(values) * (1 - MARGIN), max(values) * (1 + MARGIN)]
    figure = new_figure(height=4.4, width=5.2, title="Predicted against measured latency")
    axes = tidy(figure.subplots())
    axes.plot(ends, ends, color=INK, linewidth=0.8, alpha=0.6)
    error = None if table is None or table.check is None else table.check.subnetwork_mape
    if error is not None:
        axes.fill_between(
            ends, [end * (1 - error) for end in ends], [end * (1 + error) for end in ends], color=GREY, alpha=0.3,
            linewidth=0,
        )  # fmt: skip
    for name, x, y, colour, marker in points:
        axes.plot([x], [y], marker=marker, color=colour, linestyle="", markersize=6)
        right = x < sum(ends) / 2
        axes.annotate(
            f"{name}\n{digits(y)} ms predicted, {_signed(y / x - 1)}", (x, y), xytext=(7 if right else -7, 0),
            textcoords="offset points", ha="left" if right else "right", va="center", fontsize=7,
        )  # fmt: skip
    axes.set(
        xlim=ends, ylim=ends, aspect="equal",
        xlabel="Measured in one piece (ms)", ylabel="Predicted from the blocks (ms)",
    )  # fmt: skip
    note(figure, _words(table))
    return figure


def _signed(share: float) -> str:
    return f"{share:+.0%}".replace("-", "−")


def _words(table: LatencyTable | None) -> str:
    """What the table says about itself."""
    if table is None:
        return "Line: equal. The latency table is not at hand, so that its own error is not shown."
    where = f"Line: equal. Table: {table.device.name}, {table.runtime.name}."
    check = table.check
    if check is None or check.subnetwork_mape is None:
        return f"{where}\nIt was not checked against sub-networks; `nas latency calibrate` does."
    tau = "" if check.kendall_tau is None else f", Kendall's tau {check.kendall_tau:.2f}"
    return f"{where}\nBand: its mean error, {check.subnetwork_mape:.1%} over {check.num_subnetworks} sub-networks{tau}."


def _base_ms(run: Run) -> float:
    return float(start_of(run)["base_latency_ms"])


def _table(run: Run) -> LatencyTable | None:
    """The latency table that the run names, where it is still there and readable."""
    named = run.config.get("latency_table")
    if not isinstance(named, str):
        return None
    try:
        return read_latency_table(named)
    except (OSError, UserError):
        return None
