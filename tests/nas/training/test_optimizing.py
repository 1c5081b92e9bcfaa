"""Rates, moments and averages: diffusers' schedules and EMA, and only the weights under training."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from nas.training.optimizing import Optimizing
from nas.training.settings import RateSchedule, RobustTrainingSettings

SETTINGS = RobustTrainingSettings(learning_rate=0.1, weight_decay=0.0)


def optimizing(settings: RobustTrainingSettings, parameter: nn.Parameter, *, num: int = 20) -> Optimizing:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return Optimizing({"w": parameter}, settings=settings, num_steps=num, scaler=scaler)


def rates(settings: RobustTrainingSettings, num: int = 20) -> list[float]:
    of = optimizing(settings, nn.Parameter(torch.zeros(2)), num=num)
    return [of.rate(step) for step in range(num)]


def test_the_rate_warms_up_over_its_share_and_stays() -> None:
    assert rates(replace(SETTINGS, warm_up_share=0.25)) == pytest.approx([0.02, 0.04, 0.06, 0.08, *[0.1] * 16])


def test_a_single_step_has_the_whole_rate() -> None:
    for schedule in RateSchedule:
        assert rates(replace(SETTINGS, rate_schedule=schedule), num=1) == [0.1]


@pytest.mark.parametrize("schedule", [RateSchedule.LINEAR, RateSchedule.COSINE])
def test_the_rate_falls_over_its_share_and_no_step_is_without(schedule: RateSchedule) -> None:
    found = rates(replace(SETTINGS, rate_schedule=schedule, warm_up_share=0.1, decay_share=0.5))
    assert found[0] == pytest.approx(0.05)
    assert found[1:11] == pytest.approx([0.1] * 10)
    assert all(later < earlier for earlier, later in pairwise(found[10:]))
    assert 0 < found[-1] < 0.011


def test_the_average_follows_the_weights() -> None:
    weight = nn.Parameter(torch.zeros(2))
    of = optimizing(replace(SETTINGS, ema_decay=0.5), weight)
    seen = []
    for step in range(4):
        weight.grad = torch.ones(2)
        of.clip()
        of.step(step)
        seen.append(weight.detach().clone())
    expected = seen[0]
    for later, decay in zip(seen[1:], (2 / 11, 3 / 12, 4 / 13), strict=True):  # diffusers: (1 + n) / (10 + n), capped
        expected = decay * expected + (1 - decay) * later
    assert torch.allclose(of.average()["w"], expected)
    of.take_average()
    assert torch.allclose(weight, expected)


def test_gradients_are_clipped_and_forgotten() -> None:
    weight = nn.Parameter(torch.zeros(4))
    of = optimizing(replace(SETTINGS, max_grad_norm=0.5), weight)
    weight.grad = torch.full((4,), 3.0)
    assert float(of.clip()) == pytest.approx(6.0)
    assert float(weight.grad.norm()) == pytest.approx(0.5, rel=1e-4)
    of.step(0)
    assert weight.grad is None


def test_moments_go_on_bit_for_bit() -> None:
    def steps(of: Optimizing, weight: nn.Parameter, numbers: range) -> None:
        for number in numbers:
            weight.grad = torch.tensor([1.0, -0.3]) * (number + 1)
            of.clip()
            of.step(number)

    settings = replace(SETTINGS, ema_decay=0.9, weight_decay=0.1)
    whole, first, second = (nn.Parameter(torch.ones(2)) for _ in range(3))
    steps(optimizing(settings, whole), whole, range(6))
    begun = optimizing(settings, first)
    steps(begun, first, range(3))
    second.data.copy_(first)
    again = optimizing(settings, second)
    again.restore(step=3, moments=begun.moments(), average=begun.average())
    steps(again, second, range(3, 6))
    assert torch.equal(second, whole)
