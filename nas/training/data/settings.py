"""How training pictures come from the disk to the UNet."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from nas.settings import settings
from search_spaces.files.user_error import UserError


class Encoding(StrEnum):
    """When pictures become latents and captions embeddings."""

    ONCE = "once"
    PER_BATCH = "per_batch"


class Crop(StrEnum):
    """Which part of a picture of another shape is shown."""

    CENTER = "center"
    RANDOM = "random"


@settings
class DataSettings:
    """How the pictures at `robust_training.pictures` are read and encoded (docs/pictures.md)."""

    encode: Annotated[
        Encoding,
        Field(
            description="once: into files that the run keeps, or `picture_cache`; per_batch: as they come, which costs "
            "their encoding in every step and no disk"
        ),
    ] = Encoding.ONCE
    crop: Annotated[
        Crop, Field(description="of pictures of another shape: center, or random, which needs `encode: per_batch`")
    ] = Crop.CENTER
    images: Annotated[
        Path | None, Field(description="folder of the pictures that a COCO JSON names; null = beside it")
    ] = None
    picture_column: Annotated[
        str | None, Field(description="of parquet files; null = image, picture, img, jpg or png")
    ] = None
    caption_column: Annotated[str | None, Field(description="of parquet files; null = text, caption or captions")] = (
        None
    )
    max_corrupt_share: Annotated[
        float,
        Field(ge=0, le=1, description="of pictures that cannot be read: left out and counted up to it, an error above"),
    ] = 0.01
    shuffled_pictures: Annotated[
        int,
        Field(ge=1, description="with `encode: per_batch`: as many pictures, read one after the other, are mixed"),
    ] = 1024
    encode_batch_size: Annotated[int, Field(ge=1, description="pictures, or captions, that are encoded at once")] = 32

    @model_validator(mode="after")
    def _crops_need_pictures(self) -> Self:
        if self.crop is Crop.RANDOM and self.encode is Encoding.ONCE:
            raise UserError("`crop: random` cuts anew in every step, which needs `encode: per_batch`; set it too")
        return self
