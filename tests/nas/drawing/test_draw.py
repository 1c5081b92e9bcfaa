"""`nas generate`: what is drawn, from every family of folders, and what is told of the stages."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from latency.measuring.stage_times import StageTime, StageTimer
from nas.cli.app import app
from nas.drawing.draw import DrawingSettings, draw
from nas.drawing.grid import CAPTION_PX, GAP_PX, TILE_PX, write_grid
from nas.pipelines.computing.compute_check import check_dtype
from nas.pipelines.model_folder import ModelFolder
from search_spaces.shapes import PIPELINE_DIR
from tests.folders import write_pipeline

KEYS = {"stage", "batch", "num_calls", "first_ms", "median_ms", "p10_ms", "p90_ms"}


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("xl") / "sdxl", kind="sdxl", width=16)


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_command_draws_a_grid_and_tells_every_stage(form: str, xl: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    result = invoke(xl, "a ring", "a cross", "--num-pictures", 2, "--num-steps", 3, "--out", out, "--format", form)
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert image.size == (4 * (TILE_PX + GAP_PX) + GAP_PX, TILE_PX + CAPTION_PX + 2 * GAP_PX)
    if form == "table":
        assert "4 pictures ->" in result.output
        assert "64x64 px, 3 steps of EulerDiscreteScheduler, float32 on" in result.output
        assert all(word in result.output for word in ("text encoder 2", "UNet step", "decoder", "whole picture"))
        return
    told = json.loads(result.stdout)
    assert (told["num_pictures"], told["height_px"], told["scheduler"]) == (4, 64, "EulerDiscreteScheduler")
    stages = {stage["stage"]: stage for stage in told["stages"]}
    assert all(set(stage) == KEYS for stage in stages.values())
    assert (stages["UNet step"]["batch"], stages["UNet step"]["num_calls"]) == (2, 4 * 3 - 1)
    assert (stages["decoder"]["batch"], stages["decoder"]["num_calls"]) == (1, 3)
    assert stages["picture"]["num_calls"] == 3
    assert stages["text encoder 2"]["num_calls"] == 3, "zeros need no encoding"


def test_one_picture_has_a_first_call_and_no_more(tmp_path: Path) -> None:
    drawing = draw(ModelFolder(PIPELINE_DIR), settings=DrawingSettings(prompts=("a ring",), num_steps=1))
    decoder = next(stage for stage in drawing.stages if stage.stage == "decoder")
    assert (decoder.num_calls, decoder.median_ms, decoder.p10_ms) == (0, None, None)
    assert decoder.first_ms > 0


def test_the_batch_moves_rounding_only_and_seeds_count_up(xl: Path) -> None:
    model = ModelFolder(xl)
    apart, together = (
        draw(model, settings=DrawingSettings(prompts=("a ring",), num_pictures=3, num_steps=2, seed=5, batch_size=size))
        for size in (1, 2)
    )
    assert np.abs(apart.pictures.astype(int) - together.pictures).max() <= 1
    assert [stage.batch for stage in together.stages if stage.stage == "UNet step"] == [4, 2]
    last = draw(model, settings=DrawingSettings(prompts=("a ring",), num_steps=2, seed=7))
    assert np.array_equal(last.pictures[0], apart.pictures[2])


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_negative_prompt_and_another_scheduler_change_the_picture(kind: str, xl: Path, tmp_path: Path) -> None:
    folder = xl if kind == "sdxl" else write_pipeline(tmp_path / kind, kind=kind, width=16)
    plain = DrawingSettings(prompts=("a ring",), num_steps=5)
    negative = DrawingSettings(prompts=("a ring",), num_steps=5, negative_prompt="a cross")
    other = DrawingSettings(prompts=("a ring",), num_steps=5, scheduler="DPMSolverMultistepScheduler")
    pictures = [draw(ModelFolder(folder), settings=settings) for settings in (plain, negative, other)]
    assert not np.array_equal(pictures[0].pictures, pictures[1].pictures)
    assert not np.array_equal(pictures[0].pictures, pictures[2].pictures)
    assert pictures[2].scheduler == "DPMSolverMultistepScheduler"


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_variant_draws_in_half_precision(kind: str, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / kind, kind=kind, width=16, dtype=torch.float16, variant="fp16")
    options = ("--variant", "fp16", "--num-steps", 2, "--out")
    assert invoke(folder, "a ring", "--dtype", "float16", *options, tmp_path / "half.png").exit_code == 0
    assert invoke(folder, "a ring", "--dtype", "float32", *options, tmp_path / "full.png").exit_code == 0
    half, full = (np.asarray(Image.open(tmp_path / f"{name}.png"), dtype=int) for name in ("half", "full"))
    assert np.abs(half - full).max() <= 3, "levels of 255"
    refused = invoke(folder, "a ring", "--out", tmp_path / "none.png")
    assert refused.exit_code == 2
    assert "holds the variant 'fp16'; ask for variant 'fp16'" in refused.output
    assert not (tmp_path / "none.png").exists()


def test_every_step_is_told(xl: Path) -> None:
    told: list[tuple[int, int]] = []
    settings = DrawingSettings(prompts=("a ring", "a cross"), num_steps=2)
    draw(ModelFolder(xl), settings=settings, on_step=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_settings_that_break_laws_are_refused_all_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"give at least one prompt; `num_pictures` must be a finite number of .*, but got 0; `num"
    ):
        DrawingSettings(prompts=(), num_pictures=0, num_steps=0)
    with pytest.raises(ValueError, match=r"a negative prompt needs guidance, but `guidance_scale` is 1; raise it"):
        DrawingSettings(prompts=("a",), negative_prompt="b", guidance_scale=1)
    with pytest.raises(ValueError, match=r"`scheduler` must be one of DDIMScheduler, .* but got 'DDPMScheduler'"):
        DrawingSettings(prompts=("a",), scheduler="DDPMScheduler")


@pytest.mark.parametrize(
    ("setting", "value", "law"),
    [
        ("guidance_scale", math.inf, "`guidance_scale` must be a finite number of at least 1, but got inf"),
        ("guidance_scale", math.nan, "`guidance_scale` must be a finite number of at least 1, but got nan"),
        ("seed", 10**30, r"`seed` must be at least 0 and below 2\*\*63, but got 10{30}"),
        ("seed", -1, "`seed` must be at least 0"),
        ("seed", 2**63 - 1, "`seed` must be at least 0 and below"),
    ],
)
def test_numbers_that_nothing_can_be_drawn_with_are_refused(setting: str, value: Any, law: str) -> None:
    with pytest.raises(ValueError, match=law):
        DrawingSettings(prompts=("a", "b"), **{setting: value})


@pytest.mark.parametrize("scheduler", [None, "DDIMScheduler"])
def test_more_steps_than_there_are_is_refused_before_a_model_is_loaded(scheduler: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(PIPELINE_DIR, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    for part in ("unet", "vae", "text_encoder"):
        name = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        (folder / part / f"{name}.safetensors").touch()
    settings = DrawingSettings(prompts=("a",), num_steps=5000, scheduler=scheduler)
    with pytest.raises(ValueError, match="`num_steps` must be at most the 1000 timesteps"):
        draw(ModelFolder(folder), settings=settings)


@pytest.mark.parametrize("part", ["text_encoder", "unet", "vae"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_weights_that_are_not_finite_end_the_command_and_are_named(
    part: str, number: float, xl: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(xl, tmp_path / "broken"))
    path = next((folder / part).glob("*.safetensors"))
    weights = load_file(path)
    name = min(weights)
    weights[name].view(-1)[0] = number
    save_file(weights, path, metadata={"format": "pt"})
    result = invoke(folder, "a ring", "--num-steps", 2, "--out", tmp_path / "x.png")
    assert result.exit_code == 2, result.output
    assert name.removeprefix("text_model.") in result.output
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("part", "name", "stage"),
    [
        ("text_encoder", "encoder.layers.0.mlp.fc2.bias", "text encoder"),
        ("unet", "conv_out.bias", "UNet step"),
        ("vae", "decoder.conv_out.bias", "decoder"),
    ],
)
def test_a_stage_that_overflows_ends_the_command_and_is_named(
    part: str, name: str, stage: str, xl: Path, tmp_path: Path
) -> None:
    """Every weight is finite, what they give is not, though a decoder's would look white."""
    folder = Path(shutil.copytree(xl, tmp_path / "broken"))
    path = next((folder / part).glob("*.safetensors"))
    weights = load_file(path)
    (full,) = (each for each in weights if each.endswith(name))
    weights[full].fill_(3e38)
    bias = full.replace("fc2.bias", "fc2.weight").replace("conv_out.bias", "conv_out.weight")
    weights[bias].fill_(3e38)
    save_file(weights, path, metadata={"format": "pt"})
    result = invoke(folder, "a ring", "--num-steps", 2, "--out", tmp_path / "x.png")
    assert result.exit_code == 2, result.output
    assert f"what the {stage} gives must be finite, but is not; it overflows: choose a wider dtype" in result.output
    assert not (tmp_path / "x.png").exists()


def test_the_suffix_says_the_format(xl: Path, tmp_path: Path) -> None:
    for name, form in (("x.jpg", "JPEG"), ("x.JPEG", "JPEG"), ("x.webp", "WEBP"), ("x.png", "PNG")):
        write_grid(tmp_path / name, np.zeros((1, 8, 8, 3), dtype=np.uint8), captions=["a"])
        with Image.open(tmp_path / name) as image:
            assert image.format == form
    result = invoke(xl, "a ring", "--out", tmp_path / "x.tiff")
    assert result.exit_code == 2
    assert "a file of pictures must end in .png, .jpg, .jpeg, .webp, but got 'x.tiff'; rename it" in result.output


def test_a_type_that_the_device_lacks_is_refused() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        check_dtype(dtype, device="cpu")
    with pytest.raises(ValueError, match=r"no convolution, .* in float8_e4m3fn on cpu; choose float32, or another dev"):
        check_dtype(torch.float8_e4m3fn, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = invoke(PIPELINE_DIR, "a ring", "--device", "cuda", "--out", tmp_path / "x.png")
    assert result.exit_code == 2
    assert "sees no CUDA device here; choose cpu" in result.output


def test_a_stage_timer_reads_its_clock_around_calls() -> None:
    ticks = iter(range(0, 1_000_000_000, 1_000_000))  # each reading is 1 ms later
    timer = StageTimer(device=torch.device("cpu"), read_ns=lambda: next(ticks))
    double = torch.nn.Identity()
    with timer.timed("picture", batch=2, share=2), timer.watching({"stage": double}):
        for _ in range(3):
            double(torch.zeros(5))
    double(torch.zeros(5))  # not watched any more
    assert timer.summary() == (
        StageTime(stage="stage", batch=5, num_calls=2, first_ms=1.0, median_ms=1.0, p10_ms=1.0, p90_ms=1.0),
        StageTime(stage="picture", batch=2, num_calls=0, first_ms=3.5, median_ms=None, p10_ms=None, p90_ms=None),
    )


@pytest.mark.parametrize("arguments", [["caf\udce9"], ["a ring", "--negative-prompt", "caf\udce9"]])
def test_a_prompt_that_is_not_utf_8_is_refused(arguments: list[str]) -> None:
    result = invoke(PIPELINE_DIR, *arguments)
    assert result.exit_code == 2
    assert "prompt must be text, but 'caf\\udce9' holds half of a UTF-16 pair or a byte that is not" in result.output


def test_sizes_beyond_reason_are_refused() -> None:
    for option in ("--batch-size", "--num-pictures"):
        assert invoke(PIPELINE_DIR, "a ring", option, 2**16 + 1).exit_code == 2
