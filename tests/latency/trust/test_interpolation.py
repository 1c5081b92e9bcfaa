import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency import Method
from latency.trust.interpolation import InterpolationError, filled
from search_spaces import BlockKind, BlockSignature
from tests.latency.strategies import row

RESNET = BlockSignature(kind=BlockKind.RESNET, in_channels=32, out_channels=32, height=16, width=16, temb_channels=64)
SIZES = [replace(RESNET, in_channels=c, out_channels=c) for c in (8, 16, 32, 64, 128)]


@given(st.floats(0.3, 1.5), st.floats(-20, -8))
@settings(max_examples=30, deadline=None)
def test_a_power_law_is_found_exactly(slope, intercept):
    def law(signature):
        return math.exp(intercept + slope * math.log(signature.num_macs))

    missing, *present = SIZES
    made = filled([missing], rows=[row(key, law(key)) for key in present])
    (fit,), (new,) = made.fits, made.rows
    assert fit.slope == pytest.approx(slope)
    assert new.median_ms == pytest.approx(law(missing))
    assert fit.worst_error < 1e-9


def test_filled_rows_are_marked_and_as_uncertain_as_the_fit():
    present = [row(key, ms) for key, ms in zip(SIZES[1:], (1.0, 5.0, 13.0, 70.0), strict=True)]
    made = filled([SIZES[0]], rows=present)
    (fit,), (new,) = made.fits, made.rows
    assert new.source is Method.INTERPOLATED
    assert new.num_samples == 1
    assert f"leave-one-out error {fit.mean_error:.1%}" in new.note
    assert 0 < fit.mean_error <= fit.worst_error
    assert new.p90_ms / new.median_ms == pytest.approx(math.exp(1.2816 * fit.log_spread))
    assert new.median_error_ms > 0


def test_the_leave_one_out_error_is_that_of_predicting_each_from_the_others():
    keys, times = SIZES[1:4], (1.0, 5.0, 13.0)
    fit = filled([SIZES[0]], rows=[row(key, ms) for key, ms in zip(keys, times, strict=True)]).fits[0]
    errors = []
    for left in range(3):
        others = [i for i in range(3) if i != left]
        (x0, x1), (y0, y1) = ([math.log(v) for v in vs] for vs in (
            [keys[i].num_macs for i in others], [times[i] for i in others]))  # fmt: skip
        at = y0 + (y1 - y0) * (math.log(keys[left].num_macs) - x0) / (x1 - x0)
        errors.append(abs(math.exp(at) / times[left] - 1))
    assert fit.mean_error == pytest.approx(sum(errors) / 3)
    assert fit.worst_error == pytest.approx(max(errors))


def test_rows_that_are_fitted_themselves_are_not_fitted_to():
    present = [row(key, 1.0) for key in SIZES[1:3]] + [row(SIZES[3], 1.0, source=Method.INTERPOLATED)]
    with pytest.raises(InterpolationError, match=r"resnet: at least 3 measured rows of different size .* there are 2"):
        filled([SIZES[0]], rows=present)


def test_all_kinds_that_cannot_be_fitted_are_named():
    lone = [
        BlockSignature(kind=kind, in_channels=4, out_channels=4, height=8, width=8)
        for kind in (BlockKind.CONV_IN, BlockKind.UPSAMPLE)
    ]
    wild = [row(key, ms) for key, ms in zip(SIZES[1:], (1.0, 5000.0, 0.001, 1.0), strict=True)]
    with pytest.raises(InterpolationError) as error:
        filled([SIZES[0], *lone], rows=wild)
    lines = str(error.value).splitlines()[1:-1]
    assert [line.partition(":")[0] for line in lines] == ["conv_in", "resnet", "upsample"]
    assert "look for a wrong unit" in lines[1]
