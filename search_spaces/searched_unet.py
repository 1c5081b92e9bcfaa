"""SearchedUNet: a diffusers UNet whose config carries the architecture that a search found, so that it saves and loads.

`import search_spaces.searched_unet` before `DiffusionPipeline.from_pretrained(folder)`: diffusers takes a class that
is not its own only from a module that has been imported already and in which it can see `ModelMixin`.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Self

import torch
from diffusers import ModelMixin, UNet2DConditionModel

from search_spaces.architecture import Architecture
from search_spaces.supernet import apply_architecture
from search_spaces.unets.diffusers_config import space_from_config

__all__ = ["ModelMixin", "SearchedUNet"]


class SearchedUNet(UNet2DConditionModel):  # type: ignore[misc]  # diffusers hides its types
    """A UNet with blocks removed and copied; called, saved and loaded like the `UNet2DConditionModel` it comes from.

    Args:
        architecture: What `Architecture.to_dict` gives.
        base_config: The settings of the base `UNet2DConditionModel`, each a keyword.

    Raises:
        ArchitectureError: Not an architecture, or not one of the base model's space.
    """

    def __init__(self, *, architecture: Mapping[str, Any], **base_config: Any) -> None:
        super().__init__(**base_config)
        self.register_to_config(architecture=architecture)
        chosen = Architecture.from_dict(architecture)
        # No position has more copies than blocks, so this space holds the architecture if any space of the model does.
        most = max((max(p.resnets, p.cross_attentions) for _, p in chosen.positions()), default=0)
        apply_architecture(self, chosen, space=space_from_config(self.config, max_copies=most))

    @classmethod
    def from_supernet(
        cls, unet: UNet2DConditionModel, /, *, architecture: Architecture, base_config: Mapping[str, Any]
    ) -> Self:
        """Give what `Supernet.materialise` cut out a config that brings it back; its weights are shared, not copied.

        Args:
            unet: The materialised architecture.
            architecture: The architecture that it computes.
            base_config: Config of the base model.

        Raises:
            ArchitectureError: The architecture is not in the base model's space.
            RuntimeError: The weights are those of another architecture.
        """
        with torch.device("meta"):
            searched: Self = cls.from_config({**base_config, "architecture": architecture.to_dict()})
        searched.load_state_dict(unet.state_dict(), assign=True)
        searched.train(unet.training)
        return searched


def _spelled_out() -> inspect.Signature:
    """diffusers saves and loads only the settings that a signature names: the base's, and `architecture`."""
    base = inspect.signature(UNet2DConditionModel.__init__)
    architecture = inspect.Parameter("architecture", inspect.Parameter.KEYWORD_ONLY, annotation=Mapping[str, Any])
    return base.replace(parameters=[*base.parameters.values(), architecture])


SearchedUNet.__init__.__signature__ = _spelled_out()  # type: ignore[attr-defined]
