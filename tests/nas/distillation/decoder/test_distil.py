"""`nas distill decoder`: a pipeline whose small decoder plain diffusers opens, learned from prompts alone.

It runs what docs/distillation.md shows, on a tiny model.
"""

# fast: tiny networks of random weights, some seconds in all

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import AutoencoderKL, DiffusionPipeline
from safetensors.torch import load_file, save_file
from torchmetrics.functional.image import peak_signal_noise_ratio
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.distillation.decoder.job import load_decoder_config
from nas.distillation.decoder.latents import LatentsWarning
from nas.distillation.decoder.quality import nearness
from nas.distillation.decoder.result import pictures_of
from nas.launching.directory import TrainingDirectoryError
from nas.launching.news import Encoded, News
from nas.pipelines.folder import PipelineParts, load_autoencoder
from nas.pipelines.source import find_model
from nas.training.loop import StepDone
from search_spaces.files.user_error import UserError
from tests.examples import ROOT
from tests.folders import write_small_pipeline


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distillation of a tiny decoder with random weights."""
    folder = tmp_path_factory.mktemp("decoder")
    write_small_pipeline(folder / "tiny")
    (folder / "captions.txt").write_text("a red circle\na blue square\n", encoding="utf-8")
    values = {
        "model": "tiny",
        "latents": {"captions": "captions.txt", "num": 12, "num_held_out": 4, "chunk_size": 4},
        "sampling": {"num_steps": 1, "guidance_scale": 1.0},
        "training": {
            "iterations": 30,
            "batch_size": 4,
            "learning_rate": 0.01,
            "save_every": 10,
            "sample_every": 15,
            "workers": {"num_workers": 1},
        },
        "latent_cache": "cache",
    }
    path = folder / "decoder.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_the_shipped_config_is_one() -> None:
    shipped = load_decoder_config(ROOT / "experiments" / "distillation" / "decoder.yaml")
    assert shipped.clip is not None
    assert shipped.clip.is_dir()
    assert shipped.sampling.num_steps == 8


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distillation that nobody disturbed."""
    out = tmp_path_factory.mktemp("distilled") / "whole"
    nas.distill_decoder(config, out=out, on_news=lambda news: None)
    return out


def test_plain_diffusers_opens_it_and_it_is_nearer_than_before_it_learned(config: Path, whole: Path) -> None:
    small = AutoencoderKL.from_pretrained(whole / "pipeline" / "vae", use_safetensors=True)
    assert list(small.config.block_out_channels) == [4, 4, 4]
    pipeline = DiffusionPipeline.from_pretrained(whole / "pipeline", use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline("a red circle", num_inference_steps=1, output_type="pt").images.shape == (1, 3, 32, 32)
    report = json.loads((whole / "trained.json").read_text())
    assert report["trained"]["psnr_db"]["mean"] > report["untrained"]["psnr_db"]["mean"] + 1
    assert report["num_params"]["before"] > 3 * report["num_params"]["after"]
    assert report["last_loss"] < report["first_loss"]
    assert sorted(each.name for each in (whole / "samples").iterdir()) == [f"step-{n:06d}.png" for n in (0, 15, 30)]
    assert "**It cannot encode.**" in (whole / "pipeline" / "README.md").read_text()
    with pytest.raises(UserError, match="has a decoder alone, as `nas distill decoder` makes them"):
        PipelineParts.load(find_model(whole / "pipeline")).encode(torch.rand(1, 3, 32, 32))


def test_a_stopped_one_goes_on_to_the_same_weights_and_draws_no_latents_again(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    news = list[News]()

    def listen(each: News) -> None:
        news.append(each)
        if isinstance(each, StepDone) and each.step == 13:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        nas.distill_decoder(config, out=tmp_path / "out", on_news=listen)
    assert not any(isinstance(each, Encoded) for each in news), "latents are kept by content"
    done = nas.distill_decoder(config, out=tmp_path / "out", on_news=lambda each: None)
    one, other = (
        load_file(of / "vae" / "diffusion_pytorch_model.safetensors") for of in (done.folder, whole / "pipeline")
    )
    assert all(torch.equal(each, other[name]) for name, each in one.items())
    assert len(list((config.parent / "cache").iterdir())) == 1
    (tmp_path / "captions.txt").write_text("a green triangle\n", encoding="utf-8")
    with pytest.raises(TrainingDirectoryError, match=r"other content .* stands at `latents\.captions` "):
        nas.distill_decoder(config, out=tmp_path / "out", overrides=[f"latents.captions={tmp_path / 'captions.txt'}"])


def test_new_noise_is_a_new_sample_and_none_of_the_held_out_is_learned(config: Path, tmp_path: Path) -> None:
    nas.distill_decoder(config, out=tmp_path / "out", overrides=["training.iterations=1"])
    files = sorted(next((config.parent / "cache").iterdir()).iterdir())
    latents = torch.cat([load_file(each)["latents"] for each in files])
    assert len(latents) == 16, "of two captions"
    distances = torch.cdist(latents.flatten(1), latents.flatten(1)) + 1e3 * torch.eye(16)
    assert float(distances.min()) > 0.1


def test_nearness_is_what_torchmetrics_says() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = torch.rand(3, 3, 32, 32, generator=generator)
    pictures = (wanted + 0.1 * torch.randn(wanted.shape, generator=generator)).clamp(0, 1)
    found = nearness(pictures, wanted, clip=None)
    each = [float(peak_signal_noise_ratio(a, b, data_range=1.0)) for a, b in zip(pictures, wanted, strict=True)]
    assert found.psnr_db.mean == pytest.approx(sum(each) / 3, rel=1e-5)
    assert found.psnr_db.low < found.psnr_db.mean < found.psnr_db.high
    assert 0.5 < found.ssim.mean < 1
    assert nearness(wanted, wanted, clip=None).ssim.mean == pytest.approx(1)
    assert nearness(wanted, wanted, clip=None).psnr_db.mean == pytest.approx(100)


def test_the_command_says_what_the_decoder_is_worth_and_what_cannot_be_cut(config: Path, tmp_path: Path) -> None:
    words = ["distill", "decoder", str(config), "training.iterations=2", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "50% of the decoder's channels, 2 steps of 4 latents, of 12 that 1 steps draw" in said
    assert "x fewer)" in said
    assert "of 4 latents that it never saw: PSNR" in said
    wrong = CliRunner().invoke(app, [*words[:3], "ratio=0.3"])
    assert wrong.exit_code == 2
    assert "`ratio` must leave channels" in wrong.output


@pytest.mark.parametrize(
    "content", [b"torn", {"latents": torch.full((4, 4, 8, 8), math.nan)}, {"latents": torch.zeros(2, 4, 8, 8)}, {}]
)
def test_latents_that_are_not_what_was_drawn_are_drawn_again(
    content: Any, config: Path, whole: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(config.parent / "cache", cache)
    path = sorted(next(cache.iterdir()).iterdir())[-1]  # those held out
    drawn = path.read_bytes()
    path.write_bytes(content) if isinstance(content, bytes) else save_file(content, path)
    with pytest.warns(LatentsWarning, match="is damaged .* drawn again"):
        nas.distill_decoder(
            config,
            out=tmp_path / "out",
            overrides=[f"latent_cache={cache}", "training.iterations=1", "training.sample_every=0"],
            on_news=lambda news: None,
        )
    assert path.read_bytes() == drawn


def test_pictures_that_are_no_numbers_are_as_near_as_nobody_knows(config: Path) -> None:
    autoencoder = load_autoencoder(find_model(config.parent / "tiny"))
    with torch.no_grad():
        autoencoder.vae.decoder.conv_out.bias.fill_(math.nan)
    with pytest.raises(UserError, match="pictures of finite numbers, but 3 of 3 are not"):
        pictures_of(autoencoder, torch.zeros(3, 4, 8, 8))
