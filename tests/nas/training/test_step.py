"""One step: gradients averaged over parts, sub-networks and processes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from nas.training.denoising import Denoising
from nas.training.settings import RobustTrainingSettings
from nas.training.step import rows_of, time_step, training_step
from search_spaces import Action, Architecture
from search_spaces.supernet import Supernet
from tests.nas.training.tiny import SCHEDULE, SETTINGS, Rank, supernet_of, tiny_pictures, tiny_unet


@dataclass(frozen=True)
class Asked:
    """Trains an architecture whole, and notes for which steps it was asked."""

    architecture: Architecture
    steps: list[int]

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        self.steps.append(step)
        return (self.architecture,)


OBJECTIVE = Denoising(schedule=SCHEDULE, min_snr_gamma=5.0)
BATCH = replace(SETTINGS, batch_size=8)


def gradients(
    *, settings: RobustTrainingSettings, rank: int = 0, world: int = 1, removals: Sequence[str] = ("",)
) -> tuple[dict[str, Tensor], float]:
    supernet = supernet_of(tiny_unet())
    base = supernet.space.base
    subnetworks: list[Architecture] = [Action.parse(each).apply(base) if each else base for each in removals]
    batch = next(
        tiny_pictures().batches(
            seed=1, size=rows_of(settings, world=world), caption_dropout=0.3, rank=rank, world=world
        )
    )
    loss = training_step(
        supernet,
        batch=batch,
        subnetworks=subnetworks,
        objective=OBJECTIVE,
        settings=settings,
        fleet=Rank(rank, world),
    )
    named = supernet.named_parameters(base)
    return {name: p.grad for name, p in named.items() if p.grad is not None}, float(loss)


def mean(*found: tuple[dict[str, Tensor], float]) -> tuple[dict[str, Tensor], float]:
    names = {name for each, _ in found for name in each}
    zero = torch.zeros(())
    return (
        {name: sum((each.get(name, zero) for each, _ in found), zero) / len(found) for name in names},
        sum(loss for _, loss in found) / len(found),
    )


def assert_alike(one: tuple[dict[str, Tensor], float], other: tuple[dict[str, Tensor], float]) -> None:
    assert one[1] == pytest.approx(other[1], rel=1e-6)
    assert one[0].keys() == other[0].keys()
    assert all(torch.allclose(one[0][name], other[0][name], rtol=1e-4, atol=1e-6) for name in one[0])


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_is_the_batch_in_one(parts: int) -> None:
    assert_alike(gradients(settings=replace(BATCH, gradient_accumulation=parts)), gradients(settings=BATCH))


def test_two_processes_are_one_with_two_parts() -> None:
    both = mean(*(gradients(settings=BATCH, rank=rank, world=2) for rank in range(2)))
    assert_alike(both, gradients(settings=replace(BATCH, gradient_accumulation=2)))


def test_sub_networks_of_a_step_share_its_batch() -> None:
    removals = ("", "-resnet[mid,1]", "-cross_attention[up.1,0]")
    alone = mean(*(gradients(settings=BATCH, removals=[each]) for each in removals))
    assert_alike(gradients(settings=BATCH, removals=removals), alone)


def test_weights_of_a_block_that_is_left_out_have_no_gradient() -> None:
    found, _ = gradients(settings=BATCH, removals=["-resnet[mid,1]"], world=2)
    assert not any(name.startswith("mid_block.resnets.1.") for name in found)


@pytest.mark.parametrize(("size", "parts", "world"), [(8, 1, 1), (8, 2, 2), (12, 3, 2)])
def test_each_process_has_its_rows(size: int, parts: int, world: int) -> None:
    assert rows_of(replace(SETTINGS, batch_size=size, gradient_accumulation=parts), world=world) == size // world


def test_a_batch_that_cannot_be_dealt_out_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"multiple of the 3 processes .* \(2\), but is 8; choose among 6 and 12"):
        rows_of(replace(SETTINGS, batch_size=8, gradient_accumulation=2), world=3)


def test_timing_a_step_changes_nothing() -> None:
    supernet = supernet_of(tiny_unet())
    before = {name: weight.clone() for name, weight in supernet.weights().items()}
    strategy = Asked(supernet.architecture, [])
    seconds = time_step(supernet, data=tiny_pictures(), objective=OBJECTIVE, strategy=strategy, settings=SETTINGS)
    assert 0 < seconds < 60
    assert strategy.steps == [0, 1], "the second of two"
    assert all(torch.equal(weight, before[name]) for name, weight in supernet.weights().items())
    assert all(parameter.grad is None for parameter in Supernet.all_parameters(supernet))
    assert not supernet.unet.training
    assert supernet.architecture == supernet.space.base
