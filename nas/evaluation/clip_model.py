"""OpenCLIP as a judge: pictures and captions to unit vectors, whose cosine is the CLIP score."""

from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from search_spaces.files.user_error import UserError


class ClipModel:
    """An OpenCLIP model and its tokenizer; both run where `model` is.

    Args:
        name: A local folder with `open_clip_config.json`, or an OpenCLIP model name such as "ViT-g-14".
        pretrained: OpenCLIP's tag of the weights; needed with a name, none with a folder.

    Raises:
        ValueError: The folder is not an OpenCLIP folder, or a name comes without a tag.
    """

    def __init__(self, name: str, /, *, pretrained: str | None = None) -> None:
        check_clip_name(name, pretrained=pretrained)
        source = name if pretrained is not None else f"local-dir:{name}"
        self.model = open_clip.create_model(source, pretrained=pretrained, require_pretrained=True)
        self.model.eval().requires_grad_(False)
        self._tokenizer = open_clip.get_tokenizer(source)
        preprocess = open_clip.get_model_preprocess_cfg(self.model)
        size = preprocess["size"]
        self._size = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
        self._mean = torch.tensor(preprocess["mean"]).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocess["std"]).view(1, 3, 1, 1)

    @torch.inference_mode()
    def embed_captions(self, captions: Sequence[str], /, *, batch_size: int = 64) -> Float[Tensor, "n dim"]:
        """Unit vectors."""
        tokens = self._tokenizer(list(captions)).to(next(self.model.parameters()).device)
        return torch.cat([self.model.encode_text(part, normalize=True) for part in tokens.split(batch_size)])

    @torch.inference_mode()
    def embed_pictures(self, pictures: Float[Tensor, "n 3 h_px w_px"], /) -> Float[Tensor, "n dim"]:
        """Pictures in [0, 1], resized as the model wants, to unit vectors."""
        if tuple(pictures.shape[-2:]) != self._size:
            pictures = F.interpolate(pictures, size=self._size, mode="bicubic", antialias=True).clamp(0, 1)
        features: Tensor = self.model.encode_image(self._normalised(pictures), normalize=True)
        return features

    def _normalised(self, pictures: Float[Tensor, "n 3 h_px w_px"]) -> Float[Tensor, "n 3 h_px w_px"]:
        return (pictures - self._mean.to(pictures.device)) / self._std.to(pictures.device)


def check_clip_name(name: str, /, *, pretrained: str | None) -> None:
    """Check, without loading it, that a name is a complete OpenCLIP folder, or comes with a tag of weights.

    Raises:
        ValueError: Neither.
    """
    folder = Path(name)
    if pretrained is not None:
        return
    if not (folder / "open_clip_config.json").is_file():
        raise UserError(
            "`clip` must be a folder with open_clip_config.json, or a model name with `pretrained` set, "
            f"but got {name!r}"
        )
    if not (folder / "open_clip_model.safetensors").is_file():
        raise UserError(f"{folder} has no open_clip_model.safetensors; weights are loaded as safetensors only")
