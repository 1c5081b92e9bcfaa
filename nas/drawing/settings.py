"""Which pictures a run keeps."""

from typing import Annotated

from pydantic import Field

from nas.settings import settings


@settings
class PictureSettings:
    """Pictures that are kept beside scores, to look at; none is drawn for it."""

    per_action: Annotated[
        int,
        Field(ge=0, description="of each scored action, on the first prompts; 0 = none; at most 256 px on a side"),
    ] = 4
