"""Calibration: predictions against whole models, what is bias and what is not, and when a table is distrusted."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latency import Check, Device, EndToEnd, LatencyTable, LatencyTableError, MissingRowsError
from latency.blocks.subnetworks import random_architectures
from latency.figures.calibration import calibration_figure
from latency.kits.importing import import_table, measured_elsewhere
from latency.trust.calibration import Calibration, calibrated, calibration_of, check_of, distrust
from search_spaces import Architecture
from tests.latency.manifests import REST_MS, manifest, results, whole_milliseconds
from tests.nas.synthetic import CONTEXT_TOKENS, shapes_space, synthetic_table

SPACE = shapes_space()
SITES = SPACE.sites(SPACE.base, context_tokens=CONTEXT_TOKENS)
PLAIN = synthetic_table(SPACE)
TABLE: LatencyTable = replace(
    PLAIN,
    rows=tuple(
        replace(row, sites=tuple(site.name for site in SITES if site.signature == row.signature)) for row in PLAIN.rows
    ),
)
MODELS = (SPACE.base, *random_architectures(SPACE, num=12, seed=3))
PREDICTED = {a: TABLE.predict(SPACE.sites(a, **TABLE.workload.sizes)).total_ms for a in MODELS}


def calibration(factors: list[float]) -> Calibration:
    """What a device gives that needs so much of each predicted latency."""
    measured = {a: PREDICTED[a] * factor for a, factor in zip(MODELS, factors, strict=True)}
    return calibration_of(TABLE, measured, space=SPACE)


@given(st.floats(0.2, 5))
@settings(max_examples=20, deadline=None)
def test_a_device_of_another_pace_is_all_bias(pace: float) -> None:
    found = calibration([pace] * len(MODELS))
    assert found.bias == pytest.approx(1 / pace)
    assert found.mape == pytest.approx(abs(1 / pace - 1))
    assert found.unbiased_mape == pytest.approx(0, abs=1e-9)
    assert found.kendall_tau == pytest.approx(1)


@given(st.lists(st.floats(0.5, 2), min_size=len(MODELS), max_size=len(MODELS)))
@settings(max_examples=20, deadline=None)
def test_the_worst_is_the_worst_and_the_base_counts_in_no_figure(factors: list[float]) -> None:
    found = calibration(factors)
    errors = [abs(1 / factor - 1) for factor in factors[1:]]
    assert found.worst.error == pytest.approx(max(errors))
    assert found.mape == pytest.approx(sum(errors) / len(errors))
    assert found.base.architecture == SPACE.base
    assert SPACE.base not in [model.architecture for model in found.subnetworks]


def test_a_perfect_calibration_is_trusted_and_changes_no_prediction() -> None:
    table = calibrated(TABLE, calibration([1.0] * len(MODELS)))
    assert distrust(table) is None
    assert (table.rows, table.digest) == (TABLE.rows, TABLE.digest)
    assert table.check is not None
    assert (table.check.num_subnetworks, table.check.bias) == (12, pytest.approx(1))


def test_a_table_of_a_busy_machine_is_distrusted_however_well_it_predicts() -> None:
    table = calibrated(TABLE, calibration([1.0] * len(MODELS)))
    ms = TABLE.base_ms
    whole = EndToEnd(p10_ms=0.5 * ms, median_ms=ms, p90_ms=1.05 * ms, num_samples=8)
    why = distrust(replace(table, end_to_end=whole))
    assert why is not None
    assert "median is known to 9.5% (at most 5%); measure it again, with more rounds" in why
    assert distrust(replace(table, end_to_end=replace(whole, num_samples=40))) is None


def test_an_uncalibrated_table_is_distrusted_with_the_remedy() -> None:
    why = distrust(TABLE)
    assert why is not None
    assert "not calibrated" in why
    assert "`nas latency calibrate TABLE --model MODEL`" in why


def test_another_pace_leaves_shares_to_be_trusted_and_a_scatter_nothing() -> None:
    slow = distrust(calibrated(TABLE, calibration([1.5] * len(MODELS))))
    assert slow is not None
    assert "by a factor of about 0.67" in slow
    assert "`search.target_ratio`" in slow
    wild = distrust(calibrated(TABLE, calibration([1.0] + [0.6, 1.7] * 6)))
    assert wild is not None
    assert "measure the table again, with more rounds" in wild


def doubt(*, error: float, tau: float | None, unbiased: float | None = None) -> str | None:
    """Why a table with these figures is distrusted."""
    end_to_end = EndToEnd(median_ms=TABLE.base_ms, p10_ms=TABLE.base_ms, p90_ms=TABLE.base_ms, num_samples=9)
    check = replace(
        check_of(TABLE, end_to_end, None),
        subnetwork_mape=error,
        kendall_tau=tau,
        num_subnetworks=9,
        bias=1.5,
        unbiased_mape=unbiased,
    )
    return distrust(replace(TABLE, end_to_end=end_to_end, check=check))


# docs/latency_tables.md states the limits: an error of 10 % and a Kendall tau of 0.8.
@given(error=st.floats(0, 0.4), tau=st.one_of(st.none(), st.floats(-1, 1)))
@example(error=0.1, tau=0.8)
@example(error=0.1001, tau=0.8)
@example(error=0.1, tau=0.7999)
@example(error=0.0, tau=-1.0)
@example(error=0.1, tau=None)
def test_a_table_is_trusted_up_to_the_stated_error_and_down_to_the_stated_order(
    error: float, tau: float | None
) -> None:
    why = doubt(error=error, tau=tau)
    assert (why is None) == (error <= 0.1 and (tau is None or tau >= 0.8))
    if why is not None and tau is not None:
        assert f"Kendall tau {tau:.2f} (at least 0.80)" in why


def test_a_wrong_order_is_no_mere_bias() -> None:
    assert "another pace" in str(doubt(error=0.5, tau=0.9, unbiased=0.01))
    assert "another pace" in str(doubt(error=0.5, tau=0.8, unbiased=0.01))
    assert "another pace" not in str(doubt(error=0.5, tau=0.7999, unbiased=0.01))


def test_measurements_must_hold_the_base_and_another() -> None:
    with pytest.raises(LatencyTableError, match="a measurement of the base model"):
        calibration_of(TABLE, {MODELS[1]: 1.0}, space=SPACE)
    with pytest.raises(LatencyTableError, match="at least one measured sub-network"):
        calibration_of(TABLE, {SPACE.base: 1.0}, space=SPACE)


def test_what_the_table_does_not_price_is_named_of_all_measured_models_at_once() -> None:
    in_base = {site.signature for site in SPACE.sites(SPACE.base, **TABLE.workload.sizes)}
    rows = tuple(row for row in TABLE.rows if row.signature not in in_base)
    with pytest.raises(MissingRowsError) as error:
        calibration_of(replace(TABLE, rows=rows), dict.fromkeys(MODELS, 1.0), space=SPACE)
    every = {site.signature for model in MODELS for site in SPACE.sites(model, **TABLE.workload.sizes)}
    assert {*error.value.missing} == every - {row.signature for row in rows}


def test_the_figure_names_device_error_and_the_worst() -> None:
    found = calibration([1.0] + [0.9, 1.1] * 6)
    figure = calibration_figure(found, device=TABLE.device, runtime=TABLE.runtime)
    (axes,) = figure.axes
    assert "arithmetic" in axes.get_title()
    assert f"{found.mape:.1%}" in axes.get_title()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any("worst, off by" in label for label in labels)


def test_calibration_counts_architectures_once() -> None:
    assert len({a.arch_id for a in MODELS}) == len(MODELS)
    assert all(isinstance(a, Architecture) for a in MODELS)


def imported_table() -> LatencyTable:
    """The table of an imagined device, from a manifest's reports, without its whole models."""
    listed = manifest()
    blocks = results(listed, **{model.file: None for model in listed.whole_models})
    device = Device(name="phone", compute_unit="npu")
    return import_table(
        listed, [blocks], device=device, runtime_name="engine", runtime_version="1", allow_unchecked=True
    ).table


@pytest.mark.parametrize(
    ("ratio", "bias", "words"),
    [
        (1.25, 1.3, "so are the blocks, which sum to 1.25 of the whole: they cost more alone"),
        (0.7, 0.7, "so are the blocks, which sum to 0.70 of the whole: they cost less alone"),
        (1.02, 1.3, "the device ran at another pace when the whole models were timed"),
        (0.8, 1.3, "the device ran at another pace when the whole models were timed"),
    ],
)
def test_a_bias_is_explained_by_the_blocks_sum_where_that_has_it_too(ratio: float, bias: float, words: str) -> None:
    check = Check(
        sum_over_end_to_end=ratio,
        subnetwork_mape=0.3,
        kendall_tau=0.9,
        num_subnetworks=9,
        bias=bias,
        unbiased_mape=0.02,
    )
    why = distrust(replace(TABLE, check=check, end_to_end=None))
    assert why is not None
    assert words in why
    assert why.endswith("milliseconds do not")


def test_another_device_calibrates_by_its_reports() -> None:
    table, listed = imported_table(), manifest()
    times = measured_elsewhere(listed, [results(listed)], table=table)
    assert times == {model.architecture: whole_milliseconds(model.architecture) for model in listed.whole_models}
    found = calibration_of(table, times, space=listed.space)
    assert found.base.measured_ms - found.base.predicted_ms == pytest.approx(REST_MS), "nobody measured the rest"
    checked = calibrated(table, found)
    assert checked.check is not None
    assert checked.check.sum_over_end_to_end == pytest.approx(table.base_ms / found.base.measured_ms)
    assert (checked.check.num_subnetworks, checked.check.kendall_tau) == (3, 1)


def test_reports_of_another_workload_or_without_whole_models_are_refused_together() -> None:
    table, listed = imported_table(), manifest()
    other = replace(table, workload=replace(table.workload, batch=2, dtype="float16"))
    blocks = results(listed, **{model.file: None for model in listed.whole_models})
    with pytest.raises(LatencyTableError) as error:
        measured_elsewhere(listed, [blocks], table=other)
    for part in ("`workload.batch`", "`workload.dtype`", "must hold the base model and another whole model"):
        assert part in str(error.value)
