import gc
from collections import Counter

import numpy as np
import pytest

from latency.timing.estimator import corrected
from latency.timing.interleaving import MeasureSettings, RoundReport, interleave

TRUE_MS = {"heavy": 40.0, "middle": 4.0, "light": 0.05}


class Machine:
    """A clock, and work that takes its true time at a pace that drifts between 1 and 3 and jitters by `noise`."""

    name = "fake"

    def __init__(self, *, noise=0.0, drift=True, seed=0):
        self.ms, self.calls, self.log = 0.0, Counter[str](), list[str]()
        self.noise, self.drift, self.rng = noise, drift, np.random.default_rng(seed)

    def elapsed_ms(self, work):
        start_ms = self.ms
        work()
        return self.ms - start_ms

    def work(self, name, true_ms):
        def run():
            pace = 2 + np.sin(self.ms / 2000) if self.drift else 1.0
            self.ms += true_ms * pace * np.exp(self.noise * self.rng.standard_normal())
            self.calls[name] += 1
            self.log.append(name)
            assert not gc.isenabled()

        return run

    def measure(self, *, on_round=None, earlier=None, repeats=None, **settings):
        tasks = {name: self.work(name, ms) for name, ms in TRUE_MS.items()}
        return interleave(
            tasks,
            reference=self.work("reference", 10.0),
            clock=self,
            settings=MeasureSettings(**settings),
            repeats=repeats,
            earlier=earlier,
            on_round=on_round,
        )


def test_known_noise_in_known_medians_out():
    machine = Machine(noise=0.05)
    samples = machine.measure(min_rounds=40, max_rounds=40)
    values = corrected(samples)
    scale = np.median(values["middle"]) / TRUE_MS["middle"]
    assert 1 < scale < 3  # the pace that the machine typically had
    for name, true_ms in TRUE_MS.items():
        assert np.median(values[name]) == pytest.approx(true_ms * scale, rel=0.03)
    assert np.std(np.log(values["heavy"])) < 0.1 < np.std(np.log(samples["heavy"].call_ms))


def test_a_steady_machine_gives_exact_times_and_stops_as_early_as_allowed():
    reports: list[RoundReport[str]] = []
    samples = Machine(drift=False).measure(min_rounds=5, max_rounds=50, on_round=reports.append)
    assert {name: np.median(v) for name, v in corrected(samples).items()} == pytest.approx(TRUE_MS)
    assert [r.num_rounds for r in reports] == [1, 2, 3, 4, 5]
    assert reports[0].worst_cv == np.inf
    assert reports[-1].worst_cv < 1e-9


def test_a_noisy_machine_is_measured_until_the_medians_are_sure_or_the_rounds_are_over():
    reports: list[RoundReport[str]] = []
    Machine(noise=0.05).measure(min_rounds=5, max_rounds=200, target_cv=0.02, on_round=reports.append)
    assert 5 < len(reports) < 200
    assert reports[-1].worst_cv < 0.02 <= reports[-2].worst_cv
    assert len(Machine(noise=0.5).measure(min_rounds=3, max_rounds=7)["light"].call_ms) == 7


def test_short_tasks_are_called_often_enough_and_the_count_is_recorded():
    samples = Machine(drift=False).measure(min_rounds=1, max_rounds=1, min_sample_ms=10.0, max_calls=20)
    assert {name: each.calls for name, each in samples.items()} == {"heavy": 1, "middle": 3, "light": 20}


def test_a_task_that_stands_for_several_gets_the_calls_and_warm_ups_of_each():
    machine = Machine(drift=False)
    samples = machine.measure(
        min_rounds=2, max_rounds=2, min_sample_ms=10.0, max_calls=20, repeats={"middle": 4}
    )  # fmt: skip
    assert {name: each.calls for name, each in samples.items()} == {"heavy": 1, "middle": 12, "light": 20}
    assert machine.calls["middle"] == 4 * 2 + 2 * 12
    assert corrected(samples)["middle"] == pytest.approx(TRUE_MS["middle"])


def test_calls_of_a_task_are_strewn_over_the_round_and_short_ones_share_a_reference():
    machine = Machine(drift=False)
    machine.measure(
        min_rounds=1, max_rounds=1, warm_ups=1, min_sample_ms=20.0, max_calls=40, stretch_ms=30.0
    )  # fmt: skip
    # after the warm-up: 1 heavy, 5 middle and 40 light calls, 40 + 20 + 2 ms in stretches of about 30 ms
    stream = machine.log[4:]
    assert Counter(stream) == {"heavy": 1, "middle": 5, "light": 40, "reference": stream.count("reference")}
    assert stream[0] == stream[-1] == "reference"
    assert 3 <= stream.count("reference") <= 4
    between = [stream[i] for i in range(len(stream) - 1) if stream[i] == stream[i + 1] == "middle"]
    assert len(between) < 4, "middle calls stand apart"


def test_every_round_visits_every_task_between_two_reference_runs_in_seeded_order():
    settings = {"min_rounds": 6, "max_rounds": 6, "min_sample_ms": 0.01, "warm_ups": 1, "stretch_ms": 0.01}
    machine, twin, other = Machine(), Machine(), Machine()
    machine.measure(**settings, seed=1)
    twin.measure(**settings, seed=1)
    other.measure(**settings, seed=2)
    assert machine.log == twin.log != other.log
    log = machine.log[4:]
    rounds = [log[i : i + 7] for i in range(0, len(log), 7)]
    assert len(rounds) == 6
    assert all(r[::2] == ["reference"] * 4 and sorted(r[1::2]) == sorted(TRUE_MS) for r in rounds)
    assert len({tuple(r) for r in rounds}) > 1


@pytest.mark.parametrize(("stretch_ms", "num_references"), [(1.0, 1 + 6), (2.0, 1 + 3), (3.0, 1 + 2), (100.0, 1 + 1)])
def test_a_stretch_is_over_once_it_is_as_long_as_asked_for(stretch_ms, num_references):
    machine = Machine(drift=False)
    interleave(
        {"work": machine.work("work", 1.0)},
        reference=machine.work("reference", 1.0),
        clock=machine,
        settings=MeasureSettings(min_rounds=1, max_rounds=1, warm_ups=1, min_sample_ms=6.0, stretch_ms=stretch_ms),
    )
    stream = machine.log[2:]  # after the warm-ups
    assert (stream.count("work"), stream.count("reference")) == (6, num_references)


def test_what_is_measured_by_default_is_what_earlier_tables_were():
    """Their numbers compare with those that are measured today only where both were measured alike."""
    assert MeasureSettings() == MeasureSettings(
        min_rounds=10, max_rounds=60, target_cv=0.02, warm_ups=2, min_sample_ms=5.0, max_calls=32, stretch_ms=50.0,
        seed=0,
    )  # fmt: skip


def test_a_measurement_goes_on_as_if_it_had_not_stopped():
    settings = {"min_rounds": 6, "max_rounds": 6, "warm_ups": 1}
    whole, first, second = Machine(drift=False), Machine(drift=False), Machine(drift=False)
    reports: list[RoundReport[str]] = []
    samples = whole.measure(**settings, on_round=reports.append)
    earlier = first.measure(**(settings | {"min_rounds": 2, "max_rounds": 2}))
    resumed = second.measure(**settings, earlier=earlier, on_round=reports.append)
    for key, each in samples.items():
        assert resumed[key].calls == each.calls
        assert resumed[key].call_ms == pytest.approx(each.call_ms)
        assert resumed[key].reference_ms == pytest.approx(each.reference_ms)
    assert [r.num_rounds for r in reports] == [1, 2, 3, 4, 5, 6, 3, 4, 5, 6]
    assert [r.is_last for r in reports] == [False] * 5 + [True] + [False] * 3 + [True]
    warm_up = 4
    assert first.log + second.log[warm_up:] == whole.log, "the same order, without the first rounds"


def test_a_finished_measurement_calls_nothing():
    earlier = Machine(drift=False).measure(min_rounds=3, max_rounds=3)
    idle = Machine(drift=False)
    assert idle.measure(min_rounds=3, max_rounds=9, earlier=earlier) == earlier
    assert idle.log == []
    assert len(idle.measure(min_rounds=5, max_rounds=9, earlier=earlier)["light"].call_ms) == 5


def test_the_garbage_collector_is_on_again_afterwards():
    assert gc.isenabled()
    Machine().measure(min_rounds=1, max_rounds=1)
    assert gc.isenabled()


def test_settings_that_cannot_be_are_all_named():
    with pytest.raises(ValueError, match=r"`min_rounds`.*`target_cv`.*`max_rounds`"):
        MeasureSettings(min_rounds=0, target_cv=float("nan"), max_rounds=-1)
