"""Losses of a training, told by their first and their last tenth."""

import pytest

from nas.runs.records.tenths import first_tenth, last_tenth


@pytest.mark.parametrize(
    ("num", "first", "last"),
    [(1, 0.0, 0.0), (19, 0.0, 18.0), (20, 0.5, 18.5), (29, 0.5, 27.5), (30, 1.0, 28.0)],
)
def test_a_tenth_is_rounded_down_and_is_one_step_at_least(num: int, first: float, last: float) -> None:
    losses = [float(step) for step in range(num)]
    assert (first_tenth(losses), last_tenth(losses)) == (first, last)
