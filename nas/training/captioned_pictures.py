"""Captioned pictures as the UNet sees them, all in memory: read and encoded by the pipeline's own parts."""

import torch

from nas.pipelines.folder import PipelineParts
from nas.training.data.picture_files import read_picture
from nas.training.data.readers.example import Example, PictureReader
from nas.training.latent_set import LatentSet

_BATCH_SIZE = 64


def encode_pictures(reader: PictureReader, /, *, parts: PipelineParts, size_px: tuple[int, int]) -> LatentSet:
    """Latents and conditioning of pictures with one caption each, cut to the height and width that the model makes.

    A UNet that is told sizes is told this one, as in evaluation, whatever size a picture had on disk, and where the
    picture was cut out.

    Raises:
        PictureError: A file that can no longer be read.
    """
    found = (each for part in range(reader.num_parts) for _, each in reader.read(part))
    examples = [each for each in found if isinstance(each, Example)]
    latents, crops = list[torch.Tensor](), list[tuple[int, int]]()
    for start in range(0, len(examples), _BATCH_SIZE):
        read = [read_picture(each.picture, size_px=size_px) for each in examples[start : start + _BATCH_SIZE]]
        crops += [each.top_left_px for each in read]
        pixels = torch.stack([torch.from_numpy(each.pixels.copy()) for each in read])
        latents.append(parts.encode(pixels.permute(0, 3, 1, 2).float() / 255))
    ids: dict[str, int] = {"": 0}
    caption_ids = [ids.setdefault(each.captions[0], len(ids)) for each in examples]
    return LatentSet(
        latents=torch.cat(latents),
        caption_ids=torch.tensor(caption_ids),
        captions=parts.embed(list(ids), size_px=size_px),
        crops=torch.tensor(crops),
    )
