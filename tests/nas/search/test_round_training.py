"""How a round comes by its weights: what the settings say reaches training, and recovery trains every block."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.algorithms.steps import Job, Recipe
from nas.config.experiment import Experiment, resolve
from nas.config.loading import load_config
from nas.pipelines.model_folder import ModelFolder
from nas.runs.checkpoint import weights_digest
from nas.runs.directory import RunDirectory
from nas.search.round_training import JobTrainer
from nas.training.settings import RobustTrainingSettings
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.supernet import Supernet

# Hardly a block survives a step.
WILD: dict[str, Any] = {"drop_probability": 0.9, "drop_probability_by_stage": {"resnet[mid]": 0.95}}
CALM: dict[str, Any] = {"drop_probability": 0.0, "drop_probability_by_stage": {}}


@pytest.fixture(scope="module")
def resolved(experiment: Path) -> Experiment:
    return resolve(load_config(experiment))


def weights_after(
    resolved: Experiment, settings: RobustTrainingSettings, out: Path, recipe: Recipe, *, protected: Any = ()
) -> str:
    supernet = Supernet(load_unet(PIPELINE_DIR), space=resolved.space)
    run, config = RunDirectory(out), replace(resolved.config, robust_training=settings)
    with run.opened(config.plain()):
        trainer = JobTrainer(
            config,
            protected=frozenset(protected),
            supernet=supernet,
            start=lambda supernet: None,
            run=run,
            model=ModelFolder(PIPELINE_DIR),
        )
        job = Job(architecture=resolved.space.base, recipe=recipe)
        trained = trainer.train(job, round_number=0, on_step=lambda done, total: None)
    assert len(trained.losses) == 2
    return trained.weights_digest


def test_recovery_trains_every_block_whatever_the_chance_to_skip(resolved: Experiment, tmp_path: Path) -> None:
    training = resolved.config.robust_training
    wild, calm = replace(training, **WILD), replace(training, **CALM)
    recovered = [
        weights_after(resolved, settings, tmp_path / f"r{i}", Recipe.RECOVERY)
        for i, settings in enumerate((wild, calm))
    ]
    assert recovered[0] == recovered[1]
    assert weights_after(resolved, wild, tmp_path / "robust", Recipe.ROBUST) != recovered[0]


def test_protected_blocks_are_never_skipped_in_training(resolved: Experiment, tmp_path: Path) -> None:
    training = resolved.config.robust_training
    wild, calm = replace(training, **WILD), replace(training, **CALM)
    everything = resolved.space.block_names
    spared = weights_after(resolved, wild, tmp_path / "spared", Recipe.ROBUST, protected=everything)
    assert spared == weights_after(resolved, calm, tmp_path / "calm", Recipe.ROBUST)


def test_a_job_without_steps_writes_down_the_weights_that_are_there(resolved: Experiment, tmp_path: Path) -> None:
    supernet, run = Supernet(load_unet(PIPELINE_DIR), space=resolved.space), RunDirectory(tmp_path / "run")
    before = weights_digest(supernet.weights())
    with run.opened(resolved.config.plain()):
        trainer = JobTrainer(
            resolved.config,
            protected=frozenset(),
            supernet=supernet,
            start=lambda supernet: None,
            run=run,
            model=ModelFolder(PIPELINE_DIR),
        )
        job = Job(architecture=resolved.space.base, share=0.0)
        trained = trainer.train(job, round_number=0, on_step=lambda done, total: None)
    assert (trained.weights_digest, trained.iterations) == (before, 0)
    assert run.read_weights(0) is not None
