"""A search, its robust training and its resume on a model of SDXL's kind: two text encoders, sizes, three stages."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latency import write_table
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.pipelines.schedulers import make_scheduler
from nas.runs.spec import read_spec
from nas.runs.trace import read_trace
from nas.training.captioned_pictures import encode_pictures
from nas.training.data.readers.metadata import read_folder
from nas.training.denoising import Denoising
from nas.training.loop import Training
from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from search_spaces import space_from_config
from search_spaces.folders.loading import ModelFolderError, load_unet, read_unet_config
from search_spaces.supernet import Supernet
from tests.folders import write_pipeline
from tests.nas.searching import search
from tests.nas.synthetic import small_config, synthetic_table, write_experiment

FREE_BLOCKS = {"cross_attention[down.1,0]", "cross_attention[up.1,1]", "resnet[mid,1]", "resnet[up.2,1]"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("xl") / "sdxl", kind="sdxl", width=16)


@pytest.fixture(scope="module")
def experiment(model: Path) -> Path:
    return write_xl_experiment(model.parent / "experiment", model)


def write_xl_experiment(folder: Path, model: Path, **settings: Any) -> Path:
    space = space_from_config(read_unet_config(model))
    blocks = {str(action)[1:] for action in space.removals(space.base)}
    assert blocks >= FREE_BLOCKS
    config = small_config(protected=sorted(blocks - FREE_BLOCKS), max_rounds=3)
    path = write_experiment(folder, config | {"model": str(model)} | settings)
    write_table(synthetic_table(space), folder / "table.json")
    return path


@pytest.fixture(scope="module")
def run(experiment: Path) -> Path:
    search(experiment, experiment.parent / "run")
    return experiment.parent / "run"


def test_a_search_goes_its_whole_way(run: Path, experiment: Path) -> None:
    architecture, spec = read_spec(run / "architecture.json")
    removed = {action[1:] for action in spec["actions"]}
    assert removed
    assert removed <= FREE_BLOCKS
    assert spec["predicted_latency_ms"] < spec["base_latency_ms"]
    events = read_trace(run / "trace.jsonl")
    assert events[-1]["event"] == "search_finished"
    losses = [event["d_clip"]["mean"] for event in events if event["event"] == "evaluation" and "d_clip" in event]
    assert len(set(losses)) > 2, "blocks are worth different amounts"
    assert len(list((run / "images").iterdir())) >= 2
    assert resolve(load_config(experiment)).space.base != architecture


def test_a_variant_is_searched_where_the_config_asks_for_it(run: Path, tmp_path: Path) -> None:
    model = write_pipeline(tmp_path / "half", kind="sdxl", width=16, dtype=torch.float16, variant="fp16")
    path = write_xl_experiment(tmp_path / "experiment", model, model_variant="fp16")
    experiment = resolve(load_config(path))
    assert experiment.worker.model.variant == "fp16"
    assert experiment.config.identity()["model_variant"] == "fp16"
    found = search(path, tmp_path / "run", overrides=["search.max_rounds=1"])
    assert found.architecture != experiment.space.base
    with pytest.raises(ModelFolderError, match=r"(?s)holds the variant 'fp16'; ask for variant 'fp16'.*unet"):
        resolve(load_config(path, overrides=["model_variant=null"]))


def test_what_no_text_means_belongs_to_the_protocol(experiment: Path, model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(model, tmp_path / "other"))
    index = other / "model_index.json"
    index.write_text(
        index.read_text().replace('"force_zeros_for_empty_prompt": true', '"force_zeros_for_empty_prompt": false')
    )
    digests = [resolve(load_config(experiment, overrides=[f"model={folder}"])).digests for folder in (model, other)]
    assert digests[0]["protocol"] != digests[1]["protocol"]


def test_robust_training_teaches_a_unet_that_is_told_sizes(model: Path, experiment: Path) -> None:
    parts = PipelineParts.load(ModelFolder(model))
    pictures = encode_pictures(read_folder(experiment.parent / "pictures"), parts=parts, size_px=(64, 64))
    assert pictures.captions.time_ids is not None
    assert pictures.captions.time_ids.unique(dim=0).tolist() == [[64, 64, 0, 0, 64, 64]]
    assert not pictures.captions.embeddings[0].any(), "row 0 is no text"
    scheduler = make_scheduler("DDIMScheduler", config=parts.scheduler_config)
    schedule = NoiseSchedule(alphas_cumprod=scheduler.alphas_cumprod, prediction_type="epsilon")
    settings = RobustTrainingSettings(drop_probability=0.1, batch_size=8, learning_rate=2e-3)

    def losses(num_iterations: int) -> list[float]:
        supernet = Supernet(load_unet(model))
        return Training(
            supernet,
            data=pictures,
            objective=Denoising(schedule=schedule),
            strategy=skip_strategy(settings.skipping, space=supernet.space, architecture=supernet.architecture),
            settings=settings,
            num_steps=num_iterations,
            seed=0,
        ).run()

    long = losses(24)
    assert losses(2) == losses(2)
    assert np.mean(long[-6:]) < 0.9 * np.mean(long[:6])
