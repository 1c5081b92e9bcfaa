"""The model whose blocks are measured or exported: a folder, or a known name with random weights.

Time does not depend on the weights, so a table for a known model needs no download.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.pricing.scenario import Dtype
from search_spaces.files.user_error import UserError
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS

if TYPE_CHECKING:
    from search_spaces.supernet import Supernet


class Attention(StrEnum):
    """Implementations of attention, as diffusers has them."""

    SDPA = "sdpa"
    EAGER = "eager"


@dataclass(frozen=True, kw_only=True, eq=False)
class LatencyModel:
    """A base model.

    Attributes:
        name: For the record.
        config: Of its UNet.
        folder: Where its weights are; None = a known model, whose weights are random.
        context_tokens: Text tokens that its UNet reads.
    """

    name: str
    config: Mapping[str, Any]
    folder: Path | None
    context_tokens: int

    def supernet(self, *, max_copies: int, attention: Attention, dtype: Dtype, device: str) -> "Supernet":
        """The supernet of its space on a torch device, in evaluation mode."""
        import torch
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

        from search_spaces import space_from_config
        from search_spaces.folders.loading import load_unet
        from search_spaces.supernet import Supernet

        torch_dtype: torch.dtype = getattr(torch, dtype)
        if self.folder is not None:
            unet = load_unet(self.folder, dtype=torch_dtype)
        else:
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(0)
                unet = UNet2DConditionModel(**self.config).eval()
            torch.nn.Module.to(unet, torch_dtype)  # diffusers' own warns of modules to keep in float32; it has none
        unet.set_attn_processor(AttnProcessor() if attention is Attention.EAGER else AttnProcessor2_0())
        return Supernet(unet.to(device), space=space_from_config(self.config, max_copies=max_copies))


def latency_model(model: Path, /) -> LatencyModel:
    """The model that a command line's MODEL means: a folder that is there, else a bundled or known name.

    Raises:
        ModelFolderError: Neither; or a folder that holds no UNet.
        ValueError: A searched UNet: tables are made of base models.
    """
    from search_spaces.folders.loading import SEARCHED, ModelFolderError, read_context_tokens, read_unet_config
    from search_spaces.known.architectures import BASE_CONFIGS
    from search_spaces.known.bundled import BUNDLED_MODELS, named_folder

    if not model.exists() and str(model) in BASE_CONFIGS:
        return LatencyModel(
            name=str(model), config=BASE_CONFIGS[str(model)], folder=None, context_tokens=DEFAULT_CONTEXT_TOKENS
        )
    name, model = model.resolve().name, named_folder(model)
    if not model.is_dir():
        raise ModelFolderError(
            f"there is no model folder {model}; give a diffusers pipeline folder or its `unet` folder, "
            f"or a known name: {', '.join((*BASE_CONFIGS, *BUNDLED_MODELS))}"
        )
    config = read_unet_config(model)
    if config["_class_name"] == SEARCHED:
        raise UserError(
            f"a latency table is measured on the base model, but {model} holds a searched UNet; give its base"
        )
    return LatencyModel(
        name=name,
        config=config,
        folder=model,
        context_tokens=read_context_tokens(model) or DEFAULT_CONTEXT_TOKENS,
    )
