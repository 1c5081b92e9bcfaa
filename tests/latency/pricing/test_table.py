import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency import (
    Check,
    Device,
    EndToEnd,
    LatencyTable,
    LatencyTableError,
    Method,
    MissingRowsError,
)
from latency.pricing.formula import Formula
from latency.pricing.table import described_missing
from search_spaces import BlockKind, BlockSignature, Sign, Site
from tests.latency.strategies import TOKENS, positive, row, scenario, small_space, table_of, tables
from tests.leisure import examples

SPACE = small_space()
RESNET = BlockSignature(kind=BlockKind.RESNET, in_channels=8, out_channels=8, height=12, width=12)


def predicted(table, architecture):
    return table.predict(SPACE.sites(architecture, context_tokens=TOKENS))


@given(
    launch=positive,
    scale=st.floats(1e-9, 1e-3),
    power=st.floats(0.3, 1.5),
    choices=st.lists(st.integers(0, 999), max_size=12),
)
@examples(40)
def test_dropping_a_block_never_raises_the_predicted_latency(launch, scale, power, choices):
    table = table_of(SPACE, launch_ms=launch, ms_per_macs=scale, power=power)
    architecture = SPACE.base
    before = predicted(table, architecture).total_ms
    for choice in choices:
        actions = [*SPACE.removals(architecture), *SPACE.copies(architecture)]
        action = actions[choice % len(actions)]
        architecture = action.apply(architecture)
        after = predicted(table, architecture).total_ms
        assert after <= before if action.sign is Sign.REMOVE else after >= before
        before = after


def test_a_prediction_is_the_sum_of_its_breakdown_in_every_grouping():
    prediction = predicted(table_of(SPACE), SPACE.base)
    total = prediction.total_ms
    assert total == pytest.approx(math.fsum(b.ms for b in prediction.breakdown))
    assert sum(prediction.by_stage().values()) == pytest.approx(total)
    assert sum(prediction.by_kind().values()) == pytest.approx(total)
    assert prediction.breakdown[-1].kind is BlockKind.REST
    assert [b.name for b in prediction.breakdown[:-1]] == [
        s.name for s in SPACE.sites(SPACE.base, context_tokens=TOKENS)
    ]
    assert prediction.by_stage().keys() == {"", *(stage.place for stage in SPACE.stages)}


def test_the_base_model_is_predicted_to_take_its_end_to_end_latency():
    table = table_of(SPACE)
    assert predicted(table, SPACE.base).total_ms == pytest.approx(table.end_to_end.median_ms)


def test_the_interval_adds_rows_as_independent_and_uses_of_a_row_as_equal():
    other = replace(RESNET, in_channels=16)
    table = LatencyTable(**scenario(), rows=(row(RESNET, 2.0), row(other, 3.0)))
    one = table.rows[0].median_error_ms
    assert one == pytest.approx(0.489 * 0.6 / 4, rel=1e-3)
    twice = table.predict([Site(name="a", signature=RESNET), Site(name="b", signature=RESNET)])
    assert twice.error_ms == pytest.approx(2 * one)
    both = table.predict([Site(name="a", signature=RESNET), Site(name="b", signature=other)])
    assert both.error_ms == pytest.approx(math.hypot(one, table.rows[1].median_error_ms))
    assert both.high_ms - both.total_ms == pytest.approx(1.96 * both.error_ms)
    assert both.total_ms - both.low_ms == pytest.approx(1.96 * both.error_ms)


def test_missing_rows_are_all_named_with_their_nearest_and_the_remedy():
    near = replace(RESNET, in_channels=16)
    table = LatencyTable(**scenario(), rows=(row(RESNET), row(replace(RESNET, in_channels=640, out_channels=640))))
    up = BlockSignature(kind=BlockKind.UPSAMPLE, in_channels=8, out_channels=8, height=6, width=6)
    assert table.missing([near, up, near, RESNET]) == (near, up)
    with pytest.raises(MissingRowsError) as error:
        table.require([near, up, RESNET])
    message = str(error.value)
    assert error.value.missing == (near, up)
    assert "resnet 16->8 12x12 (nearest: resnet 8 12x12; in_channels 16 instead of 8)" in message
    assert "upsample 8 6x6 (the table has no upsample at all)" in message
    assert "nas latency measure" in message
    with pytest.raises(MissingRowsError):
        table.predict([Site(name="x", signature=near)])
    with pytest.raises(MissingRowsError):
        table.milliseconds(up)
    assert table.milliseconds(RESNET) == 1.0


def test_the_nearest_row_differs_in_the_fewest_fields_and_only_then_in_its_macs():
    wanted, small, deep = (
        BlockSignature(
            kind=BlockKind.CROSS_ATTENTION, in_channels=channels, out_channels=channels, height=side, width=side,
            layers=layers, heads=8, head_dim=channels // 8, cross_attention_dim=48, context_tokens=16,
        )
        for channels, side, layers in ((48, 6, 3), (24, 12, 2), (48, 6, 1))
    )  # fmt: skip
    assert abs(small.num_macs - wanted.num_macs) < abs(deep.num_macs - wanted.num_macs), "the nearest by its work alone"
    described = described_missing(wanted, [small, deep])
    assert described == "cross_attention 48 6x6 x3 (nearest: cross_attention 48 6x6; layers 3 instead of 1)"


def test_what_follows_from_the_rows_is_no_part_of_the_table():
    fresh, used = table_of(SPACE), table_of(SPACE)
    used.milliseconds(used.rows[0].signature)
    assert (used, asdict(used), used.digest) == (fresh, asdict(fresh), fresh.digest)
    cheaper = replace(used, rows=(row(RESNET, 0.5),), check=None)
    assert cheaper.milliseconds(RESNET) == 0.5


def test_a_table_with_a_key_twice_or_an_edited_row_is_not_born():
    with pytest.raises(LatencyTableError, match=r"rows\[1\]: a key stands once .* rows\[0\] too"):
        LatencyTable(**scenario(), rows=(row(RESNET), row(RESNET, 2.0)))
    table = table_of(SPACE)
    times: dict[str, Any] = dict.fromkeys(("median_ms", "p90_ms", "mean_ms"), 100.0)
    slower = replace(table.rows[0], **times)
    with pytest.raises(LatencyTableError, match=r"`check\.sum_over_end_to_end` must be what rows"):
        replace(table, rows=(slower, *table.rows[1:]))


@given(tables())
@examples(25)
def test_the_digest_is_the_content(table):
    assert table.digest == replace(table).digest
    assert table.digest != replace(table, device=replace(table.device, name=table.device.name + "!")).digest
    other = replace(table.rows[0], note=table.rows[0].note + "!")
    assert table.digest != replace(table, rows=(other, *table.rows[1:])).digest


def test_digests_that_stand_in_stored_runs_are_found_again():
    """A run stores what priced it by digest; another one would be taken for another table."""
    table = LatencyTable(**scenario(), rows=(row(RESNET, sites=("a", "b")),))
    assert table.digest == "7e3517b74143faa5"
    by_kind = {BlockKind.RESNET: 0.2, BlockKind.SHORTCUT: 0.1}
    for given_ in (by_kind, dict(reversed(by_kind.items()))):
        formula = Formula(
            model="m", device="d", relative_error=0.1, ms_per_gmac=1.5, ms_per_block=given_, fixed_ms=1.0
        )  # fmt: skip
        assert formula.digest == "7b7ca8d374c1cfa8"


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
def test_a_check_that_its_rows_do_not_give_is_refused_in_any_unit(scale):
    rows = (row(RESNET, 2.0 * scale, sites=("a",)),)
    whole = EndToEnd(median_ms=4.0 * scale, p10_ms=4.0 * scale, p90_ms=4.0 * scale, num_samples=1)
    LatencyTable(**scenario(end_to_end=whole, check=Check(sum_over_end_to_end=0.5)), rows=rows)
    with pytest.raises(LatencyTableError, match=r"end_to_end give, 0\.500, but got 0\.600"):
        LatencyTable(**scenario(end_to_end=whole, check=Check(sum_over_end_to_end=0.6)), rows=rows)


def test_a_rank_correlation_lies_between_minus_one_and_one():
    for tau in (-1, 0.5, 1):
        assert Check(sum_over_end_to_end=1.0, kendall_tau=tau).kendall_tau == tau
    for tau in (-1.01, 1.01, 2, math.nan):
        with pytest.raises(LatencyTableError, match=r"`kendall_tau` must lie in -1\.\.1"):
            Check(sum_over_end_to_end=1.0, kendall_tau=tau)


def test_a_device_stands_for_itself_unless_it_says_for_how_many():
    assert Device(name="phone") == Device(name="phone", num_devices=1)


def test_methods_are_the_published_ones():
    assert [str(m) for m in Method] == ["isolated", "in_situ", "difference", "estimated", "modelled", "interpolated"]
