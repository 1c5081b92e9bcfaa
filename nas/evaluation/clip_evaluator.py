"""Evaluator: pictures of one chunk of prompts and their CLIP scores, for whatever UNet it is handed.

Text embeddings of the pipeline and text features of CLIP are computed once, at the start. Nothing here depends on
who calls: the same UNet weights, chunk and number of threads give the same bits.
"""

from collections.abc import Sequence

import torch

from nas.evaluation.clip_model import ClipModel
from nas.pipelines.execution import Execution
from nas.pipelines.folder import PipelineParts
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise, make_scheduler, sample_latents
from nas.scores.prompts import ValidationSet


class ClipEvaluator:
    """Scores UNets by the cosine between CLIP's view of a picture and of its caption.

    Args:
        parts: VAE, text encoders, tokenizers and scheduler settings.
        clip: The judge.
        validation: The prompts.
        protocol: How pictures are made.
        latent_shape: (channels, height, width) of one picture's latents.
        execution: Where and how modules run; VAE and CLIP are placed accordingly, UNets come placed.
    """

    def __init__(
        self,
        *,
        parts: PipelineParts,
        clip: ClipModel,
        validation: ValidationSet,
        protocol: SamplingProtocol,
        latent_shape: tuple[int, int, int],
        execution: Execution = Execution(),  # noqa: B008  frozen
    ) -> None:
        self.validation = validation
        self._clip, self._protocol, self._latent_shape = clip, protocol, latent_shape
        self._autoencoder = parts.autoencoder  # not the text encoders, which may go once the captions are embedded
        self._execution = execution
        for module in (*parts.modules, clip.model):
            execution.place(module)
        captions = [prompt.caption for prompt in validation.prompts]
        _, height, width = latent_shape
        size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
        self._captions = parts.embed(captions, size_px=size_px)
        self._empty = parts.embed([""], size_px=size_px)
        self._text_features = clip.embed_captions(captions)
        self._scheduler = make_scheduler(protocol.scheduler, config=parts.scheduler_config)

    def pictures(self, unet: torch.nn.Module, /, *, chunk: int) -> torch.Tensor:
        """Pictures (n, 3, h, w) in [0, 1] of a chunk's prompts."""
        rows = self._rows(chunk)
        noise = initial_noise([p.noise_seed for p in self.validation.chunk(chunk)], shape=self._latent_shape)
        with self._execution.autocast():
            latents = sample_latents(
                unet,
                scheduler=self._scheduler,
                protocol=self._protocol,
                noise=noise.to(self._execution.device),
                text=self._captions[rows],
                empty=self._empty,
            )
            return self._autoencoder.decode(latents).float()

    def score(self, pictures: torch.Tensor, /, *, chunk: int) -> tuple[float, ...]:
        """CLIP score of every picture of a chunk."""
        with self._execution.autocast():
            features = self._clip.embed_pictures(pictures).float()
        return tuple((features * self._text_features[self._rows(chunk)]).sum(1).tolist())

    def evaluate(self, unet: torch.nn.Module, /, *, chunk: int) -> Sequence[float]:
        """CLIP scores of the pictures that a UNet makes of a chunk's prompts."""
        return self.score(self.pictures(unet, chunk=chunk), chunk=chunk)

    def _rows(self, chunk: int) -> slice:
        start = chunk * self.validation.chunk_size
        return slice(start, start + len(self.validation.chunk(chunk)))
