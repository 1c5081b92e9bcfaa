"""What a pipeline's names mean: of the hub the commits of the first call, of files what they hold."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.pipelines.model_folder import ModelFolder
from nas.settings import read
from nas.stages.checking import check_stages
from nas.stages.doing import ready
from nas.stages.outcome import identity
from nas.stages.pins import PINS, Pins
from nas.stages.settings import PipelineSettings, StageKind, StageSettings
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR
from tests.folders import write_pipeline
from tests.nas.training.data.sets import samples, write_coco

FIRST, LATER = "0" * 40, "f" * 40
NAME = "hub:someone/unet"


def push(hub: Path, commit: str) -> None:
    """A commit of the repository, in a cache laid out like the hub's."""
    repository = hub / "models--someone--unet"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "model_index.json").write_text("{}")
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    push(tmp_path / "hub", FIRST)
    return tmp_path / "hub"


def test_a_name_means_the_commit_of_the_first_call(hub: Path, tmp_path: Path) -> None:
    assert Pins(tmp_path).commit(NAME) == f"{NAME}@{FIRST}"
    push(hub, LATER)
    pins = Pins(tmp_path)
    assert pins.commit(NAME) == f"{NAME}@{FIRST}", "whatever was pushed since"
    assert pins.commit(f"{NAME}@main") == f"{NAME}@{LATER}", "a revision that is named is meant"
    assert pins.commit("shapes") == "shapes"
    assert Pins(tmp_path / "elsewhere").commit(NAME) == f"{NAME}@{LATER}"


@pytest.mark.parametrize("kept", [5, "hub:someone/else@0", NAME, f"{NAME}@"])
def test_kept_commits_that_are_none_are_refused(kept: Any, tmp_path: Path) -> None:
    (tmp_path / PINS).write_text(json.dumps({NAME: kept}))
    with pytest.raises(UserError, match=r"pins\.json must say of repositories .*at which commits they are, but says"):
        Pins(tmp_path)


@pytest.mark.parametrize("kind", [StageKind.TRAINING, StageKind.STEPS, StageKind.DECODER, StageKind.EVALUATION])
def test_a_stage_is_keyed_by_the_commits_and_done_with_them(kind: StageKind, hub: Path, tmp_path: Path) -> None:
    configs: dict[StageKind, dict[str, Any]] = {
        StageKind.TRAINING: {"model": NAME, "search": {"start": NAME, "target_ratio": 0.5}, "latency_table": "x",
                             "clip": {"model": "shapes"}, "validation": {"captions": "shapes"}},
        StageKind.STEPS: {"model": NAME, "student": NAME, "teacher": NAME,
                          "training": {"pictures": "x", "iterations": 1}},
        StageKind.DECODER: {"model": NAME, "latents": {"captions": "shapes"}, "training": {"iterations": 1}},
        StageKind.EVALUATION: {"captions": "shapes", "clip": {"model": "shapes"}},
    }  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(configs[kind]))
    models = (NAME,) if kind is StageKind.EVALUATION else ()
    stage = ready(
        StageSettings(config=config, models=models),
        kind=kind,
        folder=tmp_path,
        outcomes={},
        say=print,
        commit=Pins(tmp_path).commit,
    )
    said = json.dumps(stage.values, default=str)
    named = {StageKind.TRAINING: 2, StageKind.STEPS: 3, StageKind.DECODER: 1, StageKind.EVALUATION: 1}[kind]
    assert said.count(f'"{NAME}@{FIRST}"') == named
    assert said.count(NAME) == named + (kind is StageKind.EVALUATION), "a name in tables stays as it was given"


def keyed(values: dict[str, Any]) -> dict[str, Any]:
    return identity("training", values, known={})


@pytest.mark.parametrize("section", [lambda data: {"data": data}, lambda data: data], ids=["training", "evaluation"])
def test_a_caption_json_is_keyed_by_its_pictures_too(section: Any, tmp_path: Path) -> None:
    path = write_coco(tmp_path / "coco", samples(2))

    def of(path: Path, *, images: Path | None) -> dict[str, Any]:
        return keyed({"pictures": str(path), **section({"images": images and str(images)})})

    pictures, moved = tmp_path / "coco" / "val2017", tmp_path / "moved" / "annotations" / path.name
    before = of(path, images=pictures)
    shutil.copytree(tmp_path / "coco", tmp_path / "moved")
    assert of(moved, images=None) == of(moved, images=tmp_path / "moved" / "val2017") == before
    (pictures / "0001.png").write_bytes(b"changed")
    assert of(path, images=pictures) != before
    assert of(path, images=moved.parents[1] / "val2017") == before, "those pictures are meant that are named"


def test_a_model_is_keyed_by_the_weights_that_are_loaded(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "half", kind="bk-sdm", width=8, variant="fp16")
    values = {"model": str(folder), "model_variant": "fp16"}
    before, of_any = keyed(values), keyed({"student": str(folder)})
    weights = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    weights.write_bytes(weights.read_bytes() + b"changed")
    assert keyed(values) != before
    assert keyed({"student": str(folder)}) != of_any


def test_of_a_plugins_settings_all_count() -> None:
    assert keyed({"settings": {"workers": 1, "images": 2}}) != keyed({"settings": {"workers": 2, "images": 2}})
    assert keyed({"settings": {"images": 1}}) != keyed({"settings": {"images": 2}})


def test_stages_of_another_model_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    other = write_pipeline(tmp_path / "tiny", kind="bk-sdm", width=8)
    (tmp_path / "decoder.yaml").write_text("model: tiny\nlatents: {captions: shapes}\ntraining: {iterations: 1}\n")
    decoder = {"config": "decoder.yaml"}

    def check(base: Path, **stages: Any) -> None:
        settings = read(PipelineSettings, {"model": str(base), "stages": stages}, name="pipeline")
        check_stages(
            settings, base=ModelFolder(base), folder=tmp_path, root=tmp_path / "out", pins=Pins(tmp_path / "out")
        )

    law = rf"the stage decoder: its `model` must be the pipeline's, .* but is tiny \({other}\), while .* is"
    with pytest.raises(UserError, match=law):
        check(PIPELINE_DIR, decoder=decoder)
    check(other, decoder=decoder)
    check(shutil.copytree(other, tmp_path / "copy"), decoder=decoder)
    again = {"kind": "decoder", "config": "decoder.yaml", "set": {"model": "@decoder"}}
    check(other, decoder=decoder, again=again)
    with pytest.raises(UserError, match="the stage again: there is no config"):
        check(other, decoder=decoder, again={"kind": "decoder", "config": "absent.yaml"})
