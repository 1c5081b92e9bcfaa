"""KID and FID are those of torchmetrics on the same pictures; CMMD and MIND those of the papers, computed naively."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from nas.metrics.estimate import Features
from nas.metrics.monge import unit_directions
from nas.metrics.registry import METRICS

Pictures = tuple[torch.Tensor, torch.Tensor]


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all extracted features:UserWarning")
def test_kid_is_that_of_torchmetrics(pictures: Pictures, network: torch.nn.Module) -> None:
    made, real = pictures
    theirs = KernelInceptionDistance(feature=network, subsets=1, subset_size=len(made))
    theirs.update(real, real=True)
    theirs.update(made, real=False)
    ours = METRICS["kid"].of(network(made).numpy(), network(real).numpy())
    assert ours.value == pytest.approx(theirs.compute()[0].item(), rel=1e-9)


def test_fid_is_that_of_torchmetrics(pictures: Pictures, network: torch.nn.Module) -> None:
    made, real = pictures
    theirs = FrechetInceptionDistance(feature=network).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(made, real=False)
    ours = METRICS["fid"].of(network(made).numpy(), network(real).numpy())
    assert ours.value == pytest.approx(theirs.compute().item(), rel=1e-6)


def test_cmmd_is_the_papers(features: tuple[Features, Features]) -> None:
    def kernel(x: Features, y: Features) -> float:
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * 10.0**2))

    made, real = features
    among = [sum(kernel(x, y) for i, x in enumerate(z) for j, y in enumerate(z) if i != j) for z in (made, real)]
    between = sum(kernel(x, y) for x in made for y in real)
    n, m = len(made), len(real)
    naive = 1000 * (among[0] / (n * (n - 1)) + among[1] / (m * (m - 1)) - 2 * between / (n * m))
    assert METRICS["cmmd"].of(made, real).value == pytest.approx(naive, rel=1e-9)


def test_mind_is_the_papers_for_equal_numbers(features: tuple[Features, Features]) -> None:
    made, real = features[0][:45], features[1]
    total = 0.0
    for direction in unit_directions(4):
        one, other = sorted(float(x @ direction) for x in made), sorted(float(x @ direction) for x in real)
        total += sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / 45
    naive = 3 * 4 * total / len(unit_directions(4))
    assert METRICS["mind"].of(made, real).value == pytest.approx(naive, rel=1e-9)


def test_mind_of_unequal_numbers_is_that_of_repeated_pictures(features: tuple[Features, Features]) -> None:
    made, real = features[0][:30], features[1]
    repeated = METRICS["mind"].of(np.repeat(made, 3, axis=0), np.repeat(real, 2, axis=0))
    assert METRICS["mind"].of(made, real).value == pytest.approx(repeated.value, rel=1e-9)


def test_precision_and_recall_are_the_papers(features: tuple[Features, Features]) -> None:
    def share(points: Features, of: Features) -> float:
        radii = [sorted(math.dist(x, y) for y in of)[3] for x in of]  # the first is itself
        inside = [any(math.dist(p, x) <= r for x, r in zip(of, radii, strict=True)) for p in points]
        return sum(inside) / len(points)

    made, real = features
    assert METRICS["precision"].of(made, real).value == pytest.approx(share(made, real))
    assert METRICS["recall"].of(made, real).value == pytest.approx(share(real, made))
