"""Measuring whole models for a calibration: one at a time, kept on disk, and released."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest

from latency.blocks.subnetworks import random_architectures
from latency.blocks.tasks import PrepareReport, Task
from latency.measuring.calibrate import measure_models, measured_ms
from latency.measuring.calibration_log import PairedSamples
from latency.measuring.measure import measure_table
from latency.measuring.scenario_log import SampleLogError
from latency.pricing.scenario import LatencyTableError, Runtime
from latency.timing.estimator import Samples
from latency.timing.interleaving import MeasureSettings, RoundReport
from latency.trust.calibration import calibration_of
from tests.latency.counting import Counting
from tests.latency.strategies import TOKENS

SETTINGS = MeasureSettings(min_rounds=2, max_rounds=2, min_sample_ms=0.01, max_calls=1, seed=5)


def table_of(supernet, backend):
    return measure_table(
        supernet, backend=backend, base_model="tiny", device_name="here", context_tokens=TOKENS, settings=SETTINGS
    )


@pytest.fixture(scope="module")
def table(tiny):
    return table_of(tiny, Counting())


def measure(supernet, table, backend, *, num=3, settings=SETTINGS, **options):
    return measure_models(supernet, table, backend=backend, num_subnetworks=num, settings=settings, **options)


def test_every_model_takes_what_it_takes_whatever_stood_beside_it(tiny, table):
    times = measure(tiny, table, Counting())
    expected = (tiny.space.base, *random_architectures(tiny.space, num=3, seed=5))
    assert tuple(times) == expected
    assert times == pytest.approx({model: 2**-12 * tiny.space.num_params(model) for model in expected})
    assert calibration_of(table, times, space=tiny.space).mape == pytest.approx(0, abs=1e-4)
    assert tiny.architecture == tiny.space.base


def test_a_sub_network_is_its_share_of_the_base_model_beside_it(tiny):
    base, (one, other) = tiny.space.base, random_architectures(tiny.space, num=2, seed=5)

    def paired(subnetwork, base, reference):
        both = [Samples(call_ms=(ms, ms), reference_ms=(reference, reference), calls=1) for ms in (subnetwork, base)]
        return PairedSamples(arch_id="", subnetwork=both[0], base=both[1])

    # twice as slow during the second, which the reference kernel does not feel: the base model does
    assert measured_ms(base, {one: paired(5.0, 10.0, 1.0), other: paired(16.0, 20.0, 1.0)}) == pytest.approx(
        {base: 15.0, one: 7.5, other: 12.0}
    )


class Holding(Counting):
    """Counts the whole models that are alive at the same time."""

    copies_weights = True

    def __init__(self):
        super().__init__()
        self.held, self.most, self.discarded = weakref.WeakSet[Callable[[], None]](), 0, list[int]()

    def prepare(self, call):
        run = super().prepare(call)

        def held():
            run()

        self.held.add(held)
        self.most = max(self.most, len(self.held))
        return held

    def discard(self, call):
        gc.collect()
        self.discarded.append(len(self.held))


def test_one_sub_network_is_held_at_a_time_and_each_is_released_with_its_file(tiny, table):
    backend = Holding()
    measure(tiny, table, backend, num=4)
    assert backend.num_prepared == 5
    assert backend.most == 2
    assert backend.discarded == [1, 1, 1, 1, 0], "every sub-network is gone before the next, the base model at the end"


def test_a_killed_calibration_goes_on_with_the_sub_network_that_was_not_finished(tiny, table, tmp_path):
    file = tmp_path / "table.calibration.jsonl"
    expected = measure(tiny, table, Counting(), num=4, log_file=tmp_path / "whole.jsonl")

    def kill(report):
        if report.num_rounds == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(tiny, table, Counting(), num=4, log_file=file, on_round=kill)
    with file.open("a") as lines:
        lines.write('{"arch_id": "12')
    rounds, told, resumed = list[RoundReport[Task]](), list[PrepareReport](), Counting()
    times = measure(
        tiny, table, resumed, num=4, log_file=file, on_prepare=told.append, on_round=lambda r: rounds.append(r)
    )
    assert times == pytest.approx(expected)
    assert [(r.num_rounds, r.max_rounds, r.is_last) for r in rounds] == [
        (5, 8, False), (6, 8, False), (7, 8, False), (8, 8, True),
    ]  # fmt: skip
    assert [(r.number, r.total) for r in told] == [(1, 5), (4, 5), (5, 5)]
    assert resumed.num_prepared == 3
    idle = Counting()
    assert measure(tiny, table, idle, num=4, log_file=file) == times
    assert (idle.num_prepared, idle.num_calls) == (0, 0)
    more = replace(SETTINGS, min_rounds=3, max_rounds=3)
    again = Counting()
    assert measure(tiny, table, again, num=4, settings=more, log_file=file) == pytest.approx(times)
    assert again.num_prepared == 5, "more rounds than the file holds are measured"


def test_other_sub_networks_join_the_file_and_another_scenario_is_refused(tiny, table, tmp_path):
    file = tmp_path / "log.jsonl"
    measure(tiny, table, Counting(), num=2, log_file=file)
    joined = Counting()
    measure(tiny, table, joined, num=3, settings=replace(SETTINGS, seed=6), log_file=file)
    measure(tiny, table, joined, num=2, log_file=file)
    assert joined.num_prepared == 4
    kept, newer = file.read_bytes(), Counting()
    newer.runtime = Runtime(name="counting", version="2")
    with pytest.raises(SampleLogError, match=r"runtime\.version is '1' instead of '2'"):
        measure(tiny, table, newer, num=2, log_file=file)
    assert (file.read_bytes(), newer.num_prepared) == (kept, 0)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda line: "[]", "line 2"),
        (lambda line: line.replace('"calls": 1', '"calls": "1"', 1), r"line 2\.subnetwork\.calls"),
        (lambda line: line.replace('"call_ms": [', '"call_ms": [-1.0, ', 1), "line 2: both models must have the same"),
        (lambda line: line.replace("1.0", "0.0"), "line 2: times must be positive"),
        (lambda line: "{", "line 2 of .* must be JSON"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tiny, table, tmp_path, edit, message):
    file = tmp_path / "log.jsonl"
    measure(tiny, table, Counting(), num=1, log_file=file)
    head, line = file.read_text().splitlines()
    file.write_text(f"{head}\n{edit(line)}\n")
    with pytest.raises(SampleLogError, match=message):
        measure(tiny, table, Counting(), num=1, log_file=file)


def test_too_little_memory_is_said_before_anything_is_prepared(tiny, table, monkeypatch):
    monkeypatch.setattr("latency.measuring.calibrate.available_bytes", lambda: 1000)
    backend = Holding()
    with pytest.raises(ValueError, match=r"the base model and of a sub-network beside it, .* memory are free"):
        measure(tiny, table, backend)
    assert backend.num_prepared == 0
    measure(tiny, table, Counting())  # shares the weights


def test_a_table_is_calibrated_with_what_it_was_made_with(tiny, table):
    other = Counting()
    other.runtime = Runtime(name="other", version="1")
    with pytest.raises(LatencyTableError, match=r"`runtime\.name` must be 'counting', but is 'other'"):
        measure(tiny, table, other)


def test_a_real_runtime_leaves_no_whole_model_on_the_disk(one_stage, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from latency.backends.onnx_runtime import OnnxRuntime
    from latency.exporters.cache import ExportCache

    backend = OnnxRuntime(cache=ExportCache(tmp_path))
    table = replace(table_of(one_stage, Counting()), runtime=backend.runtime)
    stays = tmp_path / "a block's export"
    stays.touch()
    times = measure(one_stage, table, backend, num=1, log_file=None)
    assert len(times) == 2
    assert all(ms > 0 for ms in times.values())
    assert list(tmp_path.iterdir()) == [stays], "without the base model and without the sub-network"
