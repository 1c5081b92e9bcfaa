"""The cost law of docs/cost.md against the simulated pool that it is checked by."""

# fast: arithmetic alone

import pytest

from experiments.benchmarks.cost_law import WORKERS, law, looks, simulated


@pytest.mark.parametrize("raced", [False, True])
def test_the_law_is_within_a_tenth_of_the_simulated_pool(raced: bool) -> None:
    phases = looks(raced=raced)
    for num in WORKERS:
        round_ = simulated(phases, num_workers=num, task_s=12.8)
        assert law(phases, num_workers=num, task_s=12.8) == pytest.approx(round_.seconds, rel=0.1)
        assert 0 < round_.busy_share <= 1


def test_one_worker_does_all_the_work_and_many_wait_for_the_driver() -> None:
    phases = looks(raced=False)
    alone = simulated(phases, num_workers=1, task_s=1.0, driver_s=0.0)
    assert alone.busy_share == pytest.approx(1)
    many = simulated(phases, num_workers=512, task_s=1.0, driver_s=0.1)
    assert many.driver_share > 0.9


def test_a_race_asks_for_less_in_more_phases() -> None:
    assert sum(looks(raced=True)) < sum(looks(raced=False))
    assert len(looks(raced=True)) > len(looks(raced=False))
