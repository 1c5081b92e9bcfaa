"""What may be chosen: architectures, the actions between them, and the spaces that any diffusers UNet spans.

Importing this package does not import torch; the supernet stands in `search_spaces.supernet`.
"""

from search_spaces.actions import Action, AnyAction, CompoundAction, CopyStart, Sign, parse_action
from search_spaces.architecture import Architecture, ArchitectureError, Position, Stage
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.unets.diffusers_config import StockConfig, UnsupportedConfigError, space_from_config, stock_config
from search_spaces.unets.shape import Site
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.stock_space import SpaceForm, StockSpace
from search_spaces.unets.wiring import StageGeometry

__all__ = [
    "Action",
    "AnyAction",
    "Architecture",
    "ArchitectureError",
    "BlockKind",
    "BlockSignature",
    "CompoundAction",
    "CopyStart",
    "Position",
    "Sign",
    "Site",
    "SpaceForm",
    "Stage",
    "StageGeometry",
    "StockConfig",
    "StockSpace",
    "UNetSpace",
    "UnsupportedConfigError",
    "parse_action",
    "space_from_config",
    "stock_config",
]
