"""What the sum of a table's blocks over the whole is said to point to, at the bounds of what is trusted."""

import pytest

from latency.documents.sums import cause_of, sum_law


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.1])
def test_a_trusted_sum_has_no_cause(ratio: float) -> None:
    assert cause_of(ratio) == ""
    assert sum_law(ratio) == f"blocks should sum to 0.90 .. 1.10 of the end-to-end latency, but got {ratio:.3f}"


@pytest.mark.parametrize(("ratio", "words"), [(0.899, "they cost less alone"), (1.101, "they cost more alone")])
def test_a_sum_outside_tells_which_side_it_points_to(ratio: float, words: str) -> None:
    assert cause_of(ratio).startswith(words)
    assert sum_law(ratio).endswith(f"but got {ratio:.3f}: {cause_of(ratio)}")
