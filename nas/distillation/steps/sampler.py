"""The scheduler that a student is sampled with, which stands in its pipeline folder."""

from typing import Any

from diffusers import DDIMScheduler, LCMScheduler

from nas.distillation.steps.job import ddim_config
from nas.distillation.steps.stages import StageKind, V
from nas.pipelines.model_folder import ModelFolder


def sampler_of(model: ModelFolder, /, *, kind: StageKind) -> Any:
    """diffusers' scheduler: LCM's for a student of consistency, else DDIM with the steps that were learned.

    Args:
        model: Whose noise it is.
        kind: What was learned.
    """
    config = ddim_config(model, kind=V)
    if kind is StageKind.CONSISTENCY:
        return LCMScheduler.from_config({key: config[key] for key in config if not key.startswith("_")})
    return DDIMScheduler.from_config(config)
