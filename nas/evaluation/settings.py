"""By what architectures are scored, and which judge looks at pictures."""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from nas.settings import settings
from search_spaces.files.user_error import UserError

CLIP: Final = "clip"  # the score of the paper, and of every run that names none
CLIP_CHANGE: Final = "clip_change"  # looks through the same CLIP at pictures of one pass
CLIP_GLIMPSE: Final = "clip_glimpse"  # and scores them by their captions
THROUGH_CLIP: Final = (CLIP_CHANGE, CLIP_GLIMPSE)  # whose own settings are those of the section `clip`


@settings
class ScoreSettings:
    """What architectures are scored by; see docs/scores.md."""

    name: Annotated[
        str, Field(description="clip, a cheap score such as output_change, or a plugin's; `nas plugins` lists them")
    ] = CLIP
    settings: Annotated[
        Mapping[str, Any], Field(description="the score's own; those of clip stand in the section `clip`")
    ] = field(default_factory=dict)

    @model_validator(mode="after")
    def _clip_has_a_section(self) -> Self:
        if self.name == CLIP and self.settings:
            raise UserError("`settings` of the score clip stand in the section `clip`; move them there")
        return self


@settings
class ClipSettings:
    """The judge of the score `clip`, which needs it, and of `clip_change` and `clip_glimpse`: an OpenCLIP model."""

    model: Annotated[
        str, Field(description="OpenCLIP folder (with open_clip_config.json), or a model name such as ViT-g-14")
    ]
    pretrained: Annotated[
        str | None,
        Field(
            description="OpenCLIP's tag of weights, or a safetensors file; with a model name only, null with a folder"
        ),
    ] = None


def is_tag(pretrained: str, /) -> bool:
    """Whether `pretrained` is a tag of OpenCLIP's rather than a path."""
    return re.fullmatch(r"[\w-]+", pretrained) is not None
