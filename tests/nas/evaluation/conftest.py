"""Scores are tried on the small model, whose pictures cost little."""

from pathlib import Path

import pytest
from diffusers import UNet2DConditionModel

from search_spaces.folders.loading import load_unet


@pytest.fixture(scope="session")
def unet(model: Path) -> UNet2DConditionModel:
    return load_unet(model).requires_grad_(False)
