"""A pipeline: every stage once, what changed again, a last folder of plain diffusers, a page of what it costs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from diffusers import StableDiffusionPipeline

from nas.stages.outcome import identity
from nas.stages.pipeline import PipelineResult, load_pipeline_settings, run_pipeline
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


@pytest.fixture
def write(place: Path) -> Write:
    def written(*, robust: dict[str, Any] | None = None, guidance: float = 1.0, **more: Any) -> Path:
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
        stages = {
            "robust": {"kind": "training", "config": "training.yaml", "set": robust or {}},
            "evaluation": evaluation,
        }
        values = {
            "model": "tiny",
            "stages": stages,
            "final": {"num_steps": 2, "guidance_scale": 1.0},
            "report": {"num_steps": 4, "max_rounds": 2},
            **more,
        }
        path = place / "pipeline.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return path

    return written


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


def run(config: Path, out: Path) -> PipelineResult:
    return run_pipeline(config, out=out, on_line=lambda line: None)


def new(result: PipelineResult) -> list[str]:
    return [name for name, outcome in result.outcomes.items() if outcome.is_new]


def test_an_unchanged_stage_is_never_done_twice(write: Write, out: Path, place: Path) -> None:
    first = run(write(), out)
    assert new(first) == ["robust", "evaluation"]
    assert new(run(write(), out)) == []
    assert new(run(write(guidance=2.0), out)) == ["evaluation"]
    assert new(run(write(), out)) == [], "what was done before a change is there still"
    copy = place / "elsewhere"
    shutil.copytree(place / "pictures", copy)
    assert new(run(write(robust={"robust_training.pictures": "./elsewhere"}), out)) == [], "content counts, not places"
    assert new(run(write(robust={"robust_training.learning_rate": 1e-3}), out)) == ["robust", "evaluation"]


def test_what_a_stage_gave_must_be_there_as_it_was(write: Write, out: Path) -> None:
    before = run(write(), out).outcomes["robust"]
    weights = next((before.folder / "unet").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    shutil.rmtree(before.directory / "run")  # whoever finds it damaged takes it away
    after = run(write(), out).outcomes["robust"]
    assert after.is_new
    assert after.digest == before.digest, "the same stage gives the same weights"


def test_the_last_folder_is_one_of_plain_diffusers(write: Write, out: Path) -> None:
    result = run(write(), out)
    pipeline = StableDiffusionPipeline.from_pretrained(result.folder)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline("a red circle", num_inference_steps=result.num_steps, guidance_scale=1.0).images[0].size == (64, 64)
    assert "num_inference_steps=2" in (result.folder / "README.md").read_text(encoding="utf-8")


def test_the_report_says_what_a_picture_costs(write: Write, out: Path) -> None:
    result = run(write(), out)
    before, after = result.times["before"], result.times["after"]
    assert (before.num_steps, after.num_steps) == (4, 2)
    assert before.num_params == after.num_params
    parts = (after.times[part].median_ms for part in ("text encoder", "decoder"))
    assert after.total_ms == pytest.approx(sum(parts) + 2 * after.times["UNet step"].median_ms)
    page = result.report.read_text(encoding="utf-8")
    assert "| steps | | | 4 | 2 | 2.00 |" in page
    assert "| robust | DDIMScheduler | 1 | 1 | 1 |" in page or "| pipeline | DDIMScheduler | 1 | 1 | 1 |" in page
    assert "(evaluation.svg)" in page
    assert read_json_object(result.report.with_suffix(".json"))["times"]["after"]["total_ms"] == after.total_ms


def test_a_pipeline_that_was_stopped_goes_on_after_what_is_done(write: Write, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("stage 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pipeline(write(), out=tmp_path, on_line=stop)
    assert new(run(write(), tmp_path)) == ["evaluation"]


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
