"""A row of a latency table keeps its laws, all of them named."""

import math

import pytest

from latency import REST, LatencyTableError
from search_spaces import BlockKind, BlockSignature
from tests.latency.strategies import row

RESNET = BlockSignature(kind=BlockKind.RESNET, in_channels=8, out_channels=8, height=12, width=12)


def test_a_row_without_spread_says_so():
    assert row(RESNET).has_spread
    assert not row(RESNET, num_samples=1).has_spread
    assert not row(RESNET, p10_ms=1.0, p90_ms=1.0).has_spread


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"p10_ms": 1.1}, ["min_ms <= p10_ms <= median_ms <= p90_ms"]),
        ({"p90_ms": 0.95}, ["min_ms <= p10_ms <= median_ms <= p90_ms"]),
        ({"median_ms": math.nan, "std_ms": -1.0, "num_samples": 0}, ["`median_ms`", "`std_ms`", "`num_samples`"]),
        ({"p90_ms": math.inf}, ["`p90_ms`"]),
        ({"min_ms": 0.0}, ["`min_ms`"]),
    ],
)
def test_a_row_that_breaks_laws_is_not_born_and_all_laws_are_named(values, words):
    with pytest.raises(LatencyTableError) as error:
        row(RESNET, **values)
    assert all(word in str(error.value) for word in words)


def test_only_a_rest_may_take_no_time():
    assert row(REST, 0.0).median_ms == 0.0
    with pytest.raises(LatencyTableError, match="`median_ms` must be positive"):
        row(RESNET, 0.0)
