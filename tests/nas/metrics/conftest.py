"""Two sets of features that differ, and pictures with a tiny network that sees them."""

import numpy as np
import pytest
import torch

from nas.metrics.estimate import Features


class TinyNetwork(torch.nn.Module):
    """Features of five dimensions of uint8 pictures."""

    num_features = 5

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        pooled = torch.nn.functional.adaptive_avg_pool2d(pictures.double() / 255, 3).flatten(1)
        mixing = torch.sin(torch.arange(27 * 5, dtype=torch.float64)).view(27, 5)
        return torch.tanh(pooled @ mixing)


@pytest.fixture(scope="session")
def network() -> TinyNetwork:
    return TinyNetwork()


@pytest.fixture(scope="session")
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = torch.randint(0, 200, (60, 3, 12, 12), generator=generator, dtype=torch.uint8)
    real = torch.randint(50, 255, (60, 3, 12, 12), generator=generator, dtype=torch.uint8)
    return made, real


@pytest.fixture(scope="session")
def features() -> tuple[Features, Features]:
    """Of unequal numbers of pictures."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((50, 4)) + 0.3, rng.standard_normal((45, 4)) * 1.2
