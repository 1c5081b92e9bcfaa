"""How a job comes by its weights: what the settings say reaches training, and recovery trains every block."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.algorithms.steps import Job, Recipe
from nas.config.experiment import Experiment
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.checkpoints.weights import CheckpointWarning
from nas.runs.directory import RunDirectory
from nas.search.round_training import TrainedJob
from nas.search.staff import staffed
from search_spaces.files.strict_yaml import dumped

# Hardly a block survives a step.
WILD: dict[str, Any] = {"drop_probability": 0.9, "drop_probability_by_stage": {"resnet[mid]": 0.95}}
CALM: dict[str, Any] = {"drop_probability": 0.0, "drop_probability_by_stage": {}}


@pytest.fixture(scope="module")
def resolved(experiment: Path) -> Experiment:
    return resolve(load_config(experiment))


def trained(
    resolved: Experiment,
    out: Path,
    *,
    recipe: Recipe,
    share: float = 1.0,
    protected: frozenset[str],
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_losses: Callable[[int, tuple[float, ...]], None] = lambda first, losses: None,
    **settings: object,
) -> TrainedJob:
    """What the staff of a search makes of one job, with other settings of robust training."""
    training = replace(resolved.config.robust_training, **settings)  # type: ignore[arg-type]
    config = replace(resolved.config, robust_training=training)
    experiment = replace(resolved, config=config, problem=replace(resolved.problem, protected=protected))
    run = RunDirectory(out)
    job = Job(architecture=resolved.space.base, recipe=recipe, share=share)
    with (
        run.opened(config.plain()),
        staffed(experiment, run=run, log_folder=None, on_start=lambda ready, num: None) as (_, trainer),
    ):
        return trainer.train(job, round_number=0, on_step=on_step, on_losses=on_losses)


def test_recovery_trains_every_block_whatever_the_chance_to_skip(resolved: Experiment, tmp_path: Path) -> None:
    none = frozenset[str]()
    recovered = [
        trained(resolved, tmp_path / f"r{i}", recipe=Recipe.RECOVERY, protected=none, **each)
        for i, each in enumerate((WILD, CALM))
    ]
    assert [len(one.losses) for one in recovered] == [2, 2]
    assert recovered[0].weights_digest == recovered[1].weights_digest
    robust = trained(resolved, tmp_path / "robust", recipe=Recipe.ROBUST, protected=none, **WILD)
    assert len(robust.losses) == 2
    assert robust.weights_digest != recovered[0].weights_digest


def test_blocks_that_the_search_protects_are_protected_in_training(resolved: Experiment, tmp_path: Path) -> None:
    everything = resolved.space.block_names
    wild, calm = (
        trained(resolved, tmp_path / f"r{i}", recipe=Recipe.ROBUST, protected=everything, **each)
        for i, each in enumerate((WILD, CALM))
    )
    assert wild == calm


def test_a_job_takes_its_share_of_the_steps(resolved: Experiment, tmp_path: Path) -> None:
    half = trained(resolved, tmp_path, recipe=Recipe.ROBUST, share=0.5, protected=frozenset())
    assert half.iterations == len(half.losses) == 1


def test_a_killed_training_goes_on_from_its_state(resolved: Experiment, tmp_path: Path) -> None:
    """As uninterrupted: weights, losses, lines; and the state goes when the weights stand."""
    told, lines = list[int](), dict[int, tuple[float, ...]]()

    def kill(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    def job(out: Path, **how: Any) -> TrainedJob:
        return trained(
            resolved, out, recipe=Recipe.ROBUST, protected=frozenset(), iterations=3, save_every=1, ema_decay=0.9, **how
        )

    whole = job(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        job(tmp_path / "killed", on_step=kill)
    state = tmp_path / "killed" / "training" / "round-000.safetensors"
    assert state.is_file()
    again = job(
        tmp_path / "killed",
        on_step=lambda done, total: told.append(done),
        on_losses=lambda first, losses: lines.update({first: losses}),
    )
    assert told == [3], "the first two steps are not done again"
    assert again == whole
    assert lines == {0: tuple(whole.losses)}, "the line that was not full is written anew"
    assert not state.exists()


def test_a_damaged_state_is_set_aside_loudly_and_the_training_begun_anew(resolved: Experiment, tmp_path: Path) -> None:
    state = tmp_path / "training" / "round-000.safetensors"
    state.parent.mkdir()
    state.write_bytes(b"half of a state")
    (tmp_path / "config.yaml").write_text(dumped(resolved.config.plain()), encoding="utf-8")
    with pytest.warns(CheckpointWarning, match=r"round-000\.safetensors is damaged"):
        done = trained(resolved, tmp_path, recipe=Recipe.ROBUST, protected=frozenset())
    assert len(done.losses) == 2


def test_what_is_not_trained_is_written_nowhere(resolved: Experiment, tmp_path: Path) -> None:
    done = trained(resolved, tmp_path, recipe=Recipe.ROBUST, protected=frozenset(), iterations=0)
    assert not (tmp_path / "weights").exists()
    found = RunDirectory(tmp_path).weights.checkpoint(0)
    assert found is not None
    assert (found.digest, found.is_stored, found.origin["parent"]) == (done.weights_digest, False, "")
