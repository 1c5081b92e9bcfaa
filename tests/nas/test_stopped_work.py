"""What searches and trains for hours, its power cut or out of disk at its steps: nothing is half, and it goes on."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

import nas
import nas.search.staff
from experiments.benchmarks.search_at_size import InstantPool
from nas.config.loading import load_config
from nas.sweeps.devices import search_devices
from nas.sweeps.rerank import rerank
from nas.workers.worker import WorkerSpec
from search_spaces.files.durable.writing import put_copy
from tests.folders import write_small_pipeline
from tests.nas.searching import search
from tests.nas.stopping import Write, Writing, seen_standing
from tests.nas.synthetic import write_experiment


def instant_pool(spec: WorkerSpec, /, **_: object) -> InstantPool:
    """Workers that make up scores at once: what is tried is what a search writes."""
    return InstantPool(spec)


INSTANT = patch.object(nas.search.staff, "make_pool", instant_pool)
NO_TRAINING = ("robust_training.iterations=0", "robust_training.recovery_iterations=0")


def experiment(folder: Path) -> Path:
    """A small search, made once, with a second device."""
    path = folder / "experiment" / "experiment.yaml"
    if not path.is_file():
        write_experiment(path.parent)
        put_copy(path.with_name("table.json"), path.with_name("other.json"))
    return path


@INSTANT
def search_for_devices(place: Path, version: int, *, only_begin: bool = False) -> None:
    """What `nas search` does with `search.devices`."""
    path = experiment(place.parents[1])
    place.mkdir(parents=True, exist_ok=True)
    if version:
        config = load_config(path, overrides=[*NO_TRAINING, f"search.devices=[{path.with_name('other.json')}]"])
        with suppress(KeyboardInterrupt):
            search_devices(config, out=place, on_device=interrupt if only_begin else lambda *_: None)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def begin_devices(place: Path, version: int) -> None:
    """What stands before the search for the first device begins."""
    search_for_devices(place, version, only_begin=True)


@INSTANT
def rank_again(place: Path, version: int) -> None:
    """What `nas rerank` does."""
    run = place.parents[1] / "run"
    if not run.is_dir():
        search(experiment(run.parent), run, overrides=NO_TRAINING)
    place.mkdir(parents=True, exist_ok=True)
    if version:
        rerank(run, out=place, num_finalists=2, lengths=(0.0, 1.0), steps=1)


def distil_a_decoder(place: Path, version: int) -> None:
    """What `nas distill decoder` does."""
    folder = place.parents[1] / "distillation"
    if not folder.is_dir():
        write_small_pipeline(folder / "tiny")
        (folder / "captions.txt").write_text("a red circle\n", encoding="utf-8")
    place.mkdir(parents=True, exist_ok=True)
    if version:
        config: Mapping[str, Any] = {
            "model": "tiny",
            "latents": {"captions": "captions.txt", "num": 2, "num_held_out": 2, "chunk_size": 2},
            "sampling": {"num_steps": 1, "guidance_scale": 1.0},
            "training": {"iterations": 2, "batch_size": 2, "save_every": 1, "sample_every": 2},
        }
        (folder / "decoder.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        nas.distill_decoder(folder / "decoder.yaml", out=place, on_news=lambda news: None)


WORK: dict[Write, Writing] = {
    begin_devices: Writing(name="devices-folder", by_file=True),
    search_for_devices: Writing(
        name="devices-folder", every=101, by_file=True, wholes=("*/checkpoints/*",), grows=True
    ),
    rank_again: Writing(name="ranked-again", every=61, by_file=True, wholes=("checkpoints/*",), grows=True),
    distil_a_decoder: Writing(
        name="distilled", every=13, by_file=True, wholes=("pipeline",), grows=True,
        passing=("state.safetensors",), dated=("trained.json", "pipeline/README.md"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_stopped_at_a_step_nothing_is_half_and_a_second_call_ends_as_undisturbed(work: Write, tmp_path: Path) -> None:
    assert seen_standing(work, WORK[work], tmp_path) == {"the old", "more"}
