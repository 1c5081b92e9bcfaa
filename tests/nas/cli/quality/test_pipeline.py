"""What `nas pipeline` says at its end."""

import pytest

from nas.cli.quality.pipeline import faster


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "said"),
    [(1671, 110, "15.2 times faster"), (124, 201, "1.6 times slower"), (50, 50, "1.0 times faster")],
)
def test_a_picture_that_takes_longer_is_not_called_faster(before_ms: float, after_ms: float, said: str) -> None:
    assert faster(before_ms, after_ms) == said
