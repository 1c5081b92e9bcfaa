"""Captioned pictures as the UNet sees them: read, encoded by the pipeline's own parts, with the captions they share."""

from collections.abc import Sequence

import torch

from nas.pipelines.folder import PipelineParts
from nas.training.latent_set import LatentSet
from nas.training.metadata import CaptionedPicture
from nas.training.picture_files import read_picture

_BATCH_SIZE = 64


def encode_pictures(
    pictures: Sequence[CaptionedPicture], /, *, parts: PipelineParts, size_px: tuple[int, int]
) -> LatentSet:
    """Latents and conditioning of pictures, cut to the height and width that the model makes.

    A UNet that is told sizes is told this one, as in evaluation, whatever size a picture had on disk, and where the
    picture was cut out.

    Raises:
        PictureError: A file that can no longer be read.
    """
    latents, crops = list[torch.Tensor](), list[tuple[int, int]]()
    for start in range(0, len(pictures), _BATCH_SIZE):
        read = [read_picture(picture.path, size_px=size_px) for picture in pictures[start : start + _BATCH_SIZE]]
        crops += [each.top_left_px for each in read]
        pixels = torch.stack([torch.from_numpy(each.pixels.copy()) for each in read])
        latents.append(parts.encode(pixels.permute(0, 3, 1, 2).float() / 255))
    ids: dict[str, int] = {"": 0}
    caption_ids = [ids.setdefault(picture.caption, len(ids)) for picture in pictures]
    return LatentSet(
        latents=torch.cat(latents),
        caption_ids=torch.tensor(caption_ids),
        captions=parts.embed(list(ids), size_px=size_px),
        crops=torch.tensor(crops),
    )
