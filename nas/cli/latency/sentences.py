"""Checks of a latency table in words."""

from typing import TYPE_CHECKING

from latency.trust.speed import speed_of

if TYPE_CHECKING:
    from latency import LatencyTable


def check_lines(table: "LatencyTable") -> list[str]:
    """End-to-end latency and checks of a table, as sentences."""
    lines = []
    if (speed := speed_of(table)) is not None:
        lines.append(f"{speed}{f'; {speed.flaw}' if speed.flaw else ''}")
    if table.end_to_end is not None:
        e = table.end_to_end
        lines.append(f"end to end {e.median_ms:.3f} ms (p10 {e.p10_ms:.3f}, p90 {e.p90_ms:.3f}, n {e.num_samples})")
    if (check := table.check) is not None:
        lines.append(f"blocks sum to {check.sum_over_end_to_end:.3f} of it")
        if check.subnetwork_mape is not None:
            tau = "" if check.kendall_tau is None else f", Kendall tau {check.kendall_tau:.2f}"
            num, error = check.num_subnetworks, check.subnetwork_mape
            bias = (
                "" if check.unbiased_mape is None else f" ({check.unbiased_mape:.1%} beside a bias of {check.bias:.3f})"
            )
            lines.append(f"predictions for {num} random sub-networks are off by {error:.1%}{bias}{tau}")
    return lines
