import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency import Check, EndToEnd, LatencyTable, Method, read_latency_table, shipped_tables, table_text
from latency.documents.document import to_document
from latency.documents.sums import cause_of, sum_law
from latency.trust.published import PUBLISHED, compare
from latency.trust.speed import Speed, speed_of
from latency.trust.validation import Level, validate
from search_spaces import BlockKind, space_from_config
from tests.latency.importers.test_corruption import mutated_bytes, mutated_values
from tests.latency.strategies import TOKENS, row, scenario, small_space, table_of
from tests.leisure import examples

SPACE = small_space()
TABLE = table_of(SPACE)
SD15 = space_from_config({"sample_size": 64, "block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768})
SIZE = {
    "latent_height": 64,
    "latent_width": 64,
    "context_tokens": 77,
    "cross_attention_dim": 768,
    "temb_channels": 1280,
}


def found(table, **settings):
    return validate(table_text(table).encode(), **settings)


def messages(validation, level, about):
    return [f.message for f in validation.findings if (f.level, f.about) == (level, about)]


def sd15_table(total_ms, *, device="phone", **workload):
    """A table of SD-1.5 whose blocks add up to a total."""
    base = SD15.sites(SD15.base)
    macs = sum(site.signature.num_macs for site in base)
    rows = [
        row(s, total_ms * s.num_macs / macs, sites=tuple(b.name for b in base if b.signature == s))
        for s in SD15.reachable_signatures()
    ]
    parts = scenario()
    parts["device"] = replace(parts["device"], name=device)
    parts["workload"] = replace(parts["workload"], **(SIZE | workload))
    return LatencyTable(**parts, rows=tuple(rows))


def test_a_good_table_has_no_problem_and_covers_its_space():
    assert TABLE.check is not None
    calibrated = replace(TABLE, check=replace(TABLE.check, subnetwork_mape=0.03, kendall_tau=0.95, num_subnetworks=9))
    validation = found(calibrated, space=SPACE)
    assert validation.is_good
    assert {finding.level for finding in validation.findings} == {Level.INFORMATION}
    (coverage,) = messages(validation, Level.INFORMATION, "coverage")
    assert coverage.startswith(f"all {len(SPACE.reachable_signatures(context_tokens=TOKENS))} blocks")
    assert "calibrated on 9 sub-networks: predictions are off by 3.0%, Kendall tau 0.95" in [
        finding.message for finding in validation.findings
    ]


def test_every_rule_of_the_schema_is_checked_at_once():
    document = to_document(TABLE)
    document["colour"] = 1
    document["device"]["name"] = None
    document["rows"][1]["median_ms"] = -1.0
    validation = validate(json.dumps(document).encode())
    assert (validation.table, validation.is_good) == (None, False)
    assert len(messages(validation, Level.PROBLEM, "document")) == 3
    assert not validate(b"\xff").is_good


def test_missing_keys_and_foreign_models_are_problems():
    gone = replace(TABLE, rows=TABLE.rows[1:], end_to_end=None, check=None)
    lines = messages(found(gone, space=SPACE), Level.PROBLEM, "coverage")
    assert any(str(TABLE.rows[0].signature) in line for line in lines)
    (line,) = [m for m in messages(found(TABLE, space=SD15), Level.PROBLEM, "coverage") if "another workload" in m]
    assert "`temb_channels` must be 1280, but the table has 32" in line


def test_sites_must_be_the_models():
    site = next(r for r in TABLE.rows if r.sites)
    changed = replace(
        TABLE, rows=tuple(replace(r, sites=()) if r is site else r for r in TABLE.rows), end_to_end=None, check=None
    )
    assert any(
        "`sites` must be the model's" in m for m in messages(found(changed, space=SPACE), Level.PROBLEM, "coverage")
    )


@pytest.mark.parametrize(
    ("ratio", "level"), [(1.0, "information"), (1.3, "warning"), (0.8, "warning"), (2.5, "problem")]
)
def test_the_sum_over_end_to_end_is_judged(ratio, level):
    ms = TABLE.base_ms / ratio
    table = replace(
        TABLE,
        end_to_end=EndToEnd(median_ms=ms, p10_ms=ms, p90_ms=ms, num_samples=1),
        check=Check(sum_over_end_to_end=ratio),
    )
    (message,) = messages(found(table), Level(level), "sum")
    assert f"blocks sum to {ratio:.3f}" in message
    assert ("wrong unit or batch" in message) == (level == "problem")


@pytest.mark.parametrize(("ratio", "cause"), [(0.7, "the caches"), (1.25, "blocks/empty_call"), (1.0, "")])
def test_a_sum_outside_names_the_cause_that_it_points_to(ratio, cause):
    assert cause in cause_of(ratio)
    assert bool(cause) == bool(cause_of(ratio))
    assert sum_law(ratio).endswith(cause_of(ratio) or f"but got {ratio:.3f}")
    assert TABLE.end_to_end is not None
    end_to_end = replace(TABLE.end_to_end, median_ms=TABLE.base_ms / ratio, p10_ms=1e-3, p90_ms=1e3)
    table = replace(TABLE, end_to_end=end_to_end, check=Check(sum_over_end_to_end=ratio))
    (message,) = [f.message for f in found(table).findings if f.about == "sum"]
    assert cause in message


def timed(factor, *, unit="", threads=""):
    """The arithmetic table with all times multiplied; 0.5 GMACs a second where the factor is 1."""
    table = table_of(SPACE, launch_ms=0, ms_per_macs=2e-6)
    names = ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "std_ms")
    rows = tuple(replace(r, **{name: factor * getattr(r, name) for name in names}) for r in table.rows)
    runtime = replace(table.runtime, options=(("threads", threads),) if threads else ())
    device = replace(table.device, compute_unit=unit)
    return replace(table, rows=rows, end_to_end=None, check=None, runtime=runtime, device=device)


def test_a_unit_a_thousand_times_off_is_a_problem_for_any_model():
    (message,) = messages(found(timed(1)), Level.INFORMATION, "speed")
    assert message.startswith("the base model's 0.0")
    (message,) = messages(found(timed(1000)), Level.PROBLEM, "speed")
    assert "microseconds taken for milliseconds" in message
    assert messages(found(timed(1 / 6000)), Level.INFORMATION, "speed"), "a large accelerator"
    assert messages(found(timed(1 / 6000, unit="CPU", threads="8")), Level.INFORMATION, "speed")
    (message,) = messages(found(timed(1 / 6000, unit="CPU", threads="1")), Level.PROBLEM, "speed")
    assert "a CPU with 1 thread has at most 2,000; " in message
    assert "seconds taken for milliseconds" in message
    assert messages(found(timed(1e-8)), Level.PROBLEM, "speed")


@pytest.mark.parametrize("name", shipped_tables())
def test_every_shipped_table_has_a_speed_that_its_unit_explains_and_a_thousandth_has_not(name):
    speed = speed_of(read_latency_table(name))
    assert speed is not None
    assert speed.flaw == ""
    assert replace(speed, ms=1000 * speed.ms).flaw
    assert replace(speed, ms=speed.ms / 1000).flaw


def test_a_speed_is_said_in_thousand_millions_a_second():
    speed = Speed(num_macs=79_000_000, ms=10.6, num_blocks=20, least=1e6, most=1e15, device="a CPU")
    assert str(speed) == "the base model's 0.079 GMACs in 10.6 ms are 7.45 GMACs a second"


def test_a_table_without_blocks_of_a_base_model_has_no_speed():
    rows = tuple(replace(r, sites=()) for r in TABLE.rows)
    assert speed_of(replace(TABLE, rows=rows, end_to_end=None, check=None)) is None


def test_a_table_without_a_check_is_called_uncalibrated():
    validation = found(replace(TABLE, end_to_end=None, check=None))
    assert "nothing shows that the blocks add up" in messages(validation, Level.WARNING, "sum")[0]
    assert "not calibrated" in messages(validation, Level.WARNING, "calibration")[0]
    assert validation.is_good


def test_a_bad_calibration_is_a_warning():
    assert TABLE.check is not None
    bad = replace(TABLE, check=replace(TABLE.check, subnetwork_mape=0.2, kendall_tau=0.4, num_subnetworks=9))
    (message,) = messages(found(bad), Level.WARNING, "calibration")
    assert "are off by 20.0% (at most 10%), with Kendall tau 0.40 (at least 0.80)" in message


def test_rows_that_nobody_measured_are_counted():
    rows = [replace(r, source=Method.INTERPOLATED, num_samples=1) if i < 2 else r for i, r in enumerate(TABLE.rows)]
    rows[2] = replace(rows[2], num_samples=1)
    warnings = messages(found(replace(TABLE, rows=tuple(rows))), Level.WARNING, "rows")
    assert f"2 of {len(rows)} rows are interpolated, not measured" in warnings
    assert any(message.startswith("1 rows have no spread") for message in warnings)


def test_numbers_that_contradict_each_other_are_named():
    deep = max(
        (r for r in TABLE.rows if r.signature.kind is BlockKind.CROSS_ATTENTION), key=lambda r: r.signature.layers
    )
    shallow = replace(deep.signature, layers=deep.signature.layers - 1)
    rows = tuple(
        row(r.signature, 99.0, sites=r.sites, mean_ms=1.0) if r.signature == shallow else r for r in TABLE.rows
    )
    validation = found(replace(TABLE, rows=rows, end_to_end=None, check=None))
    assert "mean_ms 1.0 must not be below min_ms" in messages(validation, Level.PROBLEM, "rows")[0]
    assert any("look for swapped files" in m for m in messages(validation, Level.WARNING, "rows"))


@pytest.mark.parametrize(
    ("table", "level", "words"),
    [
        (sd15_table(1650, device="iPhone 14 Pro"), "information", "0.97 times the published 1700 ms (iphone 14 pro"),
        (sd15_table(1.65, device="iPhone 14 Pro"), "problem", "probably a wrong unit or batch size"),
        (sd15_table(160, device="Galaxy S24, Snapdragon 8 Gen 3", dtype="w8a16"), "problem", "2.10 times"),
        (sd15_table(160, device="Galaxy S24, Snapdragon 8 Gen 3"), "information", "no published number is for this"),
        (sd15_table(4500, device="my laptop"), "information", "the nearest is 1700 ms (iphone 14 pro"),
        (sd15_table(51, device="NVIDIA A100-SXM4", batch=2), "information", "1.00 times the published 51.2 ms"),
    ],
)
def test_published_numbers_judge_only_what_they_are_about(table, level, words):
    (message,) = messages(found(table), Level(level), "published")
    assert words in message


def test_other_models_have_no_published_number():
    assert compare(TABLE) is None
    smaller = sd15_table(50)
    assert compare(replace(smaller, workload=replace(smaller.workload, latent_height=32))) is None
    assert len({str(one) for one in PUBLISHED}) == len(PUBLISHED)


def test_times_that_no_forward_pass_takes_are_refused():
    document = to_document(TABLE)
    for plain in document["rows"][:2]:
        plain |= {name: 1e308 for name in plain if name.endswith("_ms")} | {"sites": ["a", "b"]}
    document["rows"][2]["num_samples"] = 10**400
    lines = messages(validate(json.dumps(document).encode()), Level.PROBLEM, "document")
    assert len(lines) == 3
    assert "`median_ms` must be at most 1e+09 ms, but got 1e+308; look for a wrong unit" in lines[0]


@pytest.mark.parametrize("name", ["layers", "in_channels", "heads"])
def test_sizes_that_no_runtime_counts_to_are_refused(name):
    document = to_document(TABLE)
    document["rows"][5][name] = 10**400
    (line,) = messages(validate(json.dumps(document).encode()), Level.PROBLEM, "document")
    assert line.startswith(
        f"rows[5]: numbers of a block signature must be from 0 to 2147483647, but got {{'{name}': 1000"
    )


@given(st.integers(0, 2**32))
@examples(120)
def test_corrupted_tables_are_validated_without_an_error(seed):
    check_corrupted(seed)


@pytest.mark.slow
def test_thousands_of_corrupted_tables_are_validated_without_an_error():
    for seed in range(3000):
        check_corrupted(seed)


DOCUMENT = to_document(TABLE)


def check_corrupted(seed):
    rng = random.Random(seed)
    data = json.dumps(mutated_values(DOCUMENT, rng) if rng.random() < 0.7 else DOCUMENT).encode()
    if rng.random() < 0.4:
        data = mutated_bytes(data, rng)
    validation = validate(data, space=SPACE)
    assert (validation.table is None) <= (not validation.is_good)
