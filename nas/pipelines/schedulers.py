"""Schedulers for latents, by a folder's settings: corrected and checked for the class that is made, not for the named.

A folder's scheduler may be of one class and the pictures drawn by another. What the folder says of the forward process,
with which its model was trained, holds for every class. The made class's own defaults are those of models of pixels:
diffusers' pipelines correct some of them, and only for the folder's own class.
"""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Final

import diffusers
import torch
from diffusers import DDIMScheduler, SchedulerMixin
from jaxtyping import Float
from torch import Tensor

from nas.pipelines.index import PipelineClass
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import ModelFolderError

# How noise is added: whatever the class, these are the model's.
_FORWARD: Final = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
)
# How it is taken away again: a saved folder spells out the defaults of its own class, which nobody chose for another.
_CHOICES: Final = ("timestep_spacing", "steps_offset", "set_alpha_to_one", "algorithm_type", "solver_type")
_NEVER: Final = {"clip_sample": False, "thresholding": False}  # latents are no colours: they have no bounds
_UNLESS_SAID: Final = {"set_alpha_to_one": False, "steps_offset": 1}  # as every Stable Diffusion has it
_OF_SD: Final = {"steps_offset": 1, "clip_sample": False}  # whatever is said, as StableDiffusionPipeline.__init__ does
_SMALLEST: Final = 2.0**-24  # alpha's product where there is no signal, as diffusers' classes that divide by it have it
MAX_TIMESTEPS: Final = 100_000


class SchedulerError(ModelFolderError):
    """A scheduler that cannot draw, or not the same picture twice."""


def check_scheduler(name: str, /) -> None:
    """Check that schedulers of a class can be without noise of their own.

    Raises:
        UserError: They cannot, or are not known to.
    """
    if name not in DETERMINISTIC_SCHEDULERS:
        raise UserError(f"`scheduler` must be one of {', '.join(DETERMINISTIC_SCHEDULERS)}, but got {name!r}")


def scheduler_class(name: str, /) -> type[Any]:
    """diffusers' scheduler of a name.

    Raises:
        SchedulerError: There is none.
    """
    found = getattr(diffusers, name, None)
    if not (isinstance(found, type) and issubclass(found, SchedulerMixin)):
        raise SchedulerError(
            f"`scheduler` in model_index.json must be a scheduler of diffusers {diffusers.__version__}, but got "
            f"{name}; name another one there, such as DDIMScheduler"
        )
    return found


def scheduler_config(model: ModelFolder, /) -> dict[str, Any]:
    """Settings of a model's own scheduler; Stable Diffusion's pipeline corrects two that are outdated.

    Raises:
        SchedulerError: diffusers knows no such scheduler, or can make none of the settings.
    """
    try:
        kind = scheduler_class(model.index.scheduler)
    except SchedulerError as error:
        raise SchedulerError(f"{model.path}: {error}") from error
    config = model.part_config("scheduler") | {"_class_name": model.index.scheduler}
    if model.index.pipeline_class is PipelineClass.SD:
        config |= _OF_SD
    try:
        _made(kind, config)
    except SchedulerError as error:
        raise SchedulerError(f"{model.part('scheduler')}: {error}") from error
    return config


def own_scheduler(model: ModelFolder, /) -> Any:
    """A model's own scheduler, corrected; it may draw noise of its own.

    Raises:
        SchedulerError: Settings that it cannot be made of.
    """
    config = scheduler_config(model)
    return _made(scheduler_class(model.index.scheduler), config)


def make_scheduler(name: str, /, *, config: Mapping[str, Any]) -> Any:
    """A diffusers scheduler without noise of its own, by a pipeline's settings.

    Args:
        name: Its class, one of `DETERMINISTIC_SCHEDULERS`.
        config: Of the pipeline's own scheduler, whose class may be another (`_class_name`).

    Raises:
        UserError: Another class.
        SchedulerError: Settings that it cannot be made of, or that make it draw noise.
    """
    check_scheduler(name)
    scheduler = _made(scheduler_class(name), config)
    if str(kind := scheduler.config.get("algorithm_type", "")).startswith("sde"):
        raise SchedulerError(
            f"a scheduler must give the same picture for the same noise, but `algorithm_type` in the pipeline's "
            f"scheduler_config.json is {kind!r}, which draws noise at every step; write {str(kind)[4:]!r} there, or "
            "choose another `scheduler`"
        )
    return scheduler


def check_sampling(protocol: SamplingProtocol, /, *, model: ModelFolder) -> None:
    """Check that a model's settings and a protocol make pictures, by drawing a tiny one twice without the model.

    Raises:
        SchedulerError: They make none, or none that is finite, or two different ones.
    """
    scheduler = make_scheduler(protocol.scheduler, config=scheduler_config(model))
    check_num_steps(protocol.num_steps, scheduler=scheduler)
    what = f"{protocol.num_steps} steps of {protocol.scheduler} with the settings of {model.path / 'scheduler'}"
    try:
        first, second = _trial(scheduler, protocol.num_steps, 1), _trial(scheduler, protocol.num_steps, 2)
    except Exception as error:  # nothing but the scheduler runs, so whatever fails is due to its settings
        raise SchedulerError(
            f"{what} must give a picture, but fail ({type(error).__name__}: {error}); choose another `num_steps` or "
            "`scheduler`"
        ) from error
    if not torch.isfinite(first).all():
        raise SchedulerError(
            f"{what} must give numbers, but give some that are not finite; correct the settings, or choose another "
            "`scheduler`"
        )
    if not torch.equal(first, second):
        raise SchedulerError(
            f"{what} must give the same picture for the same noise, but draw noise of their own; correct the settings, "
            "or choose another `scheduler`"
        )


def check_num_steps(num_steps: int, /, *, scheduler: Any) -> None:
    """Check that a model was trained for so many different noise levels.

    Raises:
        SchedulerError: It was not.
    """
    if num_steps > (most := scheduler.config.num_train_timesteps):
        raise SchedulerError(
            f"`num_steps` must be at most the {most} timesteps that the model was trained for, but got {num_steps}; "
            "ask for fewer"
        )


def corrections(name: str, /, *, model: ModelFolder) -> dict[str, Any]:
    """What a scheduler is made with otherwise than by 0.1.0, which corrected the folder's own class only.

    Scores of both belong to different protocols. Empty where nothing was wrong.
    """
    config, kind = model.part_config("scheduler"), scheduler_class(name)
    if model.index.pipeline_class is PipelineClass.SD:
        known = _defaults(scheduler_class(model.index.scheduler))
        config |= {key: value for key, value in _OF_SD.items() if key in known}
    made = make_scheduler(name, config=scheduler_config(model)).config
    try:
        before = kind.from_config(config).config
    except Exception:  # then it gave no score
        return {}
    return {key: made[key] for key in sorted(_defaults(kind)) if made.get(key) != before.get(key)}


def _made(kind: type[Any], config: Mapping[str, Any]) -> Any:
    settings = _settings(kind, config)
    _check_settings(settings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of settings that diffusers will drop, and takes today
            return kind.from_config(settings)
    except Exception as error:  # a library's own ways to refuse settings
        raise SchedulerError(
            f"the pipeline's scheduler_config.json must hold settings of a {kind.__name__}, but it cannot be made of "
            f"them ({type(error).__name__}: {error}); restore the file from where it came"
        ) from error


def _settings(kind: type[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A config in the terms of a class."""
    own = getattr(diffusers, str(config.get("_class_name")), kind)
    theirs, ours = _defaults(own), _defaults(kind)
    unsaid = set(config.get("_use_default_values", ())) - set(_FORWARD)  # what diffusers filled in itself
    said = {key: value for key, value in config.items() if key[0] != "_" and key not in unsaid}
    if own is not kind:
        if "beta_start" not in theirs and "beta_start" not in said:
            raise SchedulerError(
                f"the pipeline's own scheduler must say by which betas noise is added, but {own.__name__} has none, so "
                f"that no {kind.__name__} can follow it; choose a checkpoint of the family that this project searches"
            )
        said = {key: value for key, value in said.items() if key not in _CHOICES or theirs.get(key, ()) != value}
        said = {key: theirs[key] for key in _FORWARD if key in theirs} | said
    if said.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in ours:
        said["trained_betas"] = _betas_without_signal(said)
    said = {**_UNLESS_SAID, **said, **_NEVER}
    return {key: value for key, value in said.items() if key in ours}


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Check that settings are those of a diffusion process that the denoising loop knows."""
    wrong = []
    if (kind := settings.get("prediction_type", "epsilon")) not in ("epsilon", "v_prediction", "sample"):
        wrong.append(f"`prediction_type` must be epsilon, v_prediction or sample, but got {kind!r}")
    if settings.get("use_flow_sigmas"):
        wrong.append("`use_flow_sigmas` must be false, since flows are not supported")
    if (kind := settings.get("timestep_type", "discrete")) != "discrete":
        wrong.append(f"`timestep_type` must be discrete, but got {kind!r}")
    if (kind := settings.get("variance_type")) in ("learned", "learned_range"):
        wrong.append(f"`variance_type` must not be learned by the UNet, but got {kind!r}")
    num = settings.get("num_train_timesteps", 1000)
    if type(num) is not int or not 1 <= num <= MAX_TIMESTEPS:
        wrong.append(f"`num_train_timesteps` must be an integer from 1 to {MAX_TIMESTEPS:,}, but got {num!r}")
    if wrong:
        raise SchedulerError(f"scheduler_config.json of the pipeline: {'; '.join(wrong)}; choose another checkpoint")


def _betas_without_signal(config: Mapping[str, Any]) -> list[float]:
    """The betas of `rescale_betas_zero_snr` for a class that lacks the setting: the last step is noise alone."""
    _check_settings(config)
    made = DDIMScheduler.from_config({key: config[key] for key in _FORWARD if key in config})
    products: Tensor = made.alphas_cumprod.double().clamp(min=_SMALLEST)
    before = torch.cat([products.new_ones(1), products[:-1]])
    betas: list[float] = (1 - products / before).tolist()
    return betas


def _defaults(kind: Any) -> dict[str, Any]:
    """Settings of a class with their defaults."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {each.name: each.default for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD}


@torch.inference_mode()
def _trial(scheduler: Any, num_steps: int, seed: int) -> Float[Tensor, "1 4 2 2"]:
    """Latents of a UNet that is a sine, with some state of torch's global generator."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        scheduler.set_timesteps(num_steps)
        latents: Tensor = torch.linspace(-2, 2, 16).view(1, 4, 2, 2) * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            output = scheduler.scale_model_input(latents, timestep).sin()
            latents = scheduler.step(output, timestep, latents).prev_sample
    return latents
