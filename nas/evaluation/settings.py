"""Which judge looks at pictures."""

from typing import Annotated

from pydantic import Field

from nas.settings import settings


@settings
class ClipSettings:
    """The judge: an OpenCLIP model."""

    model: Annotated[
        str, Field(description="OpenCLIP folder (with open_clip_config.json), or a model name such as ViT-g-14")
    ]
    pretrained: Annotated[
        str | None, Field(description="OpenCLIP's tag of the weights; with a model name only, null with a folder")
    ] = None
