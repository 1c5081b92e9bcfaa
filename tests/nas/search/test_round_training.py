"""How a round comes by its weights: what the settings say reaches training, and recovery trains every block."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.config.experiment import Experiment, resolve
from nas.config.loading import load_config
from nas.runs.directory import RunDirectory
from nas.search.round_training import RoundTrainer
from nas.training.robust import RobustTrainingSettings
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.supernet import Supernet

# Hardly a block survives a step.
WILD: dict[str, Any] = {"drop_probability": 0.9, "drop_probability_by_stage": {"resnet[mid]": 0.95}}
CALM: dict[str, Any] = {"drop_probability": 0.0, "drop_probability_by_stage": {}}


@pytest.fixture(scope="module")
def resolved(experiment: Path) -> Experiment:
    return resolve(load_config(experiment))


def weights_after(resolved: Experiment, settings: RobustTrainingSettings, out: Path, *, recovering: bool) -> str:
    supernet = Supernet(load_unet(PIPELINE_DIR), space=resolved.space)
    run = RunDirectory(out)
    with run.opened(resolved.config.identity()):
        trainer = RoundTrainer(resolved.config, settings=settings, supernet=supernet, run=run)
        trained = trainer.train(
            0, architecture=resolved.space.base, recovering=recovering, on_step=lambda done, total: None
        )
    assert len(trained.losses) == 2
    return trained.weights_digest


def test_recovery_trains_every_block_whatever_the_chance_to_skip(resolved: Experiment, tmp_path: Path) -> None:
    wild, calm = replace(resolved.training, **WILD), replace(resolved.training, **CALM)
    recovered = [
        weights_after(resolved, each, tmp_path / f"r{i}", recovering=True) for i, each in enumerate((wild, calm))
    ]
    assert recovered[0] == recovered[1]
    assert weights_after(resolved, wild, tmp_path / "robust", recovering=False) != recovered[0]


def test_blocks_that_the_search_protects_are_protected_in_training(resolved: Experiment) -> None:
    assert resolved.training.protected == frozenset(resolved.config.search.protected)
