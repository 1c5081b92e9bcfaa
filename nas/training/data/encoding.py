"""Encoder: pictures to latents and captions to what the UNet reads, by a pipeline's own parts, on one device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import PipelineParts
from nas.pipelines.index import PipelineClass
from nas.pipelines.model_folder import ModelFolder
from nas.training.data.picture_files import CroppedPicture
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError


@dataclass(slots=True, kw_only=True, eq=False)
class Encoder:
    """A pipeline's autoencoder and text encoders, loaded when they are first asked.

    Attributes:
        load: Gives the parts.
        digest: Of all that they are.
        size_px: Height and width of pictures.
        device: Where they compute.
        batch_size: Pictures, or captions, at once.
    """

    load: Callable[[], PipelineParts]
    digest: str
    size_px: tuple[int, int]
    device: str = "cpu"
    batch_size: int = 32
    _parts: PipelineParts | None = field(default=None, init=False)

    @classmethod
    def of_model(
        cls, model: ModelFolder, /, *, latent_size: tuple[int, int], device: str = "cpu", batch_size: int = 32
    ) -> "Encoder":
        """The encoder of a model whose latents have a height and width; its weights are read for their digest."""
        scale = 2 ** (len(model.part_config("vae")["block_out_channels"]) - 1)
        content = {
            "parts": model.part_digests("vae", "text_encoder", "tokenizer"),
            "zero_empty_prompt": model.index.zero_empty_prompt,
            "of_sdxl": model.index.pipeline_class is PipelineClass.SDXL,
        }
        return cls(
            load=lambda: PipelineParts.load(model),
            digest=digest_of(content),
            size_px=(latent_size[0] * scale, latent_size[1] * scale),
            device=device,
            batch_size=batch_size,
        )

    def latents(self, pictures: Sequence[CroppedPicture], /) -> Float[Tensor, "n c h w"]:
        """Scaled latents of pictures of this size, float32 on the CPU.

        Raises:
            UserError: Some are no numbers that a shard can keep.
        """
        pixels = torch.from_numpy(np.stack([each.pixels for each in pictures])).to(self.device)
        encoded = self.parts.encode(pixels.permute(0, 3, 1, 2).float() / 255, batch_size=self.batch_size)
        latents = encoded.float().cpu().contiguous()
        _check(latents, what="latents", of="pictures", by="autoencoder")
        return latents

    def texts(self, captions: Sequence[str], /) -> Conditioning:
        """What the UNet is told of a picture of this size per caption, float32 on the CPU.

        Raises:
            UserError: Some are no numbers that a shard can keep.
        """
        embedded = self.parts.embed(captions, size_px=self.size_px, batch_size=self.batch_size).to("cpu")
        _check(embedded.embeddings, what="embeddings", of="captions", by="text encoder")
        return embedded

    @property
    def parts(self) -> PipelineParts:
        """The parts, on the device."""
        if self._parts is None:
            self._parts = self.load()
            for module in self._parts.modules:
                module.to(self.device)
        return self._parts

    def forget(self) -> None:
        """Let the parts go, and their memory."""
        self._parts = None


def _check(numbers: Tensor, *, what: str, of: str, by: str) -> None:
    """Check that numbers are finite, in float16 as well, as which they are kept: others would train to nothing."""
    sound = (numbers.abs() <= torch.finfo(torch.float16).max).flatten(1).all(1)
    if broken := int((~sound).sum()):
        raise UserError(
            f"{what} must be numbers below 65,504, but the {by} of the model gives others for {broken} of {len(sound)} "
            f"{of}; take a model whose {by} can be trusted, with weights in a wider type"
        )
