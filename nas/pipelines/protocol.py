"""SamplingProtocol: how a picture is made, as a value; importing it imports no framework."""

from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import Field

from nas.settings import settings

# Schedulers without noise of their own: a picture depends on its first noise alone.
SchedulerName: TypeAlias = Literal[
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
]
DETERMINISTIC_SCHEDULERS: Final[tuple[str, ...]] = get_args(SchedulerName)


@settings
class SamplingProtocol:
    """How pictures are made; part of the protocol."""

    num_steps: Annotated[int, Field(ge=1, description="denoising steps")] = 8
    guidance_scale: Annotated[
        float,
        Field(ge=1, description="classifier-free guidance w in w*eps(c) - (w-1)*eps(null); 1 = none, at half the cost"),
    ] = 7.5
    scheduler: Annotated[
        SchedulerName,
        Field(description="a deterministic diffusers scheduler; its own settings come from the pipeline folder"),
    ] = "DDIMScheduler"
