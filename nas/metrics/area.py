"""The area that a front of two objectives dominates: its hypervolume. Pure."""

from collections.abc import Sequence


def hypervolume(points: Sequence[tuple[float, float]], /, *, reference: tuple[float, float]) -> float:
    """The area that some points dominate, up to a reference point.

    Args:
        points: (cost, goodness) each: less and more is better.
        reference: What lies beyond it counts nothing.
    """
    worst_cost, worst_goodness = reference
    area, best = 0.0, worst_goodness
    inside = sorted((p for p in points if p[0] < worst_cost and p[1] > worst_goodness), key=lambda p: (p[0], -p[1]))
    for cost, goodness in inside:
        if goodness > best:
            area += (goodness - best) * (worst_cost - cost)
            best = goodness
    return area
