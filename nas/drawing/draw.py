"""Pictures from any pipeline folder, a base model's or an exported one, through diffusers' own pipeline."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from latency.measuring.stage_times import StageTime, StageTimer
from nas.pipelines.computing.compute_check import check_dtype
from nas.pipelines.computing.execution import check_device
from nas.pipelines.computing.finite import finite_outputs
from nas.pipelines.folder import load_pipeline
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.schedulers import (
    check_num_steps,
    check_sampling,
    check_scheduler,
    make_scheduler,
    own_scheduler,
    scheduler_config,
)
from nas.settings import read
from search_spaces.files.strict_text import whole_letters
from search_spaces.files.user_error import UserError

MAX_SEED: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingSettings:
    """What to draw, and how.

    Attributes:
        prompts: At least one.
        negative_prompt: What guidance leads away from; None = no text.
        num_pictures: Of each prompt.
        seed: Of the first picture's noise; picture i uses seed + i, of which the low 32 bits count.
        num_steps: Denoising steps.
        guidance_scale: Classifier-free guidance; 1 = none.
        scheduler: Class name of a deterministic diffusers scheduler; None = the folder's own.
        batch_size: Pictures that are drawn at once.
    """

    prompts: tuple[str, ...]
    negative_prompt: str | None = None
    num_pictures: int = 1
    seed: int = 0
    num_steps: int = 10
    guidance_scale: float = 3.0
    scheduler: str | None = None
    batch_size: int = 1

    def __post_init__(self) -> None:
        for prompt in self.prompts:
            whole_letters(prompt, name="a prompt")
        if self.negative_prompt is not None:
            whole_letters(self.negative_prompt, name="the negative prompt")
        wrong = [] if self.prompts else ["give at least one prompt"]
        wrong += [
            f"`{name}` must be a finite number of at least 1, but got {getattr(self, name)}"
            for name in ("num_pictures", "num_steps", "guidance_scale", "batch_size")
            if not 1 <= getattr(self, name) < math.inf
        ]
        if not 0 <= self.seed <= MAX_SEED - len(self.captions):
            wrong.append(f"`seed` must be at least 0 and below 2**63, but got {self.seed}")
        if self.negative_prompt is not None and self.guidance_scale == 1:
            wrong.append(
                "a negative prompt needs guidance, but `guidance_scale` is 1; raise it, or give no such prompt"
            )
        if wrong:
            raise UserError("; ".join(wrong))
        if self.scheduler is not None:
            check_scheduler(self.scheduler)

    @property
    def captions(self) -> list[str]:
        """The prompt of every picture."""
        return [prompt for prompt in self.prompts for _ in range(self.num_pictures)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """Pictures, and how long they took.

    Attributes:
        pictures: uint8 (n, h, w, 3).
        scheduler: Class name of the scheduler that drew them.
        stages: Times of text encoders, UNet steps, decoder and whole pictures.
    """

    pictures: npt.NDArray[np.uint8]
    scheduler: str
    stages: tuple[StageTime, ...]


def draw(
    model: ModelFolder,
    /,
    *,
    settings: DrawingSettings,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Drawing:
    """Draw pictures and time the stages.

    Args:
        model: A base model's folder, or an exported one.
        settings: What to draw.
        dtype: Of weights and activations.
        device: Where to compute.
        on_step: Called with (UNet steps done, in all).

    Raises:
        UserError: A damaged part, a device that lacks the type, or a stage that gives numbers which are not finite.
    """
    check_device(device, name="device")
    check_dtype(dtype, device=device)
    scheduler = _scheduler(model, settings)
    pipeline = load_pipeline(model, dtype=dtype).to(device)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler
    captions = settings.captions
    starts = range(0, len(captions), settings.batch_size)
    timer, pictures, num_done = StageTimer(device=torch.device(device)), [], 0

    def stepped(pipe: Any, index: int, timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        nonlocal num_done
        num_done += 1
        on_step(num_done, len(starts) * pipe.num_timesteps)
        return kept

    stages = _stages(pipeline)
    with timer.watching(stages), finite_outputs(stages), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`upcast_vae` is deprecated", FutureWarning)  # diffusers', of its own call
        for start in starts:
            part = captions[start : start + settings.batch_size]
            with timer.timed("picture", batch=len(part), share=len(part)):
                output = pipeline(
                    part,
                    negative_prompt=settings.negative_prompt and [settings.negative_prompt] * len(part),
                    num_inference_steps=settings.num_steps,
                    guidance_scale=settings.guidance_scale,
                    generator=[torch.Generator().manual_seed(settings.seed + start + i) for i in range(len(part))],
                    output_type="np",
                    callback_on_step_end=stepped,
                )
            pictures.append(output.images)
    return Drawing(
        pictures=np.asarray(np.round(np.concatenate(pictures) * 255), dtype=np.uint8),
        scheduler=type(pipeline.scheduler).__name__,
        stages=timer.summary(),
    )


def _scheduler(model: ModelFolder, settings: DrawingSettings) -> Any:
    """What draws, checked before any model is loaded."""
    if settings.scheduler is None:
        scheduler = own_scheduler(model)
        check_num_steps(settings.num_steps, scheduler=scheduler)
        return scheduler
    protocol = read(
        SamplingProtocol,
        {"scheduler": settings.scheduler, "num_steps": settings.num_steps},
        name="what is drawn",
    )
    check_sampling(protocol, model=model)
    return make_scheduler(settings.scheduler, config=scheduler_config(model))


def _stages(pipeline: Any) -> dict[str, torch.nn.Module]:
    """The modules whose calls are the stages of a picture."""
    stages = {"text encoder": pipeline.text_encoder}
    if hasattr(pipeline, "text_encoder_2"):
        stages["text encoder 2"] = pipeline.text_encoder_2
    return stages | {"UNet step": pipeline.unet, "decoder": pipeline.vae.decoder}
