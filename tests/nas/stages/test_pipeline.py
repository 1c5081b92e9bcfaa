"""A pipeline: every stage once, what changed again, a last folder of plain diffusers, a page of what it costs."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from diffusers import StableDiffusionPipeline

from nas.pipelines.model_folder import ModelFolder
from nas.stages.final import write_final
from nas.stages.outcome import RECEIPT, Outcome, identity, read_receipt, write_receipt
from nas.stages.pipeline import PipelineResult, load_pipeline_settings, run_pipeline
from search_spaces.files.durable.places import PlaceError
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError
from search_spaces.shapes import OPEN_CLIP_DIR
from tests.folders import write_pipeline
from tests.nas.synthetic import write_pictures

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, pictures, and the config of a training of one step."""
    folder = tmp_path_factory.mktemp("pipeline")
    write_pipeline(folder / "tiny", kind="bk-sdm", width=8)
    write_pictures(folder / "pictures", num=12)
    (folder / "captions.txt").write_text("a red circle\na blue square\n", encoding="utf-8")
    training = {
        "model": "tiny",
        "clip": {"model": str(OPEN_CLIP_DIR)},
        "latency_table": "nowhere.json",  # training asks for no prices
        "validation": {"captions": "captions.txt", "num_prompts": 2, "chunk_size": 2},
        "sampling": {"num_steps": 1, "scheduler": "DDIMScheduler"},
        "robust_training": {"pictures": "pictures", "iterations": 1, "batch_size": 2, "sample_every": 0},
        "search": {"target_ratio": 0.8},
    }
    (folder / "training.yaml").write_text(yaml.safe_dump(training), encoding="utf-8")
    return folder


ROBUST = {"kind": "training", "config": "training.yaml"}


def written_to(place: Path, *, robust: dict[str, Any] | None = None, guidance: float = 1.0, **more: Any) -> Path:
    """A pipeline of a training and its evaluation."""
    evaluation = {
        "models": ["@robust"],
        "set": {
            "clip.model": str(OPEN_CLIP_DIR),
            "captions": "./captions.txt",
            "steps": [1],
            "guidance": [guidance],
            "baselines": False,
        },
    }
    training = {"kind": "training", "config": "training.yaml", "set": robust or {}}
    values = {
        "model": "tiny",
        "stages": {"robust": training, "evaluation": evaluation},
        "final": {"num_steps": 2, "guidance_scale": 1.0},
        "report": {"num_steps": 4, "max_rounds": 2},
        **more,
    }
    path = place / "pipeline.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def write(place: Path) -> Write:
    return partial(written_to, place)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


def run(config: Path, out: Path) -> PipelineResult:
    return run_pipeline(config, out=out, on_line=lambda line: None)


def new(result: PipelineResult) -> list[str]:
    return [name for name, outcome in result.outcomes.items() if outcome.is_new]


@pytest.fixture(scope="module")
def result(place: Path, out: Path) -> PipelineResult:
    """Of the first run."""
    return run(written_to(place), out)


def test_an_unchanged_stage_is_never_done_twice(write: Write, out: Path, place: Path, result: PipelineResult) -> None:
    assert new(result) == ["robust", "evaluation"]
    assert new(run(write(), out)) == []
    shutil.copytree(place / "pictures", place / "elsewhere")
    moved = write(robust={"robust_training.pictures": "./elsewhere"}, guidance=2.0)
    assert new(run(moved, out)) == ["evaluation"], "content counts, not places"
    assert new(run(write(robust={"robust_training.learning_rate": 1e-3}), out)) == ["robust", "evaluation"]


def test_what_a_stage_gave_must_be_there_as_it_was(write: Write, out: Path) -> None:
    before = run(write(), out).outcomes["robust"]
    weights = next((before.folder / "unet").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"must be what its stage gave, but was changed since: restore it, or remove"):
        run(write(), out)
    shutil.rmtree(before.directory / "run")  # whoever finds it damaged takes it away
    after = run(write(), out).outcomes["robust"]
    assert after.is_new
    assert after.digest == before.digest, "the same stage gives the same weights"


def test_the_last_folder_is_one_of_plain_diffusers(result: PipelineResult) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(result.folder)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline("a red circle", num_inference_steps=result.num_steps, guidance_scale=1.0).images[0].size == (64, 64)
    assert "num_inference_steps=2" in (result.folder / "README.md").read_text(encoding="utf-8")


def test_the_report_says_what_a_picture_costs(result: PipelineResult) -> None:
    before, after = result.times["before"], result.times["after"]
    assert (before.num_steps, after.num_steps) == (4, 2)
    assert before.num_params == after.num_params
    parts = (after.times[part].median_ms for part in ("text encoder", "decoder"))
    assert after.total_ms == pytest.approx(sum(parts) + 2 * after.times["UNet step"].median_ms)
    page = result.report.read_text(encoding="utf-8")
    assert "| steps | | | 4 | 2 | 2.00 |" in page
    assert "| robust | DDIMScheduler | 1 | 1 | 1 |" in page
    assert "(evaluation.svg)" in page
    assert read_json_object(result.report.with_suffix(".json"))["times"]["after"]["num_steps"] == 2


def test_a_pipeline_that_is_stopped_keeps_what_is_done(write: Write, out: Path, result: PipelineResult) -> None:
    lines = list[str]()

    def stop(line: str) -> None:
        lines.append(line)
        if line.startswith("stage 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pipeline(write(), out=out, on_line=stop)
    assert lines[1].strip().startswith("done before")
    with pytest.raises(UserError, match="the stage evaluation: "):  # the lock is free again
        run(write(stages={"evaluation": {"models": ["tiny"], "set": {"steps": [0]}}}), out)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        (
            {"stages": {"student": {"config": "x.yaml"}}},
            "the stage student must say its `kind`: search, training, steps",
        ),
        ({"stages": {"search": {"set": {"search.start": "@student"}}}}, "takes @student, but before it stand none"),
        ({"stages": {"search": {"config": "no.yaml"}}, "final": {"unet": "@robust"}}, "`final` takes @robust, but the"),
        ({"stages": {}}, "stages: must"),
        ({"stages": {"Final": ROBUST}}, "no stage may be named Final"),
        ({"stages": {"robust": ROBUST, "evaluation": {"models": ["@robust:rum"]}}}, "no 'rum' of a stage; say @robust"),
        ({"stages": {"robust": {**ROBUST, "set": {"a": {"b": ["@nobody"]}}}}}, "takes @nobody, but before it stand no"),
        ({"final": {"unet": "@evaluation"}}, "`final` takes @evaluation, but an evaluation gives no model"),
        ({"final": {"decoder": "@robust:run"}}, "`final` takes @robust:run, but there is no 'run' of a stage"),
        ({"modell": "tiny"}, "modell: there is no such setting"),
    ],
)
def test_a_pipeline_that_does_not_hold_together_is_refused(changes: dict[str, Any], law: str, write: Write) -> None:
    with pytest.raises(UserError, match=law):
        load_pipeline_settings(write(**changes))


def test_the_stage_that_is_wrong_is_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the stage search: there is no config .*/no\.yaml"):
        run(write(stages={"search": {"config": "no.yaml"}}), tmp_path)


def test_an_identity_holds_content_in_place_of_paths(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    for path in (one, other):
        path.write_text("same")

    def of(path: Path, **more: Any) -> dict[str, Any]:
        return identity("steps", {"captions": str(path), "workers": {"num_workers": 2}, **more}, known={"/x": "found"})

    assert of(one) == of(other)
    assert of(one, student="/x")["settings"]["student"] == "found"
    other.write_text("changed")
    assert of(one) != of(other)


def test_an_identity_holds_the_content_of_all_files_that_a_pattern_means(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.tar").write_text("same")
    for pattern in ("*.tar", "{0..1}.tar"):
        values = {"pictures": str(tmp_path / pattern)}
        before = identity("training", values, known={})
        (tmp_path / "1.tar").write_text(f"changed under {pattern}")
        assert identity("training", values, known={}) != before


def test_a_folder_of_other_things_is_left_alone(write: Write, tmp_path: Path) -> None:
    mine = tmp_path / "final" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years")
    with pytest.raises(PlaceError, match=r"must be empty or the folder of a pipeline, .*'final'.*another --out"):
        run(write(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["final"]
    assert mine.read_text() == "years"


@pytest.mark.parametrize(
    "changes", [{"seconds": "abc"}, {"folder": 3}, {"num_steps": "8"}, {"digest": None}, {"folder": "/"}]
)
def test_a_receipt_that_is_none_means_that_the_stage_is_done_again(changes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "curves.json").write_text("{}")
    write_receipt(tmp_path, folder=tmp_path, num_steps=None, what={}, began=0.0)
    assert read_receipt(tmp_path) is not None
    (tmp_path / RECEIPT).write_text(json.dumps(read_json_object(tmp_path / RECEIPT) | changes))
    assert read_receipt(tmp_path) is None


def test_a_decoder_of_other_latents_never_stands_beside_the_unet(place: Path, write: Write, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(place / "tiny", other)
    config = other / "vae" / "config.json"
    config.write_text(json.dumps(read_json_object(config) | {"scaling_factor": 0.5}))
    given: dict[str, Any] = {"directory": tmp_path, "digest": "", "num_steps": None, "seconds": 0.0, "is_new": True}
    outcomes = {"robust": Outcome(folder=place / "tiny", **given), "decoder": Outcome(folder=other, **given)}
    stages = {"robust": ROBUST, "decoder": {"config": "decoder.yaml"}}
    settings = load_pipeline_settings(write(stages=stages))
    with pytest.raises(UserError, match=r"made for others: `scaling_factor` 0.5 instead of 0.18215; distil"):
        write_final(settings, outcomes, base=ModelFolder(place / "tiny"), out=tmp_path)
    assert not (tmp_path / "final").exists()
