"""Schedulers as they are made: no latents are clipped, the same noise gives the same picture, whatever is said."""

import json
import re
from pathlib import Path
from typing import Any, Final

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from nas.pipelines.schedulers import (
    SchedulerError,
    check_sampling,
    corrections,
    make_scheduler,
    own_scheduler,
    scheduler_config,
)
from search_spaces.shapes import PIPELINE_DIR
from tests.folders import write_pipeline

BETAS: Final = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
# `scheduler/scheduler_config.json` of Stable Diffusion 1.5.
SD15: Final[dict[str, Any]] = BETAS | {
    "_class_name": "PNDMScheduler",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
# Classes whose own constructor may have written a folder of a Stable Diffusion.
SAVED_AS: Final = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
)


def saved(name: str, /, **settings: Any) -> dict[str, Any]:
    """What `save_pretrained` writes of a scheduler that its constructor made: every default is spelled out."""
    made = getattr(diffusers, name)(**(BETAS | settings))
    config: dict[str, Any] = json.loads(made.to_json_string())
    return config


def with_config(tmp_path: Path, config: dict[str, Any]) -> ModelFolder:
    """The bundled model's folder with another scheduler; nothing of it is loaded."""
    folder = tmp_path / "model"
    (folder / "scheduler").mkdir(parents=True)
    for part in ("unet", "vae", "text_encoder", "tokenizer"):
        (folder / part).symlink_to(PIPELINE_DIR / part)
    index = json.loads((PIPELINE_DIR / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", config["_class_name"]]
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    return ModelFolder(folder)


def steps(scheduler: Any, *, num_steps: int, seed: int = 0) -> torch.Tensor:
    """Latents of a made-up UNet, with some state of torch's global generator."""
    torch.manual_seed(seed)
    scheduler.set_timesteps(num_steps)
    latents = torch.linspace(-3, 3, 16).view(1, 4, 2, 2) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        output = scheduler.scale_model_input(latents, timestep).cos()
        latents = scheduler.step(output, timestep, latents).prev_sample
    return latents


@pytest.mark.parametrize("name", SAVED_AS)
def test_ddim_of_every_folder_is_ddim_of_stable_diffusion(name: str, tmp_path: Path) -> None:
    config = saved(name)
    if name == "DDIMScheduler":
        config["set_alpha_to_one"] = False  # its own, which counts as said
    model = with_config(tmp_path, config)
    right = DDIMScheduler.from_config(SD15)
    made = make_scheduler("DDIMScheduler", config=scheduler_config(model))
    for setting in ("clip_sample", "thresholding", "set_alpha_to_one", "steps_offset", "timestep_spacing"):
        assert made.config[setting] == right.config[setting], setting
    assert torch.equal(made.alphas_cumprod, right.alphas_cumprod)
    assert torch.equal(steps(made, num_steps=9), steps(right, num_steps=9))


@pytest.mark.parametrize("own", ["DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler"])
@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
def test_no_class_clips_or_thresholds_latents(name: str, own: str) -> None:
    clips = saved(own) | {"clip_sample": True, "thresholding": True}
    for config in (clips, {key: value for key, value in clips.items() if key not in ("clip_sample", "thresholding")}):
        made = make_scheduler(name, config=config).config
        assert not made.get("clip_sample", False)
        assert not made.get("thresholding", False)


def test_folders_of_sdxl_are_corrected_too(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "xl", kind="sdxl", width=16)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(saved("DPMSolverMultistepScheduler")))
    made = make_scheduler("DDIMScheduler", config=scheduler_config(ModelFolder(folder))).config
    assert (made.clip_sample, made.set_alpha_to_one, made.steps_offset) == (False, False, 1)
    path.write_text(json.dumps(saved("DDIMScheduler")))
    own = own_scheduler(ModelFolder(folder))
    assert not isinstance(own, DDIMScheduler), "model_index.json says which class"
    assert own.config.timestep_spacing == "leading"
    index = json.loads((folder / "model_index.json").read_text()) | {"scheduler": ["diffusers", "DDIMScheduler"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    assert not own_scheduler(ModelFolder(folder)).config.clip_sample


def test_what_a_folder_says_of_its_own_class_is_kept() -> None:
    said = saved("DDIMScheduler", set_alpha_to_one=True, timestep_spacing="trailing", steps_offset=0)
    made = make_scheduler("DDIMScheduler", config=said).config
    assert (made.set_alpha_to_one, made.timestep_spacing, made.steps_offset) == (True, "trailing", 0)
    other = make_scheduler("DDIMScheduler", config=saved("EulerDiscreteScheduler", timestep_spacing="trailing")).config
    assert other.timestep_spacing == "trailing", "not the default of its class: somebody chose it"


@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
@pytest.mark.parametrize("own", SAVED_AS)
def test_the_forward_process_is_the_folders_whatever_the_class(name: str, own: str) -> None:
    """Two folders that leave out, or spell out, the betas of their own class."""
    kind = getattr(diffusers, own)
    right = kind().alphas_cumprod
    for config in ({"_class_name": own}, json.loads(kind().to_json_string())):
        assert torch.equal(make_scheduler(name, config=config).alphas_cumprod, right)


@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_zero_snr_and_prediction_type_hold_for_every_class(name: str, prediction_type: str) -> None:
    config = saved("DDIMScheduler", rescale_betas_zero_snr=True, prediction_type=prediction_type)
    made = make_scheduler(name, config=config)
    right = DDIMScheduler.from_config(config).alphas_cumprod
    assert torch.allclose(made.alphas_cumprod, right, atol=2**-23, rtol=1e-4)
    assert made.config.prediction_type == prediction_type


@pytest.mark.parametrize("algorithm", ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"])
@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
@pytest.mark.parametrize("karras", [False, True])
def test_the_same_noise_gives_the_same_latents_or_is_refused(name: str, algorithm: str, karras: bool) -> None:
    config = saved("DPMSolverMultistepScheduler", algorithm_type="dpmsolver++", use_karras_sigmas=karras)
    config |= {"algorithm_type": algorithm, "final_sigmas_type": "sigma_min"}
    if name == "DPMSolverMultistepScheduler" and algorithm.startswith("sde"):
        with pytest.raises(
            SchedulerError, match=rf"`algorithm_type` .* is '{re.escape(algorithm)}', which draws noise"
        ):
            make_scheduler(name, config=config)
        return
    made = make_scheduler(name, config=config)
    first = steps(made, num_steps=6, seed=1)
    assert torch.equal(first, steps(made, num_steps=6, seed=2))
    assert torch.isfinite(first).all()


def test_a_scheduler_that_draws_noise_is_found_by_drawing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever setting makes it do so: here, the churn of Euler's steps."""
    kind, honest = diffusers.EulerDiscreteScheduler, diffusers.EulerDiscreteScheduler.step
    monkeypatch.setattr(kind, "step", lambda self, *args: honest(self, *args, s_churn=5.0))
    model = with_config(tmp_path, saved("EulerDiscreteScheduler"))
    with pytest.raises(SchedulerError, match="must give the same picture for the same noise, but draw noise"):
        check_sampling(SamplingProtocol(num_steps=4, scheduler="EulerDiscreteScheduler"), model=model)


@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
def test_more_steps_than_the_model_was_trained_for_are_refused(name: Any, tmp_path: Path) -> None:
    model = with_config(tmp_path, SD15)
    check_sampling(SamplingProtocol(num_steps=5, scheduler=name), model=model)
    with pytest.raises(SchedulerError, match=r"`num_steps` must be at most the 1000 timesteps .* but got 1001"):
        check_sampling(SamplingProtocol(num_steps=1001, scheduler=name), model=model)


def test_settings_that_give_no_numbers_are_refused(tmp_path: Path) -> None:
    """Where there is no signal at all, noise cannot be told from it: DDIM divides by zero."""
    config = saved("DDIMScheduler", rescale_betas_zero_snr=True, timestep_spacing="trailing")
    with pytest.raises(SchedulerError, match="must give numbers, but give some that are not finite"):
        check_sampling(SamplingProtocol(num_steps=4), model=with_config(tmp_path, config))


@pytest.mark.parametrize(
    ("setting", "value", "law"),
    [
        ("prediction_type", "flow_prediction", "`prediction_type` must be epsilon, v_prediction or sample"),
        ("use_flow_sigmas", True, "`use_flow_sigmas` must be false"),
        ("variance_type", "learned_range", "`variance_type` must not be learned"),
        ("num_train_timesteps", 10**9, "`num_train_timesteps` must be an integer from 1 to 100,000"),
        ("num_train_timesteps", "many", "`num_train_timesteps` must be an integer"),
        ("beta_schedule", "evil", "cannot be made of them"),
        ("beta_start", "x", "cannot be made of them"),
    ],
)
def test_settings_of_another_process_are_refused_by_name(setting: str, value: Any, law: str) -> None:
    with pytest.raises(SchedulerError, match=law):
        make_scheduler("DPMSolverMultistepScheduler", config=saved("DPMSolverMultistepScheduler") | {setting: value})


def test_a_flow_is_no_diffusion(tmp_path: Path) -> None:
    config = json.loads(diffusers.FlowMatchEulerDiscreteScheduler().to_json_string())
    with pytest.raises(SchedulerError, match="FlowMatchEulerDiscreteScheduler has none, so that no DDIMScheduler"):
        check_sampling(SamplingProtocol(num_steps=4), model=with_config(tmp_path, config))


@pytest.mark.parametrize("name", ["utils", "logging", "__version__", "UNet2DModel", "Nothing"])
def test_what_is_no_scheduler_is_refused(name: str, tmp_path: Path) -> None:
    model = with_config(tmp_path, SD15 | {"_class_name": name})
    with pytest.raises(
        SchedulerError, match=rf"^{re.escape(str(model.path))}: .*must be a scheduler of diffusers .*, but got {name}"
    ):
        own_scheduler(model)


def test_corrections_are_empty_where_nothing_was_wrong(tmp_path: Path) -> None:
    assert corrections("DDIMScheduler", model=ModelFolder(PIPELINE_DIR)) == {}
    assert corrections("DDIMScheduler", model=with_config(tmp_path / "sd15", SD15)) == {}
    wrong = corrections("DDIMScheduler", model=with_config(tmp_path / "euler", saved("EulerDiscreteScheduler")))
    assert {"clip_sample": False, "set_alpha_to_one": False}.items() <= wrong.items()


@given(
    st.sampled_from(["epsilon", "v_prediction", "sample"]),
    st.sampled_from(["linear", "scaled_linear", "squaredcos_cap_v2"]),
    st.booleans(),
    st.integers(0, 999),
)
def test_noise_is_added_in_training_as_diffusers_adds_it(
    prediction_type: str, beta_schedule: str, zero_snr: bool, timestep: int
) -> None:
    settings: dict[str, Any] = {
        "beta_schedule": beta_schedule,
        "prediction_type": prediction_type,
        "rescale_betas_zero_snr": zero_snr,
    }
    theirs, made = DDPMScheduler(**settings), make_scheduler("DDIMScheduler", config=settings)
    ours = NoiseSchedule(alphas_cumprod=made.alphas_cumprod, prediction_type=made.config.prediction_type)
    latents, noise = torch.linspace(-2, 2, 32).view(2, 4, 2, 2), torch.linspace(1, -3, 32).view(2, 4, 2, 2)
    timesteps = torch.full((2,), timestep)
    noisy, target = ours.diffuse(latents, noise, timesteps)
    assert torch.allclose(noisy, theirs.add_noise(latents, noise, timesteps))
    targets = {
        "epsilon": noise,
        "sample": latents,
        "v_prediction": theirs.get_velocity(latents, noise, timesteps),
    }
    assert torch.allclose(target, targets[prediction_type])
