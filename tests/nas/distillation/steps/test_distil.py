"""`nas distill steps`: a folder that plain diffusers samples in the steps that were learned, and that goes on.

It runs what docs/distillation.md shows, on a tiny model.
"""

# fast: tiny networks of random weights, some seconds in all

import json
import shutil
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline, LCMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

import nas
import nas.export.write
from nas.cli.app import app
from nas.distillation.steps.job import find_steps, load_steps_config
from nas.distillation.steps.unets import named_unet
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.export.form import ExportForm
from nas.export.forms import write_pipeline as write_form_of
from nas.export.source import ExportError, source_of_spec
from nas.export.verify import verify
from nas.export.write import export
from nas.launching.directory import TrainingDirectoryError
from nas.launching.news import Begun, Drawn, News
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.source import find_model
from nas.scores.prompts import Prompt, ValidationSet
from nas.training.loop import StepDone
from search_spaces import Action
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import read_unet_config
from search_spaces.supernet import Supernet
from tests.examples import ROOT
from tests.folders import write_pipeline, write_small_pipeline


def test_the_shipped_config_is_one() -> None:
    shipped = load_steps_config(ROOT / "experiments" / "distillation" / "steps.yaml")
    assert shipped.all_steps == (8, 4)
    assert shipped.model.is_dir()


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")


def interrupted_after(step: int) -> Callable[[News], None]:
    def listen(news: News) -> None:
        if isinstance(news, StepDone) and news.step == step:
            signal.raise_signal(signal.SIGINT)

    return listen


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distillation that nobody disturbed."""
    out = tmp_path_factory.mktemp("distilled") / "whole"
    assert nas.distill_steps(config, out=out, on_news=lambda news: None).num_steps == 2
    return out


def picture(folder: Path, *, num_steps: int = 2) -> Tensor:
    """A picture by plain diffusers."""
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    drawn = pipeline(
        "a red circle", num_inference_steps=num_steps, guidance_scale=3.0, generator=generator, output_type="pt"
    )
    found: Tensor = drawn.images[0]
    return found


def own_picture(folder: Path, *, unet: UNet2DConditionModel | None = None, guidance_scale: float = 3.0) -> Tensor:
    """The same by ours, by the folder's UNet or another one."""
    model = find_model(folder)
    unet, size = unet or model.load_unet(), model.unet_config()["sample_size"]
    setting = ScoreSetting(
        model=model,
        validation=ValidationSet(prompts=(Prompt(caption="a red circle", noise_seed=7),), chunk_size=1),
        protocol=SamplingProtocol(num_steps=2, guidance_scale=guidance_scale),
        latent_shape=(4, size, size),
    )
    return Drawer(setting).pictures(unet, chunk=0)[0]


def test_plain_diffusers_samples_it_in_the_steps_that_were_learned(whole: Path) -> None:
    scheduler = json.loads((whole / "pipeline" / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["_class_name"] == "DDIMScheduler"
    assert (scheduler["prediction_type"], scheduler["timestep_spacing"]) == ("v_prediction", "trailing")
    assert torch.allclose(picture(whole / "pipeline"), own_picture(whole / "pipeline"), atol=1e-4)
    assert "num_inference_steps=2, guidance_scale=2" in (whole / "pipeline" / "README.md").read_text()
    report = json.loads((whole / "stages" / "1-student-2" / "trained.json").read_text())
    assert (report["teacher_steps"], report["num_steps"], report["iterations"]) == (4, 2, 4)
    assert (whole / "config.yaml").is_file()


def test_a_stopped_one_goes_on_to_the_same_weights_with_teacher_and_student_side_by_side(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    overrides, news = ["training.sample_every=2"], list[News]()
    with pytest.raises(KeyboardInterrupt):
        nas.distill_steps(config, out=tmp_path / "out", overrides=overrides, on_news=interrupted_after(3))
    done = nas.distill_steps(config, out=tmp_path / "out", overrides=overrides, on_news=news.append)
    assert [each.num_done for each in news if isinstance(each, Begun)] == [3]
    assert [each.step for each in news if isinstance(each, Drawn)] == [4]
    sheets = sorted(each.name for each in (tmp_path / "out" / "stages" / "1-student-2" / "samples").iterdir())
    assert sheets == ["step-000000.png", "step-000002.png", "step-000004.png"]
    theirs = weights(whole / "pipeline")
    assert all(torch.equal(each, theirs[name]) for name, each in weights(done.folder).items())
    again = list[News]()
    nas.distill_steps(config, out=tmp_path / "out", overrides=overrides, on_news=again.append)
    assert again == [], "a stage that is done is not done again"
    pictures = shutil.copytree(config.parent / "pictures", tmp_path / "pictures")
    (pictures / "one_more.png").write_bytes(b"")
    with pytest.raises(TrainingDirectoryError, match=r"other content .* stands at `training\.pictures` "):
        nas.distill_steps(config, out=tmp_path / "out", overrides=[*overrides, f"training.pictures={pictures}"])
    with pytest.raises(TrainingDirectoryError, match=r"another training:[\s\S]*cfg_probability: 0.1"):
        nas.distill_steps(config, out=tmp_path / "out", overrides=["loss.cfg_probability=0.1"])


def test_a_searched_student_of_a_model_of_noise_learns_v_and_then_the_steps(config: Path, tmp_path: Path) -> None:
    shutil.copytree(config.parent / "tiny", tmp_path / "noise")
    file = tmp_path / "noise" / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "epsilon"}))
    model = find_model(tmp_path / "noise")
    supernet = Supernet(model.load_unet())
    architecture = Action.parse("-resnet[mid,1]").apply(supernet.space.base)
    (tmp_path / "found").mkdir()
    write_form_of(tmp_path / "found", supernet, architecture=architecture, base_config=model.unet_config(), model=model)
    overrides = [f"model={model.path}", f"student={tmp_path / 'found'}", "training.iterations=1"]
    done = nas.distill_steps(config, out=tmp_path / "out", overrides=overrides, on_news=lambda news: None)
    assert list(done.stages) == ["student-v", "student-2"]
    assert read_unet_config(done.folder)["_class_name"] == "SearchedUNet"
    assert torch.isfinite(picture(done.folder)).all()


@pytest.fixture(scope="module")
def told(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of students that are told their guidance, by method."""

    @cache
    def make(method: str) -> Path:
        overrides = [f"method={method}", "training.iterations=1", "training.sample_every=1", "loss.consistency_steps=8"]
        out = tmp_path_factory.mktemp("told") / method
        return nas.distill_steps(config, out=out, overrides=overrides, on_news=lambda news: None).folder

    return make


@pytest.mark.parametrize("method", ["conditioned", "consistency"])
def test_a_student_that_is_told_its_guidance_opens_and_draws_everywhere(
    config: Path, told: Callable[[str], Path], method: str
) -> None:
    folder = told(method)
    assert read_unet_config(folder)["time_cond_proj_dim"] == 8
    drawn = picture(folder)
    assert torch.isfinite(drawn).all()
    if method == "conditioned":
        assert torch.allclose(drawn, own_picture(folder), atol=1e-4)
    else:
        assert isinstance(DiffusionPipeline.from_pretrained(folder).scheduler, LCMScheduler)
    before = named_unet(config.parent / "tiny", model=find_model(config.parent / "tiny"), role="student")
    telling, plain = (each.load(device=torch.device("cpu")).unet for each in (before.telling(8), before))
    z, text = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8)
    with torch.no_grad():
        one = telling(z, 5, encoder_hidden_states=text, timestep_cond=torch.randn(1, 8)).sample
        assert torch.equal(one, plain(z, 5, encoder_hidden_states=text).sample), "at birth it changes nothing"


def test_an_export_of_it_draws_what_it_draws_in_memory_and_files_that_could_not_are_refused(
    told: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nas.export.write, "run_verification", verify)  # in this process
    folder = told("conditioned")
    source = source_of_spec(str(folder), model=find_model(folder))
    export(source, out=tmp_path / "export", measure=False)
    with source.supernet.switched(source.architecture) as unet:
        drawn = own_picture(folder, unet=unet)
        assert not torch.allclose(drawn, own_picture(folder, unet=unet, guidance_scale=1.0), atol=1e-3)
    assert torch.allclose(picture(tmp_path / "export"), drawn, atol=1e-4)
    with pytest.raises(ExportError, match=r"is told its guidance .* export it with `--form diffusers`"):
        export(source, out=tmp_path / "file", form=ExportForm.ONNX, measure=False)
    assert not (tmp_path / "file").exists()


def test_unets_that_do_not_fit_together_are_refused_before_anything_is_written(config: Path, tmp_path: Path) -> None:
    shutil.copytree(config.parent / "tiny", tmp_path / "other")
    file = tmp_path / "other" / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"beta_end": 0.02}))
    write_pipeline(tmp_path / "wide", kind="bk-sdm", width=8)
    for overrides, words in (
        ([f"teacher={tmp_path / 'other'}"], r"the teacher \(.*other\) was trained with another noise schedule"),
        (
            [f"student={tmp_path / 'wide'}"],
            "the student must fit into the pipeline .*`cross_attention_dim` 32 instead of 8",
        ),
        (["steps=[2000, 1000]"], "at most the 1000 timesteps"),
        (["training.batch_size=3", "training.gradient_accumulation=2"], "`batch_size` must be a multiple"),
    ):
        with pytest.raises(ValueError, match=words):
            find_steps(load_steps_config(config, overrides=tuple(overrides)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_unet_that_says_its_widths_stage_by_stage_fits_as_well(config: Path, tmp_path: Path) -> None:
    """As that of the bundled model does once it was written again, after the first of several stages."""
    shutil.copytree(config.parent / "tiny", tmp_path / "again")
    file = tmp_path / "again" / "unet" / "config.json"
    written = json.loads(file.read_text())
    widths = [written["cross_attention_dim"]] * len(written["block_out_channels"])
    file.write_text(json.dumps(written | {"cross_attention_dim": widths}))
    found = find_steps(load_steps_config(config, overrides=(f"student={tmp_path / 'again'}",)), tmp_path / "out")
    assert found.named["student"].architecture == found.named["teacher"].architecture


def test_the_command_says_where_it_stands_and_how_to_sample(config: Path, tmp_path: Path) -> None:
    words = ["distill", "steps", str(config), "training.iterations=2", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "stage 1 of 1, student-2: student learns 2 steps from teacher of 4, 2 training steps" in done.output
    assert "step 2 of 2: loss " in done.output
    assert "--num-steps 2 --guidance-scale 2" in " ".join(done.output.split())
    wrong = CliRunner().invoke(app, [*words[:3], "steps=[4, 3]"])
    assert wrong.exit_code == 2


def test_neither_another_distillation_nor_anything_else_in_its_place_is_touched(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    before = weights(whole / "pipeline")
    with pytest.raises(
        UserError, match=r"holds another distillation, whose stages are 1-student-2, but .* 1-student-1"
    ):
        nas.distill_steps(config, out=whole, overrides=["steps=[2, 1]"])
    assert all(torch.equal(each, weights(whole / "pipeline")[name]) for name, each in before.items())
    trained = tmp_path / "pipeline" / "weights"
    trained.parent.mkdir()
    trained.write_text("days of work")
    (tmp_path / "training.yaml").write_text("of a training")
    with pytest.raises(UserError, match="must be empty or the folder of a step distillation, but other things"):
        nas.distill_steps(config, out=tmp_path)
    assert trained.read_text() == "days of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipeline", "training.yaml"]


def test_a_teacher_of_other_latents_is_refused(config: Path, tmp_path: Path) -> None:
    other = write_small_pipeline(tmp_path / "other")
    vae = other / "vae" / "config.json"
    vae.write_text(json.dumps(json.loads(vae.read_text()) | {"scaling_factor": 1.0}))
    with pytest.raises(UserError, match=r"the teacher must draw latents of .* `scaling_factor` 1.0 instead of 0.18215"):
        find_steps(load_steps_config(config, overrides=[f"teacher={other}"]), tmp_path / "out")
