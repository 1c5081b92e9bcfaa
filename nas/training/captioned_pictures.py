"""Folders of captioned pictures: image files beside a `metadata.jsonl` of {"file_name", "text"} lines.

The convention of the Hugging Face image folder, so that sets made for other trainers can be used as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from nas.pipelines.folder import PipelineParts
from nas.training.latent_set import LatentSet
from search_spaces.files.strict_json import parse_json
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedPicture:
    """One picture on disk and what it shows."""

    path: Path
    caption: str


def read_metadata(folder: Path, /) -> tuple[CaptionedPicture, ...]:
    """The pictures of a folder, in the order of its metadata.

    Raises:
        ValueError: No such folder, no or broken metadata, or absent pictures; all problems at once.
    """
    path = folder / "metadata.jsonl"
    if not path.is_file():
        raise UserError(f'there is no {path}; write one line {{"file_name": "0.png", "text": "a caption"}} per picture')
    pictures, wrong = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = parse_json(line)
            picture = CaptionedPicture(path=folder / entry["file_name"], caption=entry["text"])
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"line {number} must hold `file_name` and `text` ({type(error).__name__}: {error})")
            continue
        if picture.path.is_file():
            pictures.append(picture)
        else:
            wrong.append(f"line {number} names {picture.path.name}, which is not in the folder")
    if wrong:
        raise UserError(f"{path} has {len(wrong)} problems: " + "; ".join(wrong[:20]))
    if not pictures:
        raise UserError(f"{path} names no picture")
    return tuple(pictures)


def encode_pictures(
    pictures: tuple[CaptionedPicture, ...], /, *, parts: PipelineParts, size_px: tuple[int, int]
) -> LatentSet:
    """Latents and conditioning of pictures, resized to the height and width that the model makes.

    A UNet that is told sizes is told this one, as in evaluation, whatever size a picture had on disk.
    """
    latents = torch.cat([parts.encode(batch) for batch in _batches(pictures, size_px, 64)])
    ids: dict[str, int] = {"": 0}
    caption_ids = [ids.setdefault(picture.caption, len(ids)) for picture in pictures]
    captions = parts.embed(list(ids), size_px=size_px)
    return LatentSet(latents=latents, caption_ids=torch.tensor(caption_ids), captions=captions)


def _batches(
    pictures: tuple[CaptionedPicture, ...], size_px: tuple[int, int], batch_size: int
) -> Iterator[Float[Tensor, "n 3 h_px w_px"]]:
    height, width = size_px
    for start in range(0, len(pictures), batch_size):
        arrays = []
        for picture in pictures[start : start + batch_size]:
            with Image.open(picture.path) as image:
                rgb = image.convert("RGB")
                if rgb.size != (width, height):
                    rgb = rgb.resize((width, height), Image.Resampling.LANCZOS)
                arrays.append(np.asarray(rgb))
        yield torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255
