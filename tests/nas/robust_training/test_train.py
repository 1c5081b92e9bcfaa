"""`nas train`: a directory that goes on to the very same weights, whoever trains and whoever is killed."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from latency.exporters.extras import MissingExtraError
from nas.cli.app import app
from nas.config.loading import load_config
from nas.launching.checking import num_devices
from nas.launching.directory import TrainingDirectoryError
from nas.launching.news import Begun, Drawn, News
from nas.launching.on_this_machine import WorkerLostError
from nas.pipelines.source import find_model
from nas.robust_training.job import find_job
from nas.robust_training.train import run_training, train
from nas.runs.records.lines import Losses
from nas.runs.records.reading import read_records
from nas.scores.captions import CaptionWarning
from nas.training.loop import StepDone, TrainingError
from nas.training.state import StateError, read_state
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED
from tests import warm  # noqa: F401  processes begin warm
from tests.folders import write_pipeline
from tests.nas.synthetic import write_pictures

TOLERANCE = 1e-5  # of weights that two processes train, and one in two parts: sums in another order
TOGETHER = ("robust_training.workers.num_workers=2",)
ON_RAY = (*TOGETHER, "robust_training.workers.address=local")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment on a tiny model with random weights."""
    folder = tmp_path_factory.mktemp("training")
    write_pipeline(folder / "tiny", kind="bk-sdm", width=8)
    write_pictures(folder / "pictures", num=8)
    (folder / "captions.txt").write_text("a red circle\na blue square\n", encoding="utf-8")
    values = {
        "model": "tiny",
        "seed": 1,
        "clip": {"model": "shapes"},
        "latency_table": "nowhere.json",  # training asks for no prices
        "validation": {"captions": "captions.txt", "num_prompts": 2, "chunk_size": 2},
        "sampling": {"num_steps": 1, "scheduler": "DDIMScheduler"},
        "robust_training": {
            "pictures": "pictures",
            "iterations": 5,
            "batch_size": 4,
            "save_every": 2,
            "sample_every": 0,
            "drop_probability": 0.2,
            "ema_decay": 0.9,
        },
        "picture_cache": "cache",
        "search": {"target_ratio": 0.8},
    }
    searched = shutil.copytree(folder / "tiny", folder / "searched") / "unet" / "config.json"
    searched.write_text(json.dumps(json.loads(searched.read_text()) | {"_class_name": SEARCHED}))
    broken = shutil.copytree(folder / "pictures", folder / "broken")
    for picture in broken.glob("*.png"):
        picture.write_bytes(b"no picture")
    space = space_from_config(find_model(folder / "tiny").unet_config())
    (wanted, *_) = (each for each in space.removals(space.base) if str(each).startswith("-cross_attention[up"))
    (folder / "wanted.json").write_text(wanted.apply(space.base).to_json())
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def trained(
    config: Path, out: Path, *overrides: str, listen: Callable[[News], None] = lambda news: None, **options: Any
) -> bool:
    job = find_job(load_config(config, overrides=overrides), out, **options)
    return train(job, listen=listen)


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "pipeline" / "unet" / "diffusion_pytorch_model.safetensors")


def losses(out: Path) -> list[float]:
    return [loss for row in read_records(out, Losses).rows for loss in row["losses"]]


def same(one: Path, other: Path) -> None:
    assert losses(one) == losses(other)
    theirs = weights(other)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in weights(one).items())


def interrupted_after(step: int) -> Callable[[News], None]:
    """Ctrl-C as soon as a step is heard of."""

    def listen(news: News) -> None:
        if isinstance(news, StepDone) and news.step == step:
            signal.raise_signal(signal.SIGINT)

    return listen


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody disturbed."""
    out = tmp_path_factory.mktemp("trained") / "whole"
    assert run_training(config, out=out) == out / "pipeline"
    return out


@pytest.fixture(scope="module")
def together(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same by two processes that meet by gloo."""
    out = tmp_path_factory.mktemp("trained") / "together"
    assert trained(config, out, *TOGETHER)
    return out


# -------------------------------------------------------------------------------------------------------- one process
def test_the_model_opens_everywhere_and_has_other_weights(config: Path, whole: Path) -> None:
    model = find_model(whole / "pipeline")
    base = find_model(config.parent / "tiny")
    assert space_from_config(model.unet_config()).base == space_from_config(base.unet_config()).base
    pipeline = StableDiffusionPipeline.from_pretrained(whole / "pipeline", use_safetensors=True)
    before = base.load_unet().state_dict()
    assert any(not torch.equal(each, before[name]) for name, each in pipeline.unet.state_dict().items())
    assert {path.name for path in whole.iterdir()} == {"pipeline", "trained.json", "training.jsonl", "training.yaml"}
    assert json.loads((whole / "trained.json").read_text())["last_loss"] == losses(whole)[-1]


def test_it_starts_with_the_weights_that_its_start_came_with(config: Path, whole: Path, tmp_path: Path) -> None:
    """A step that moves nothing gives back what was trained before."""
    still = (
        "robust_training.iterations=1",
        "robust_training.learning_rate=1e-12",
        f"search.start={whole / 'pipeline'}",
    )
    assert trained(config, tmp_path / "out", *still)
    before = weights(whole)
    for name, tensor in weights(tmp_path / "out").items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=1e-7)


def test_a_start_of_fewer_blocks_trains_these_alone(config: Path, tmp_path: Path) -> None:
    out, start = tmp_path / "out", f"search.start={config.parent / 'wanted.json'}"
    assert not trained(config, out, start, listen=interrupted_after(1))
    learned = {name.removeprefix("weights/") for name in load_file(out / "state.safetensors") if "weights/" in name}
    assert trained(config, out, start)
    assert learned == {*weights(out)}


def test_a_finished_training_is_left_alone_and_another_one_refused(config: Path, whole: Path, tmp_path: Path) -> None:
    news: list[News] = []
    before = (whole / "trained.json").stat().st_mtime_ns
    assert trained(config, whole, "robust_training.save_every=1", listen=news.append)
    assert news == []
    assert (whole / "trained.json").stat().st_mtime_ns == before
    with pytest.raises(TrainingDirectoryError, match=r"another training:[\s\S]*\+ +learning_rate: 0.5"):
        trained(config, whole, "robust_training.learning_rate=0.5")
    other = write_pipeline(tmp_path / "other", kind="bk-sdm", width=8, seed=1)
    with pytest.raises(TrainingDirectoryError, match=r"other content .* stands at `model` "):
        trained(config, whole, f"model={other}")  # of the very same settings, but for where it stands
    with pytest.raises(TrainingDirectoryError, match="not the directory of a training"):
        trained(config, config.parent)


def test_pictures_that_changed_since_are_noticed(config: Path, whole: Path, tmp_path: Path) -> None:
    """Done or not: the rule of a search, which goes on with what it began with, wherever that stands now."""
    out, moved = tmp_path / "out", shutil.copytree(config.parent / "pictures", tmp_path / "pictures")
    shutil.copytree(whole, out)
    elsewhere = f"robust_training.pictures={moved}"
    assert trained(config, out, elsewhere)
    (moved / "one_more.png").write_bytes(b"")
    with pytest.raises(TrainingDirectoryError, match=r"other content .* stands at `robust_training\.pictures` "):
        trained(config, out, elsewhere)
    settings = yaml.safe_load((out / "training.yaml").read_text())
    del settings["contents"]
    (out / "training.yaml").write_text(yaml.safe_dump(settings))
    assert trained(config, out, elsewhere), "earlier versions did not write what they read"


def test_ctrl_c_ends_the_step_and_the_same_command_goes_on_to_the_same_weights(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    out, news = tmp_path / "out", list[News]()
    with pytest.raises(KeyboardInterrupt):
        run_training(config, out=out, on_news=interrupted_after(3))
    assert len(losses(out)) == 3
    assert (out / "state.safetensors").exists()
    assert trained(config, out, listen=news.append)
    assert [each.num_done for each in news if isinstance(each, Begun)] == [3]
    same(out, whole)


def test_a_state_of_another_model_is_refused_and_kept(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not trained(config, out, listen=interrupted_after(2))
    with pytest.raises(StateError, match=r"seed \(it is of 1000, "):  # what seeds 0 and 2 are to a search's rounds
        read_state(out / "state.safetensors", identity={"seed": ""})
    write_pipeline(tmp_path / "other", kind="bk-sdm", width=8, seed=1)
    with pytest.raises(TrainingDirectoryError, match="other content than the run was made with stands at `model`"):
        trained(config, out, f"model={tmp_path / 'other'}")
    told = out / "training.yaml"  # as earlier versions wrote it
    known = {k: v for k, v in yaml.safe_load(told.read_text()).items() if k not in ("origin", "contents")}
    told.write_text(yaml.safe_dump(known))
    with pytest.raises(StateError, match="differs in model"):
        trained(config, out, f"model={tmp_path / 'other'}")
    assert (out / "state.safetensors").exists()


def test_pictures_of_the_same_prompts_and_events_are_written_on_the_way(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    out, news = tmp_path / "out", list[News]()
    assert trained(config, out, "robust_training.sample_every=2", listen=news.append, tensorboard=True)
    sheets = [each.path for each in news if isinstance(each, Drawn)]
    assert [sheet.name for sheet in sheets] == [f"step-{step:06d}.png" for step in (0, 2, 4, 5)]
    assert all(sheet.is_file() for sheet in sheets)
    assert [file.stat().st_size > 1000 for file in (out / "tensorboard").iterdir()] == [True]
    same(out, whole)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["robust_training.iterations=0"], "robust_training.iterations=1000"),
        (["robust_training.workers.num_workers=3"], "`batch_size` must be a multiple of the 3 processes"),
        (["robust_training.workers.num_workers=4096", "robust_training.batch_size=4096"], "must be at most the"),
        (["robust_training.workers={address: auto, gpus_per_worker: 1}"], "workers train on cpu"),
        (["robust_training.workers={address: auto}", "robust_training.device=cuda"], "hides GPUs from workers"),
        (["robust_training.drop_probability_by_kind={conv: 0.1}"], "names kinds that the model does not have"),
        (["search.protected=[up.9]"], "`protected` names blocks that the model does not have"),
        (["model=FOLDER/searched"], "must be a base model, but .* holds a searched UNet"),
        (["robust_training.pictures=FOLDER/broken"], "8 of 8 pictures cannot be read"),
        (["search.space=stock", "search.start=FOLDER/wanted.json"], "no stock diffusers config builds this"),
        (["robust_training.pictures=."], "metadata"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_written(
    config: Path, tmp_path: Path, overrides: Sequence[str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        trained(config, tmp_path / "out", *(each.replace("FOLDER", str(config.parent)) for each in overrides))
    assert not (tmp_path / "out").exists()


def test_what_is_asked_for_and_not_installed_is_told_before_anything_is_written(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"snapfusion-nas\[tensorboard\]"):
        find_job(load_config(config), tmp_path / "out", tensorboard=True)


def test_pictures_are_kept_in_the_directory_where_no_place_is_named_for_them(config: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    write_pictures(pictures, num=4)
    told = (pictures / "metadata.jsonl").read_text()
    (pictures / "metadata.jsonl").write_text(told.replace('"text": "', f'"text": "{"a circle and " * 60}', 1))
    overrides = ["picture_cache=null", f"robust_training.pictures={pictures}"]
    with pytest.warns(CaptionWarning, match="1 of 4 training captions are longer"):
        job = find_job(load_config(config, overrides=overrides), tmp_path / "out")
    assert (job.pictures, job.tensorboard) == (tmp_path / "out" / "pictures", False)
    assert find_job(load_config(config), tmp_path / "out").pictures == config.parent / "cache"


def test_the_command_says_where_it_stands_and_where_the_model_is(config: Path, tmp_path: Path) -> None:
    words = ["train", str(config), "robust_training.iterations=2", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "step 2 of 2: loss " in done.output
    assert "pictures/s" in done.output
    assert f"the model is {tmp_path / 'out' / 'pipeline'}" in done.output
    assert "nothing is left to do" in CliRunner().invoke(app, words).output


# -------------------------------------------------------------------------------------------------- several processes
def test_two_processes_do_what_one_does_in_two_parts(config: Path, together: Path, tmp_path: Path) -> None:
    assert trained(config, tmp_path / "parts", "robust_training.gradient_accumulation=2")
    np.testing.assert_allclose(losses(together), losses(tmp_path / "parts"), rtol=1e-5)
    theirs = weights(tmp_path / "parts")
    for name, tensor in weights(together).items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=TOLERANCE)


def test_nonsense_ends_all_processes_and_names_the_pictures_of_all(config: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="stopped in step 1 of 5") as caught:
        trained(config, tmp_path / "out", *TOGETHER, "robust_training.max_loss=0.001")
    assert str(caught.value).count(".png") == 4


def test_two_processes_go_on_after_one_was_killed(config: Path, together: Path, tmp_path: Path) -> None:
    out, first = tmp_path / "out", list[Begun]()

    def kill(news: News) -> None:
        if isinstance(news, Begun):
            first.append(news)
        if isinstance(news, StepDone) and news.step == 3:
            os.kill(first[0].process, signal.SIGKILL)

    with pytest.raises(WorkerLostError, match="goes on from the last state"):
        trained(config, out, *TOGETHER, listen=kill)
    assert trained(config, out, *TOGETHER)
    same(out, together)


@pytest.mark.filterwarnings("ignore:.*is deprecated.*:DeprecationWarning")  # Ray's, of its own defaults
def test_ray_train_replaces_a_killed_worker_and_comes_to_the_same_weights(
    config: Path, together: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray.train")
    out, begun = tmp_path / "out", list[Begun]()

    def kill(news: News) -> None:
        if isinstance(news, Begun):
            begun.append(news)
        if isinstance(news, StepDone) and news.step == 3 and len(begun) == 1:
            os.kill(begun[0].process, signal.SIGKILL)

    assert trained(config, out, *ON_RAY, listen=kill)
    assert [each.num_done for each in begun] in ([0, 2], [0, 4]), "it may have come further before it was killed"
    same(out, together)


def test_there_is_a_processor_to_train_on() -> None:
    assert num_devices("cpu") >= 1
