"""What may be chosen: architectures, the actions between them, and the spaces that any diffusers UNet spans.

Importing this package does not import torch; the supernet stands in `search_spaces.supernet`.
"""

from search_spaces.actions import Action, Sign
from search_spaces.architecture import Architecture, ArchitectureError, Position, Stage
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.diffusers_config import StockConfig, UnsupportedConfigError, space_from_config, stock_config
from search_spaces.unet_space import Site, StageGeometry, UNetSpace

__all__ = [
    "Action",
    "Architecture",
    "ArchitectureError",
    "BlockKind",
    "BlockSignature",
    "Position",
    "Sign",
    "Site",
    "Stage",
    "StageGeometry",
    "StockConfig",
    "UNetSpace",
    "UnsupportedConfigError",
    "space_from_config",
    "stock_config",
]
