"""A distillation of a second."""

from pathlib import Path

import pytest
import yaml

from tests.folders import write_small_pipeline
from tests.nas.synthetic import write_pictures


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distillation of a tiny model with random weights, which predicts v."""
    folder = tmp_path_factory.mktemp("distillation")
    write_small_pipeline(folder / "tiny")
    write_pictures(folder / "pictures", num=8)
    (folder / "captions.txt").write_text("a red circle\na blue square\n", encoding="utf-8")
    values = {
        "model": "tiny",
        "steps": [4, 2],
        "loss": {"cfg_probability": 0.5, "guidance_channels": 8},
        "training": {
            "pictures": "pictures",
            "iterations": 4,
            "batch_size": 4,
            "learning_rate": 0.01,
            "save_every": 2,
            "sample_every": 0,
            "ema_decay": 0.9,
        },
        "samples": {"captions": "captions.txt", "num": 2, "guidance_scale": 2.0},
        "picture_cache": "cache",
    }
    path = folder / "steps.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
